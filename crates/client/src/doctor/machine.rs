//! This machine: the ports that a browser's answer comes to, and an agent.

use super::{Check, PATIENCE, Section};
use std::{net::TcpListener, path::PathBuf};

/// Loopback ports and the agent's socket.
pub(super) async fn look(agent_socket: Option<PathBuf>) -> Vec<Check> {
    vec![ports(), agent(agent_socket).await]
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

#[cfg(unix)]
async fn agent(socket: Option<PathBuf>) -> Check {
    let name = "agent";
    let Some(path) = socket else {
        return Check::skipped(Section::Machine, name, "GATEPASS_AGENT_SOCK names none");
    };
    let remedy = "start the agent, or unset GATEPASS_AGENT_SOCK";
    match tokio::time::timeout(PATIENCE, tokio::net::UnixStream::connect(&path)).await {
        Ok(Ok(_)) => Check::ok(Section::Machine, name, format!("{} answers", path.display())),
        Ok(Err(error)) => Check::failure(Section::Machine, name, format!("{}: {error}", path.display())).remedy(remedy),
        Err(_) => {
            Check::failure(Section::Machine, name, format!("{}: no answer in time", path.display())).remedy(remedy)
        }
    }
}

#[cfg(not(unix))]
async fn agent(_: Option<PathBuf>) -> Check {
    Check::skipped(Section::Machine, "agent", "there are no agents on this system")
}
