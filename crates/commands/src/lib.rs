//! What the binary `gatepass` can be told to do: run the server, and be the command line that signs in anywhere.
//!
//! One command is one file under `commands`. They share `cli` (what may be typed), `env` (what may be set), `typed` (what
//! was meant where it makes no sense), `context` (which server and account are meant), `ui` (how to talk) and `error` (how
//! to fail). No asynchronous runtime is started before a command needs the network.

mod agent;
mod browser;
mod cli;
mod commands;
mod context;
mod debug;
mod env;
mod error;
mod examples;
mod huge_pages;
mod open_files;
mod proxy;
mod qr;
#[cfg(test)]
mod reference;
mod rpc;
mod screen;
mod server_error;
mod terminal;
mod typed;
mod ui;

use std::process::ExitCode;

/// Does what was typed; the exit code of the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match typed::read() {
        Ok(cli) => cli,
        Err(told) => return told,
    };
    let ui = ui::Ui::new(cli.globals.look());
    match commands::run(cli, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}
