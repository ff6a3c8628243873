//! How the command line talks: data on stdout, talk on stderr.
//!
//! Data is what was asked for and is never dressed up. Talk is for a person: coloured only on a
//! terminal, wrapped to its width, silent with `--quiet` or `--json`. With `--plain`, which screen readers want, it is
//! not coloured, and nothing is drawn over. An error is always told, with `--json` as an object on stdout.

use crate::{env, error::Error, terminal};
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What the flags say about the look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) no_color: bool,
    pub(crate) plain: bool,
}

/// The two streams.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
    color: bool,
    terminal: bool,
    input_terminal: bool,
    unicode: bool,
    links: bool,
    /// Also set by the settings, which are read later.
    plain: Arc<AtomicBool>,
}

/// The colours that are used, as the numbers of ECMA-48's SGR.
#[derive(Clone, Copy)]
enum Style {
    Bold = 1,
    Red = 31,
    Cyan = 36,
}

impl Ui {
    pub(crate) fn new(look: Look) -> Self {
        let terminal = io::stderr().is_terminal();
        let dumb = env::read("TERM").as_deref() == Some("dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env::read).unwrap_or_default();
        Self {
            json: look.json,
            quiet: look.quiet,
            color: terminal && !dumb && !look.no_color && env::read(env::NO_COLOR).is_none(),
            links: terminal && !dumb && terminal::understands_links(env::read),
            plain: Arc::new(AtomicBool::new(look.plain)),
            terminal: terminal && !dumb,
            input_terminal: io::stdin().is_terminal(),
            unicode: cfg!(any(windows, target_os = "macos")) || locale.to_ascii_lowercase().contains("utf"),
        }
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Talks as a screen reader wants it from now on.
    pub(crate) fn be_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }

    /// Whether talk is sentences and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    /// Whether talk is shown at all.
    pub(crate) fn talks(&self) -> bool {
        !self.quiet && !self.json
    }

    /// Whether a line on stderr can be drawn over.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && self.talks() && !self.is_plain()
    }

    /// Whether a person can type an answer.
    pub(crate) fn can_ask(&self) -> bool {
        self.input_terminal && self.terminal
    }

    /// Whether stdin is a terminal.
    pub(crate) fn input_is_terminal(&self) -> bool {
        self.input_terminal
    }

    /// Whether talk is coloured.
    pub(crate) fn has_color(&self) -> bool {
        self.color
    }

    /// Whether block characters can be shown.
    pub(crate) fn is_unicode(&self) -> bool {
        self.unicode
    }

    /// Whether colour is shown.
    pub(crate) fn is_coloured(&self) -> bool {
        self.color && !self.is_plain()
    }

    /// The columns of the terminal; 80 when there is none, or none that says.
    pub(crate) fn width(&self) -> usize {
        terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| match width.0 {
            0 => 80,
            columns => usize::from(columns).max(8),
        })
    }

    /// The rows of the terminal; 24 when there is none, or none that says.
    pub(crate) fn height(&self) -> usize {
        terminal_size::terminal_size_of(io::stderr()).map_or(24, |(_, height)| match height.0 {
            0 => 24,
            rows => usize::from(rows),
        })
    }

    /// How many rows of the terminal a line of talk takes.
    pub(crate) fn rows(&self, text: &str) -> usize {
        let width = self.width();
        self.wrapped(text).split('\n').map(|line| line.chars().count().div_ceil(width).max(1)).sum()
    }

    /// A line of data on stdout.
    pub(crate) fn data(&self, line: &str) {
        // A reader who has gone away has what it wanted.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// A JSON object on stdout, on one line.
    pub(crate) fn object(&self, object: &Value) {
        self.data(&object.to_string());
    }

    /// Names and values on stdout, aligned.
    pub(crate) fn table(&self, rows: &[(&str, String)]) {
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in rows {
            self.data(format!("{name:width$}  {value}").trim_end());
        }
    }

    /// A line of talk.
    pub(crate) fn talk(&self, text: &str) {
        if self.talks() {
            self.write(&self.wrapped(text));
        }
    }

    /// A line of talk that must stay whole: an address, a command, a picture.
    pub(crate) fn talk_whole(&self, text: &str) {
        if self.talks() {
            self.write(text);
        }
    }

    /// An address or a code alone on its line.
    pub(crate) fn talk_strong(&self, text: &str) {
        if self.talks() {
            self.write(&self.styled(text, Style::Bold));
        }
    }

    /// An address alone on its line, whole however long it is; a link where the terminal knows links.
    pub(crate) fn talk_address(&self, address: &str) {
        let link = if self.links && !self.is_plain() { terminal::link(address) } else { None };
        match link {
            Some(link) if self.talks() => self.write(&self.styled(&link, Style::Bold)),
            _ => self.talk_strong(address),
        }
    }

    /// Something a person should know although all went on; shown even with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        self.write(&self.wrapped(&format!("warning: {text}")));
    }

    /// Draws over the current line of a terminal.
    pub(crate) fn redraw(&self, text: &str) {
        if self.is_live() {
            let room = self.width().saturating_sub(1);
            let text: String = text.chars().take(room).collect();
            // In one piece, so that nobody sees the line half drawn.
            let drawn = format!("\r\x1b[2K{text}");
            let _ = io::stderr().lock().write_all(drawn.as_bytes());
        }
    }

    /// Sounds the terminal's bell. It is heard by who does not look, so it rings with `--plain` too.
    pub(crate) fn bell(&self) {
        if self.talks() {
            self.speak_to_terminal("\x07");
        }
    }

    /// Asks the terminal to copy a text; whether there is a terminal to ask. Nobody can tell whether it did.
    pub(crate) fn copy_by_terminal(&self, text: &str) -> bool {
        self.speak_to_terminal(&terminal::copy(text))
    }

    fn speak_to_terminal(&self, sequence: &str) -> bool {
        if self.terminal {
            let _ = io::stderr().lock().write_all(sequence.as_bytes());
        }
        self.terminal
    }

    /// Tells an error and what to do about it.
    pub(crate) fn error(&self, error: &Error) {
        if self.json {
            let hint = error.hint.as_ref();
            return self.object(&json!({
                "event": "error",
                "kind": error.kind.name(),
                "exit_code": error.kind.exit_code(),
                "message": error.message,
                "hint": hint.map(|hint| &hint.text),
                "command": hint.and_then(|hint| hint.command.as_ref()),
            }));
        }
        self.write(&self.marked("error:", Style::Red, &error.message));
        if let Some(hint) = &error.hint {
            self.write(&self.marked("hint:", Style::Cyan, &hint.text));
            if let Some(command) = &hint.command {
                self.write(&format!("  {command}"));
            }
        }
    }

    fn marked(&self, mark: &str, style: Style, text: &str) -> String {
        let wrapped = self.wrapped(&format!("{mark} {text}"));
        match wrapped.strip_prefix(mark) {
            Some(rest) => format!("{}{rest}", self.styled(mark, style)),
            None => wrapped,
        }
    }

    fn styled(&self, text: &str, style: Style) -> String {
        #[expect(clippy::as_conversions, reason = "the number of a unit variant")]
        let code = style as u8;
        if self.is_coloured() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn wrapped(&self, text: &str) -> String {
        if self.terminal { wrap(text, self.width()) } else { text.to_owned() }
    }

    fn write(&self, text: &str) {
        let mut line = if self.unicode { text.to_owned() } else { terminal::to_ascii(text) };
        line.push('\n');
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// Breaks lines at spaces. A word that is longer than a line stays whole, so that it can be copied.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len() + 8);
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            wrapped.push('\n');
        }
        let mut column = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                wrapped.push('\n');
                column = 0;
            } else if column > 0 {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += length;
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_addresses_stay_whole() {
        assert_eq!(wrap("one two three", 9), "one two\nthree");
        assert_eq!(wrap("see https://a.example/a/long/path now", 12), "see\nhttps://a.example/a/long/path\nnow");
        assert_eq!(wrap("a\nb", 60), "a\nb");
    }
}
