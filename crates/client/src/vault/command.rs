//! What an external command says: the first line that it prints, and never a wait without end.
//!
//! 1. Run it without a shell. It may talk to the person over stderr and the terminal.
//! 2. Take the line as soon as it is whole. Without a line end, it is whole when the output is closed, or
//!    a moment after the command ended: a helper that it left behind may hold the output open.
//! 3. Give the command a moment to end, since a line of a command that fails is no key. One that lives
//!    on, as an agent does, is stopped: nobody waits for it any more.

use super::custody::KeyAway;
use crate::config::CommandLine;
use gatepass_keys::Secret;
use std::{
    io::{self, Read},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How long a command may take to say its line; it may have to ask for a touch or a PIN.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the line is waited for after the end, or the end after the line.
const MOMENT: Duration = Duration::from_secs(2);
/// How long between two looks at the command.
const PAUSE: Duration = Duration::from_millis(5);
/// The most that a command may say, in bytes.
const MAX_OUTPUT: usize = 4096;

/// A piece of its output.
type Piece = Zeroizing<Vec<u8>>;

/// Runs a command and takes the first line that it prints.
pub(crate) fn run(command: &CommandLine) -> Result<Secret, KeyAway> {
    run_within(command, PATIENCE)
}

fn run_within(command: &CommandLine, patience: Duration) -> Result<Secret, KeyAway> {
    let (program, arguments) = command.parts();
    let failed = |what: String| KeyAway(format!("the command {program} {what}"));
    // Step 1.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let (sender, pieces) = mpsc::sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || read(stdout, sender));
    }
    let line = first_line(&mut child, &pieces, patience);
    drop(pieces);
    let status = line.as_ref().ok().and_then(|_| end(&mut child));
    if status.is_none() {
        let _ = child.kill();
        thread::spawn(move || child.wait());
    }
    let line = line.map_err(|_| failed(format!("printed no line within {} s", patience.as_secs())))?;
    if let Some(status) = status.filter(|status| !status.success()) {
        return Err(failed(format!("ended with {status}")));
    }
    match std::str::from_utf8(&line).map(str::trim) {
        Ok("") => Err(failed("printed nothing".into())),
        Ok(line) => Ok(Secret::from(line)),
        Err(_) => Err(failed("printed what is not UTF-8".into())),
    }
}

/// Passes the output on until its first line is whole, and lets the rest go by, so that whoever writes it
/// is not cut off.
fn read(mut stdout: ChildStdout, sender: SyncSender<Piece>) {
    let mut left = MAX_OUTPUT;
    while left > 0 {
        let mut piece = Piece::new(vec![0; left]);
        let Ok(length @ 1..) = stdout.read(&mut piece) else { return };
        piece.truncate(length);
        left = if piece.contains(&b'\n') { 0 } else { left - length };
        if sender.send(piece).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = io::copy(&mut stdout, &mut io::sink());
}

/// The command took too long.
struct TooLong;

/// Step 2.
fn first_line(child: &mut Child, pieces: &Receiver<Piece>, patience: Duration) -> Result<Piece, TooLong> {
    let started = Instant::now();
    let mut ended = None;
    // All the room at once: what grows leaves copies behind.
    let mut said = Piece::new(Vec::with_capacity(MAX_OUTPUT));
    loop {
        match pieces.recv_timeout(PAUSE) {
            Ok(piece) => said.extend_from_slice(&piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ended.is_none() && !matches!(child.try_wait(), Ok(None)) {
            ended = Some(Instant::now());
        }
        if said.contains(&b'\n') || ended.is_some_and(|at| at.elapsed() >= MOMENT) {
            break;
        }
        if started.elapsed() >= patience {
            return Err(TooLong);
        }
    }
    let length = said.iter().position(|byte| *byte == b'\n').unwrap_or(said.len());
    said.truncate(length);
    Ok(said)
}

/// Step 3: how the command ended; `None` when it lives on.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if started.elapsed() < MOMENT => thread::sleep(PAUSE),
            outcome => return outcome.ok().flatten(),
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn say(line: &str) -> Result<String, String> {
        let said = run(&CommandLine::parse(line).unwrap());
        said.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_says_the_key_on_its_first_line() {
        assert_eq!(say("printf 'secret\\nmore'").unwrap(), "secret");
        assert_eq!(say("sh -c 'echo secret; exec seq 100000'").unwrap(), "secret", "much more does no harm");
        assert!(say("false").unwrap_err().contains("false"));
        assert!(say("printf ''").unwrap_err().contains("printed nothing"));
        assert!(say("printf '\\377'").unwrap_err().contains("UTF-8"));
        assert!(say("/no/such/program").is_err());
    }

    #[test]
    fn the_line_of_a_command_that_fails_is_no_key() {
        assert!(say("sh -c 'echo no such entry; exit 3'").unwrap_err().contains('3'));
    }

    #[test]
    fn a_command_or_a_helper_that_lives_on_is_not_waited_for() {
        for line in [
            "sh -c 'echo secret; exec sleep 30'",
            "sh -c 'echo secret; exec sleep 30 >&-'",
            "sh -c 'printf secret; exec sleep 30 >&-'",
            "sh -c 'echo secret; sleep 30 &'",
            "sh -c 'printf secret; sleep 30 &'",
        ] {
            let started = Instant::now();
            assert_eq!(say(line).unwrap(), "secret", "{line}");
            assert!(started.elapsed() < Duration::from_secs(20), "{line}");
        }
    }

    #[test]
    fn a_command_that_says_nothing_is_stopped() {
        for line in ["sleep 30", "sh -c 'printf half; exec sleep 30'", "sh -c 'exec sleep 30 >&-'"] {
            let started = Instant::now();
            assert!(run_within(&CommandLine::parse(line).unwrap(), Duration::from_millis(300)).is_err(), "{line}");
            assert!(started.elapsed() < Duration::from_secs(20), "{line}");
        }
    }
}
