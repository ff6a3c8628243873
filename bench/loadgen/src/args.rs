//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::workload::Workload;

/// A light closed-loop load generator for OAuth authorization servers.
#[derive(Parser)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Measure one workload at one concurrency.
    Run(RunArguments),
    /// Measure a cold start: spawn a command, time to the first 200 of a URL, memory when idle.
    Cold(ColdArguments),
    /// Do each flow of a profile once and print what came back.
    Check {
        #[arg(long)]
        profile: String,
    },
    /// The speed of this CPU now, in MiB/s of SHA-256: shared machines drift, compare only where it is alike.
    Calib,
}

#[derive(Args)]
pub struct RunArguments {
    pub workload: Workload,
    /// The server's JSON profile (see README.md).
    #[arg(long)]
    pub profile: Option<String>,
    /// The URL of the `get` workload.
    #[arg(long)]
    pub url: Option<String>,
    /// Connections, each with one request at a time.
    #[arg(short, long, default_value_t = 8)]
    pub concurrency: usize,
    /// Seconds that are measured.
    #[arg(short, long, default_value_t = 10.0)]
    pub duration: f64,
    /// Seconds before them.
    #[arg(long, default_value_t = 1.5)]
    pub warmup: f64,
    /// Access tokens to get first (bearer, introspect, rpc).
    #[arg(long, default_value_t = 200)]
    pub tokens: usize,
    /// Device codes to get first (device-poll).
    #[arg(long, default_value_t = 4000)]
    pub pool: usize,
    /// Device codes to get and approve first (device-redeem).
    #[arg(long, default_value_t = 80_000)]
    pub approved: usize,
    /// A file with the credentials to use, one a line and each once, instead of getting them first (bearer, introspect,
    /// rpc, refresh).
    #[arg(long)]
    pub credentials: Option<String>,
    /// Of how many parts of that file one is used.
    #[arg(long, default_value_t = 1)]
    pub parts: usize,
    /// Which one, counted from 0.
    #[arg(long, default_value_t = 0)]
    pub part: usize,
    /// NAME=PID for the memory and CPU of a process, NAME=PID+ for it and its descendants; repeatable.
    #[arg(long)]
    pub watch: Vec<String>,
    /// Append the result as a line of JSON to this file.
    #[arg(long)]
    pub out: Option<String>,
    /// Copied to the result.
    #[arg(long, default_value = "")]
    pub label: String,
}

#[derive(Args)]
pub struct ColdArguments {
    /// Answers 200 once the server is up.
    #[arg(long)]
    pub url: String,
    #[arg(long, default_value_t = 5)]
    pub runs: usize,
    /// Seconds to wait before the memory is read.
    #[arg(long, default_value_t = 5.0)]
    pub idle: f64,
    /// Append the result as a line of JSON to this file.
    #[arg(long)]
    pub out: Option<String>,
    /// Copied to the result.
    #[arg(long, default_value = "")]
    pub label: String,
    /// The server's command.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}
