//! The commands, one file each.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod agent;
pub(crate) mod client_options;
pub(crate) mod completions;
pub(crate) mod credential;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod proxy;
pub(crate) mod quickstart;
pub(crate) mod serve;
pub(crate) mod server_options;
pub(crate) mod status;
pub(crate) mod token;
mod unattended_options;
pub(crate) mod whoami;

use crate::{
    cli::{Cli, Command},
    context::Context,
    debug,
    error::Error,
    ui::Ui,
};

/// Runs what was typed.
pub(crate) fn run(cli: Cli, ui: &Ui) -> Result<(), Error> {
    // The server has logs of its own.
    if cli.globals.debug && !matches!(cli.command, Command::Serve(_) | Command::Quickstart(_)) {
        debug::start();
    }
    let context = Context::new(cli.globals, ui);
    match cli.command {
        Command::Login(login) => login.run(&context),
        Command::Logout(logout) => logout.run(&context),
        Command::Whoami(whoami) => whoami.run(&context),
        Command::Token(token) => token.run(&context),
        Command::Exec(exec) => exec.run(&context),
        Command::Credential(credential) => credential.run(&context),
        Command::Agent(agent) => agent.run(&context),
        Command::Proxy(proxy) => proxy.run(&context),
        Command::Status(status) => status.run(&context),
        Command::Accounts(accounts) => accounts.run(&context),
        Command::Serve(serve) => serve.run(&context),
        Command::Quickstart(quickstart) => quickstart.run(&context),
        Command::Admin(admin) => admin.run(&context),
        Command::Doctor(doctor) => doctor.run(&context),
        Command::Completions(completions) => completions.run(&context),
        Command::Man(man) => man.run(&context),
    }
}
