//! What a person pastes.
//!
//! While the countdown is redrawn, the terminal does not echo: what is pasted would be drawn over, and it holds the code
//! of an authorization, which is nobody's business. However the sign-in ends, also by Ctrl-C, the echo comes back.

use std::io::BufRead;
use tokio::sync::mpsc;

/// Reads lines from stdin in a thread, which nothing waits for when the sign-in is over.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Whether this process may read from the terminal: one in the background would be stopped for it.
#[cfg(unix)]
pub(super) fn in_foreground() -> bool {
    rustix::termios::tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Whether this process may read from the terminal.
#[cfg(not(unix))]
pub(super) fn in_foreground() -> bool {
    true
}

/// A terminal that does not echo. Dropped, it does what it did before.
#[cfg(unix)]
pub(super) struct Hidden(rustix::termios::Termios);

#[cfg(unix)]
impl Hidden {
    /// Turns the echo off; `None` where stdin is no terminal of ours.
    pub(super) fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        if !in_foreground() {
            return None;
        }
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        tcsetattr(std::io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// Elsewhere the echo is left alone, and nothing is redrawn while something may be pasted.
#[cfg(not(unix))]
pub(super) struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    /// Nothing is hidden.
    pub(super) fn begin() -> Option<Self> {
        None
    }
}
