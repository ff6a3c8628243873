//! What was changed in a tool's configuration: the lines before and after.

use crate::{
    context::Context,
    error::{Error, Kind},
};
use gatepass_client::helpers::edit;
use serde_json::{Value, json};
use std::path::Path;

/// Whether things are done or only shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Do,
    Show,
}

impl Mode {
    pub(super) fn of(dry_run: bool) -> Self {
        if dry_run { Self::Show } else { Self::Do }
    }
}

/// The changes of one command.
pub(super) struct Changes<'a> {
    context: &'a Context<'a>,
    mode: Mode,
    told: Vec<Value>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(context: &'a Context<'a>, mode: Mode) -> Self {
        Self { context, mode, told: Vec::new() }
    }

    pub(super) fn are_done(&self) -> bool {
        self.mode == Mode::Do
    }

    /// Tells a change: where, the lines that go, the lines that come.
    pub(super) fn tell(&mut self, place: &str, before: &[&str], after: &[&str]) {
        if before == after {
            return;
        }
        self.told.push(json!({"place": place, "before": before, "after": after}));
        if !self.context.ui.is_json() {
            self.context.ui.data(place);
            for (mark, lines) in [('-', before), ('+', after)] {
                for line in lines {
                    self.context.ui.data(format!("{mark} {line}").trim_end());
                }
            }
        }
    }

    /// Changes a file, and tells what changes.
    pub(super) fn file(&mut self, path: &Path, before: &str, after: &str) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        if self.mode == Mode::Do {
            edit::replace(path, after).map_err(|error| file_failed(path, &error))?;
        }
        let (gone, come) = edit::difference(before, after);
        self.tell(&path.display().to_string(), &gone, &come);
        Ok(())
    }

    /// Says the end of it.
    pub(super) fn end(self, sentence: &str) {
        let ui = self.context.ui;
        let is_dry = self.mode == Mode::Show;
        if ui.is_json() {
            ui.object(&json!({"event": "done", "dry_run": is_dry, "changes": self.told}));
        }
        match (is_dry, self.told.is_empty()) {
            (true, false) => ui.talk("Nothing was changed: this is what would be."),
            (_, true) => ui.talk(&format!("{sentence} Nothing had to be changed.")),
            (false, false) => ui.talk(sentence),
        }
    }
}

pub(super) fn file_failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("{}: {error}", path.display())).hint("the file is as it was")
}

/// The text of a tool's file, empty where there is none.
pub(super) fn text_of(path: &Path) -> Result<String, Error> {
    Ok(edit::read(path).map_err(|error| file_failed(path, &error))?.unwrap_or_default())
}
