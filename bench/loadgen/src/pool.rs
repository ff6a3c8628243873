//! Credentials that the operations use in turn.

use std::cell::Cell;

use crate::Result;

#[derive(Default)]
pub struct Pool {
    credentials: Vec<String>,
    turn: Cell<usize>,
}

impl Pool {
    pub fn new(credentials: Vec<String>) -> Self {
        Self { credentials, turn: Cell::new(0) }
    }

    /// One credential a line; of `parts` parts of the file the one after `before` of them.
    pub fn read(path: &str, before: usize, parts: usize) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let size = text.lines().count() / parts.max(1);
        Ok(Self::new(text.lines().skip(before * size).take(size).map(str::to_owned).collect()))
    }

    /// The next one; after the last comes the first again.
    pub fn next(&self) -> Result<&str> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        let credential = self.credentials.get(turn % self.credentials.len().max(1));
        credential.map(String::as_str).ok_or_else(|| "there are no credentials".to_owned())
    }

    /// The next one, each only once.
    pub fn next_unused(&self) -> Option<String> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        self.credentials.get(turn).cloned()
    }
}
