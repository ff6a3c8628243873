//! This machine: the ports that a browser's answer comes to, and an agent.

use super::{Check, PATIENCE, Section};
use crate::{agent::Caller, text::tidy};
use std::net::TcpListener;
use tokio::{task::spawn_blocking, time::timeout};

/// Loopback ports and the agent.
pub(super) async fn look(caller: Result<Option<Caller>, String>) -> Vec<Check> {
    vec![ports(), agent(caller).await]
}

fn ports() -> Check {
    let name = "loopback";
    let bound = ["127.0.0.1", "::1"].map(|host| (host, TcpListener::bind((host, 0)).map(drop)));
    let [(_, four), (_, six)] = &bound;
    match (four, six) {
        (Ok(()), Ok(())) => Check::ok(Section::Machine, name, "ports of 127.0.0.1 and [::1] can be opened"),
        (Ok(()), Err(_)) => {
            Check::ok(Section::Machine, name, "ports of 127.0.0.1 can be opened; there is no [::1] here")
        }
        (Err(error), _) => {
            Check::failure(Section::Machine, name, format!("no port of 127.0.0.1 can be opened: {error}"))
                .remedy("sign in with a code instead: gatepass login --device")
        }
    }
}

async fn agent(caller: Result<Option<Caller>, String>) -> Check {
    let name = "agent";
    let caller = match caller {
        Ok(Some(caller)) => caller,
        Ok(None) => return Check::skipped(Section::Machine, name, "GATEPASS_AGENT_SOCK names none, and none runs"),
        Err(why) => {
            let remedy = "set the variables to what 'gatepass agent' prints, or unset GATEPASS_AGENT_SOCK";
            return Check::failure(Section::Machine, name, why).remedy(remedy);
        }
    };
    let address = caller.address().clone();
    let asked = timeout(PATIENCE, spawn_blocking(move || caller.status())).await;
    let why = match asked {
        Ok(Ok(Ok(status))) => {
            let found = format!("{address} answers, version {}", tidy(&status.version, 40));
            return Check::ok(Section::Machine, name, found);
        }
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) | Err(_) => format!("{address} gives no answer in time"),
    };
    Check::failure(Section::Machine, name, why).remedy("start the agent, or unset GATEPASS_AGENT_SOCK")
}
