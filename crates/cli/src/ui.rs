//! How the command line talks: data on stdout, talk on stderr.
//!
//! Data is what was asked for and is never dressed up. Talk is for a person: coloured only on a
//! terminal, wrapped to its width, silent with `--quiet` or `--json`. An error is always told, with
//! `--json` as an object on stdout.

use crate::{env, error::Error};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};

/// What the flags say about the look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) no_color: bool,
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
            terminal: terminal && !dumb,
            input_terminal: io::stdin().is_terminal(),
            unicode: cfg!(any(windows, target_os = "macos")) || locale.to_ascii_lowercase().contains("utf"),
        }
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether talk is shown at all.
    pub(crate) fn talks(&self) -> bool {
        !self.quiet && !self.json
    }

    /// Whether a line on stderr can be drawn over.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && self.talks()
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

    /// The columns of the terminal; 80 when there is none.
    pub(crate) fn width(&self) -> usize {
        terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0).max(20))
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

    /// Something a person should know although all went on; shown even with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        self.write(&self.wrapped(&format!("warning: {text}")));
    }

    /// Draws over the current line of a terminal.
    pub(crate) fn redraw(&self, text: &str) {
        if self.is_live() {
            let room = self.width().saturating_sub(1);
            let text: String = text.chars().take(room).collect();
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
        }
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
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn wrapped(&self, text: &str) -> String {
        if self.terminal { wrap(text, self.width()) } else { text.to_owned() }
    }

    fn write(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
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
