//! `gatepass exec`: a command with a token in its environment.
//!
//! The token is never an argument, since everybody on the machine can read those. On Unix this process becomes the
//! command, so that signals, terminal and exit code are the command's own.

use crate::{
    context::Context,
    env,
    error::{Error, Kind},
};
use clap::Args;
use std::{ffi::OsString, io, process::Command, time::Duration};

/// Run a command with an access token in its environment
///
/// The command finds the token in GATEPASS_TOKEN, and in the variables that --env names. It is not renewed while the
/// command runs: for a command that runs longer than a token lives, or a token that is bound to a key, use 'gatepass proxy'.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Another variable for the token, such as GITHUB_TOKEN; repeatable
    #[arg(long, value_name = "NAME", value_parser = variable)]
    env: Vec<String>,
    /// Fetch a new token if less than this is left, as in 60s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    min_ttl: Option<Duration>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// A name that an environment variable may have.
fn variable(name: &str) -> Result<String, String> {
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
    if good { Ok(name.to_owned()) } else { Err("a variable has a name of visible ASCII without '='".into()) }
}

impl Exec {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let token = context.plain_token(self.min_ttl)?;
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        let mut command = Command::new(program);
        command.args(arguments).env(env::TOKEN, token.expose());
        for name in &self.env {
            command.env(name, token.expose());
        }
        become_it(&mut command).map_err(|error| {
            let shown = program.to_string_lossy().into_owned();
            let failed = Error::new(Kind::Failed, format!("{shown} cannot be run: {error}"));
            match error.kind() {
                io::ErrorKind::NotFound => failed.hint("check the name, and that its folder is in PATH"),
                _ => failed,
            }
        })
    }
}

#[cfg(unix)]
fn become_it(command: &mut Command) -> io::Result<()> {
    // It returns only when it fails.
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}
