//! Running git and kubectl to change their own configuration: no shell, no input, a bounded wait.

use crate::error::{Error, Kind};
use std::{
    io::{self, Read},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a tool may take; they only read and write files here.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);
/// The most that is read of what it says, in bytes.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;

/// How a tool ended.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// What it printed; a failure is told with the last line that it said.
    pub(super) fn done(self, program: &str) -> Result<String, Error> {
        if self.code == Some(0) {
            return Ok(self.out);
        }
        Err(Error::new(Kind::Failed, format!("{program} failed: {}", self.reason())))
    }

    /// The last line that it said.
    pub(super) fn reason(&self) -> String {
        let line = self.err.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        gatepass_client::text::tidy(line, 300)
    }
}

/// Runs a tool; `None` when it is not there.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<Option<Ran>, Error> {
    let failed = |why: &dyn std::fmt::Display| Error::new(Kind::Failed, format!("{program} cannot be run: {why}"));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let (out, err) = (heard(child.stdout.take()), heard(child.stderr.take()));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(&error))? {
            Some(status) => break status,
            None if started.elapsed() < PATIENCE => thread::sleep(PAUSE),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&"it does not come to an end"));
            }
        }
    };
    let text = |thread: thread::JoinHandle<String>| thread.join().unwrap_or_default();
    Ok(Some(Ran { code: status.code(), out: text(out), err: text(err) }))
}

fn heard(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
