//! Credentials that the operations use in turn.

use std::cell::{Cell, RefCell};

use crate::Result;

#[derive(Default)]
pub struct Pool {
    credentials: RefCell<Vec<String>>,
    turn: Cell<usize>,
}

/// A credential's place in the pool.
pub struct Slot(usize);

impl Pool {
    pub fn new(credentials: Vec<String>) -> Self {
        Self { credentials: RefCell::new(credentials), turn: Cell::new(0) }
    }

    /// One credential a line.
    pub fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self::new(text.lines().map(str::to_owned).collect()))
    }

    pub fn is_empty(&self) -> bool {
        self.credentials.borrow().is_empty()
    }

    /// The next one; after the last comes the first again.
    pub fn next(&self) -> Result<(Slot, String)> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        let credentials = self.credentials.borrow();
        let slot = turn % credentials.len().max(1);
        credentials.get(slot).map(|credential| (Slot(slot), credential.clone())).ok_or("there are no credentials".into())
    }

    /// The next one, each only once.
    pub fn next_unused(&self) -> Option<String> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        self.credentials.borrow().get(turn).cloned()
    }

    /// Puts another credential in the place of one.
    pub fn replace(&self, slot: Slot, credential: String) {
        self.credentials.borrow_mut()[slot.0] = credential;
    }
}
