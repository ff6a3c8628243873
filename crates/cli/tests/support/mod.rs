//! The real binary, alone with a home of its own, and the fake server of the client's tests.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

#[path = "../../../client/tests/support/mod.rs"]
pub mod fake;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The binary with nothing of the machine's own settings.
pub fn gatepass(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepass"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GATEPASS_HOME", home)
        .env("GATEPASS_KEYRING", "off")
        .stdin(Stdio::null());
    command
}

/// What a run said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(command: &mut Command) -> Said {
    said(command.output().unwrap())
}

pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
