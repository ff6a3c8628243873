//! `gatepass agent`: access tokens over a local socket, for containers and virtual machines.
//!
//! It prints how it is found as lines that a shell and `docker run --env-file` read, and then serves until nobody asks any
//! more. What it hands out is decided in `gatepass_client::agent`.

use crate::{
    agent::named,
    context::{Context, finished},
    env,
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::{
    Account, Entropy, Narrowing,
    agent::{Address, Agent as Library, Caller, End, ListenError, Listener},
    calendar::rfc3339,
    oauth::{ResourceUri, Scope, UtcMillis},
};
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How often the agent looks whether a token nears its end.
const ROUND: Duration = Duration::from_secs(15);
/// How long blocking work keeps a thread that has nothing to do.
const THREAD_IDLE: Duration = Duration::from_secs(1);
/// The most threads that wait for a disk or a lock.
const THREADS: usize = 8;

/// Hand out access tokens over a local socket
///
/// For containers and virtual machines: 'gatepass token', 'exec', 'whoami', 'proxy' and 'credential' find the agent by
/// GATEPASS_AGENT_SOCK and need no vault. It hands out access tokens and nothing else; for a token that is bound to a key it
/// makes the proofs, and keeps the key. With --scope, --resource or --ttl tokens may do no more than that, and they are
/// those of one account: the one that is meant when the agent starts.
///
/// It never opens a browser, and ends when nobody has asked for a while. Whoever may open the socket may have the tokens.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Agent {
    #[command(subcommand)]
    action: Option<Action>,
    /// Listen at this path instead of the usual one
    #[arg(long, value_name = "PATH", conflicts_with = "tcp")]
    socket: Option<PathBuf>,
    /// Listen on a loopback address instead; each request then shows a token that lies in a file
    #[arg(long, value_name = "ADDRESS:PORT")]
    tcp: Option<SocketAddr>,
    /// Give tokens for these scopes at most
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scope>,
    /// Give tokens for this API only
    #[arg(long, value_name = "URI")]
    resource: Option<ResourceUri>,
    /// Give tokens that live this long at most, as in 5m
    #[arg(long, value_name = "TIME", value_parser = super::token::life)]
    ttl: Option<Duration>,
    /// End when nobody has asked for this long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30m")]
    idle: Duration,
    /// Started by another command: an agent that runs already is no error
    #[arg(long, hide = true)]
    on_demand: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show how an agent is
    Status(Which),
    /// End an agent
    Stop(Which),
}

/// Which agent; without a word the one that GATEPASS_AGENT_SOCK names, else the usual one
#[derive(Debug, Args)]
struct Which {
    /// The agent at this socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Agent {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match &self.action {
            Some(Action::Status(which)) => status(context, which),
            Some(Action::Stop(which)) => stop(context, which),
            None => self.serve(context),
        }
    }

    fn serve(self, context: &Context<'_>) -> Result<(), Error> {
        let sign_ins = context.sign_ins()?;
        let ceiling = Narrowing { scope: self.scope, resource: self.resource, audience: None, ttl: self.ttl };
        // The vault is opened here, where a passphrase can be asked for.
        let contents = sign_ins.vault().read()?;
        let for_one = !ceiling.is_empty() || self.tcp.is_some() || context.account_was_typed()?;
        let only = if for_one { Some(context.account(&contents)?) } else { None };
        drop(contents);
        let address = match self.tcp {
            Some(address) => Address::Port(address),
            None => socket_address(self.socket.unwrap_or_else(|| sign_ins.vault().home().agent_socket()))?,
        };
        let agent =
            Library { sign_ins, only, ceiling, idle: self.idle, round: ROUND, login_command: "gatepass login".into() };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(THREADS)
            .thread_keep_alive(THREAD_IDLE)
            .build()
            .map_err(|error| Error::new(Kind::Failed, format!("the runtime cannot be started: {error}")))?;
        let sign_ins = agent.sign_ins.clone();
        let outcome = runtime.block_on(async {
            let outcome = listen_and_serve(context, agent, &address).await;
            finished(&sign_ins, asked_to_stop()).await;
            outcome
        });
        runtime.shutdown_background();
        match outcome {
            Err(ListenError::Running(_)) if self.on_demand => Ok(()),
            other => Ok(other?),
        }
    }
}

async fn listen_and_serve(context: &Context<'_>, agent: Library, address: &Address) -> Result<(), ListenError> {
    let home = agent.sign_ins.vault().home().clone();
    let stop = asked_to_stop();
    let listener = Listener::open(address, &home, &Entropy::system()).await?;
    tell(context, &listener, agent.only.as_ref());
    match agent.serve(listener, stop).await {
        End::Idle => context.ui.talk("The agent ends, since nobody asks it any more."),
        End::Asked => context.ui.talk("The agent ends."),
    }
    Ok(())
}

/// Where it listens: data, for a shell or a container's environment.
fn tell(context: &Context<'_>, listener: &Listener, only: Option<&Account>) {
    let (ui, address) = (context.ui, listener.address().to_string());
    let token_file = listener.token_file().map(|path| path.display().to_string());
    if ui.is_json() {
        ui.object(&json!({
            "event": "listening",
            "address": address,
            "token_file": token_file,
            "account": only.map(Account::label),
            "pid": std::process::id(),
        }));
        return;
    }
    ui.data(&format!("{}={address}", env::AGENT_SOCK));
    if let Some(path) = token_file {
        ui.data(&format!("{}={path}", env::AGENT_TOKEN_FILE));
    }
    let whose = only.map_or_else(|| "every account here".into(), ToString::to_string);
    ui.talk(&format!("The agent hands out tokens of {whose} until Ctrl-C, 'gatepass agent stop', or nobody asks."));
}

/// Ctrl-C, or the signal with which services are ended.
async fn asked_to_stop() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    // Where no signal can be heard, the agent ends by 'stop' or when it is idle.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn socket_address(path: PathBuf) -> Result<Address, Error> {
    let path = std::path::absolute(&path).unwrap_or(path);
    Address::of_path(path).map_err(|error| {
        Error::new(Kind::Usage, error).hint_command("listen on a port with", "gatepass agent --tcp 127.0.0.1:0")
    })
}

impl Which {
    fn caller(&self, context: &Context<'_>) -> Result<Caller, Error> {
        if let Some(path) = &self.socket {
            return Ok(Caller::new(socket_address(path.clone())?, None)?);
        }
        match named()? {
            Some(caller) => Ok(caller),
            None => Ok(Caller::new(socket_address(context.home()?.agent_socket())?, None)?),
        }
    }
}

fn status(context: &Context<'_>, which: &Which) -> Result<(), Error> {
    let caller = which.caller(context)?;
    let status = caller.status()?;
    let ui = context.ui;
    let since = rfc3339(UtcMillis::from_seconds(status.started_at));
    if ui.is_json() {
        ui.object(&json!({
            "address": caller.address().to_string(),
            "pid": status.pid,
            "version": status.version,
            "started_at": since,
            "idle": status.idle,
            "tokens": status.tokens,
            "account": status.account,
            "scope": status.scope,
            "resource": status.resource,
            "ttl": status.ttl,
        }));
        return Ok(());
    }
    let seconds = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let mut rows = vec![
        ("address", caller.address().to_string()),
        ("process", status.pid.to_string()),
        ("since", since),
        ("ends", format!("when nobody asks for {}", seconds(status.idle))),
        ("tokens", format!("{} handed out", status.tokens)),
        ("account", status.account.unwrap_or_else(|| "every account of its home".into())),
    ];
    rows.extend(status.scope.map(|scope| ("scope", format!("at most {scope}"))));
    rows.extend(status.resource.map(|resource| ("resource", format!("only {resource}"))));
    rows.extend(status.ttl.map(|ttl| ("life", format!("at most {}", seconds(ttl)))));
    ui.table(&rows);
    Ok(())
}

fn stop(context: &Context<'_>, which: &Which) -> Result<(), Error> {
    let caller = which.caller(context)?;
    caller.stop()?;
    match context.ui.is_json() {
        true => context.ui.object(&json!({ "stopped": caller.address().to_string() })),
        false => context.ui.talk(&format!("The agent at {} ends.", caller.address())),
    }
    Ok(())
}
