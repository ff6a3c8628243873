//! A closed-loop load generator for one OAuth authorization server, found through its metadata.
//!
//! Each of C workers has one keep-alive connection and sends its next request when the last one is answered. An answer
//! counts only if it is right (see `workload`). The program has one thread on purpose: it can be pinned to a CPU of its
//! own, and its own use of that CPU is part of every result, so that nobody mistakes its limit for the server's.
//!
//! It refuses every target that is not the loopback address.

mod answer;
mod args;
mod calib;
mod check;
mod cold;
mod flows;
mod http;
mod instructions;
mod pool;
mod procs;
mod profile;
mod run;
mod tally;
mod url;
mod workload;

use clap::Parser;

use args::Command;

/// Everything that fails, fails with a sentence for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

fn main() -> std::process::ExitCode {
    let command = args::Arguments::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async {
        match command {
            Command::Run(arguments) => run::run(arguments).await,
            Command::Cold(arguments) => cold::run(arguments).await,
            Command::Check { profile } => check::run(&profile).await,
            Command::Calib => {
                println!("{}", calib::best_of_five());
                Ok(())
            }
        }
    });
    match ended {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oauth-loadgen: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
