//! Asking an agent for a token instead of reading the vault.
//!
//! 1. `GATEPASS_AGENT_SOCK` names an agent: it alone is asked. In a container there is nothing else.
//! 2. `GATEPASS_AGENT=on`, or `agent = "on-demand"` in the settings: the home's own agent is asked, and started when it does
//!    not run. If it cannot be started, the vault is read as if nothing had been said.
//! 3. Otherwise no agent is asked, and none is ever started.
//!
//! This is on the way of `gatepass token`: one connection, no runtime.

use crate::{
    context::Context,
    env,
    error::{Error, Kind},
    huge_pages,
};
use gatepass_client::{
    AccountId, Bearer, Home, Narrowing,
    agent::{Address, AgentError, Caller, Request},
    config::AgentUse,
};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long an agent that was started is waited for.
const START: Duration = Duration::from_secs(3);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A token that an agent handed out, the issuer whose it is, and its account, if the agent says so.
pub(crate) struct HandedOut {
    pub(crate) bearer: Bearer,
    pub(crate) server: String,
    pub(crate) account: Option<AccountId>,
}

/// A token from the agent; `None` when there is none to be asked.
pub(crate) fn token(
    context: &Context<'_>,
    min_ttl: Option<Duration>,
    narrowing: &Narrowing,
) -> Result<Option<HandedOut>, Error> {
    let request = || Ok::<_, Error>(Request::token(&context.selection()?, narrowing, min_ttl));
    if let Some(caller) = named()? {
        return Ok(Some(ask(&caller, request()?)?));
    }
    if !is_wanted(context)? {
        return Ok(None);
    }
    let home = context.home()?;
    let Some(caller) = running_or_started(&home) else { return Ok(None) };
    match ask(&caller, request()?) {
        Ok(handed_out) => Ok(Some(handed_out)),
        // What it says is an answer; that it says nothing is no reason to fail.
        Err(error @ AgentError::Trouble(_)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// A token of this agent.
pub(crate) fn ask(caller: &Caller, request: Request) -> Result<HandedOut, AgentError> {
    let granted = caller.token(request)?;
    Ok(HandedOut { bearer: Bearer::granted(&granted, caller), server: granted.server, account: granted.id })
}

/// The agent that the environment names.
pub(crate) fn named() -> Result<Option<Caller>, Error> {
    let Some(text) = env::read(env::AGENT_SOCK) else { return Ok(None) };
    let address: Address =
        text.parse().map_err(|error| Error::new(Kind::Usage, format!("{}: {error}", env::AGENT_SOCK)))?;
    let token_file = env::read(env::AGENT_TOKEN_FILE);
    Caller::new(address, token_file.as_deref().map(Path::new)).map(Some).map_err(Into::into)
}

/// The agent that the environment names, else the home's own if it runs. Nothing is started.
pub(crate) fn found(home: &Home) -> Result<Option<Caller>, Error> {
    match named()? {
        Some(named) => Ok(Some(named)),
        None => Ok(homes_own(home).filter(Caller::is_there)),
    }
}

fn homes_own(home: &Home) -> Option<Caller> {
    Caller::new(Address::of_path(home.agent_socket()).ok()?, None).ok()
}

fn is_wanted(context: &Context<'_>) -> Result<bool, Error> {
    match env::read(env::AGENT).as_deref() {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(Error::new(Kind::Usage, format!("{}: the values are on and off", env::AGENT))),
        None => Ok(context.config()?.agent == Some(AgentUse::OnDemand)),
    }
}

/// The home's own agent; `None` when it does not run and cannot be started.
fn running_or_started(home: &Home) -> Option<Caller> {
    let caller = homes_own(home)?;
    // A vault that is not there yet has nothing to hand out.
    if caller.is_there() || !home.vault().exists() {
        return caller.is_there().then_some(caller);
    }
    let mut agent = start(home)?;
    let until = Instant::now() + START;
    while Instant::now() < until {
        if caller.is_there() {
            return Some(caller);
        }
        // One that finds another agent running ends well; any other end is that of an agent that cannot run.
        if matches!(agent.try_wait(), Ok(Some(status)) if !status.success()) {
            return None;
        }
        thread::sleep(PAUSE);
    }
    None
}

/// An agent of its own, which outlives this process and its terminal's Ctrl-C.
fn start(home: &Home) -> Option<Child> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.env(env::HOME, std::path::absolute(home.path()).ok()?);
    command.args(["agent", "--on-demand"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It serves every account and every folder, whatever holds here.
    for name in [env::SERVER, env::ACCOUNT, env::SPACE, env::AGENT_SOCK, env::TOKEN, env::API_KEY] {
        command.env_remove(name);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    huge_pages::without(|| command.current_dir("/").spawn()).ok()
}
