//! Reading what was typed, and telling what was meant where it makes no sense.
//!
//! Who comes from another tool types that tool's words: `signin`, `auth login`, `help token`. They are no commands here, so
//! that each thing has one name; but who types one is told the right command. What is nearly right is clap's to guess.

use crate::{
    cli::{self, Cli, Globals},
    commands::credential::docker,
    error::{Error, Kind},
    ui::Ui,
};
use clap::{
    ColorChoice, Command, CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::{ffi::OsString, process::ExitCode};

/// What other tools say, and what it is called here. A line with two words is looked for first.
const MEANT: &[(&[&str], &str)] = &[
    (&["auth login", "auth signin", "auth refresh", "account add", "sso login"], "gatepass login"),
    (&["auth logout", "auth signout", "auth revoke", "account logout"], "gatepass logout"),
    (&["auth status", "auth whoami", "auth check", "config list", "account status"], "gatepass status"),
    (&["auth token", "auth print-access-token", "account get-access-token"], "gatepass token"),
    (&["auth list", "auth accounts", "account list", "account show"], "gatepass accounts"),
    (&["auth switch", "account set", "account switch"], "gatepass accounts use ACCOUNT"),
    (&["signin", "sign-in", "log-in", "signup", "auth", "authenticate", "authorize", "sso"], "gatepass login"),
    (&["signout", "sign-out", "log-out", "logoff", "revoke"], "gatepass logout"),
    (&["who", "me", "id", "user", "userinfo"], "gatepass whoami"),
    (&["get-token", "print-access-token", "print-token", "access-token", "tokens", "refresh"], "gatepass token"),
    (&["info", "show", "config", "list", "ls", "session"], "gatepass status"),
    (&["account", "profile", "profiles", "switch"], "gatepass accounts"),
    (&["run", "with", "env", "aws-vault"], "gatepass exec -- COMMAND"),
    (&["server", "start", "daemon", "up"], "gatepass serve"),
    (&["demo", "tour", "try", "init", "setup"], "gatepass quickstart"),
    (&["completion"], "gatepass completions SHELL"),
    (&["manual", "manpage"], "gatepass man FOLDER"),
    (&["version"], "gatepass --version"),
];

/// Reads the command line; what is to be told instead of running something is told, and the exit code is the error.
pub(crate) fn read() -> Result<Cli, ExitCode> {
    let typed: Vec<OsString> = docker::arguments(std::env::args_os());
    let ui = Ui::new(look(&typed));
    let parse = |command: Command| {
        let mut command = command.color(if ui.is_coloured() { ColorChoice::Auto } else { ColorChoice::Never });
        let read = command.try_get_matches_from_mut(&typed);
        read.and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command)))
    };
    // Only help shows examples, and to put them in their places takes as long as to read what was typed.
    let read = parse(Cli::command()).or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => parse(cli::command()),
        _ => Err(error),
    });
    read.map_err(|error| {
        if !error.use_stderr() {
            // A reader who has gone away has what it wanted.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        match meant(&error, &typed) {
            Some(told) => ui.error(&told),
            None if ui.is_json() => ui.error(&as_error(&error)),
            None => drop(error.print()),
        }
        ExitCode::from(Kind::Usage.exit_code())
    })
}

/// How to talk before it is known what was typed.
fn look(typed: &[OsString]) -> crate::ui::Look {
    let has = |option: &str| typed.iter().take_while(|word| *word != "--").any(|word| word == option);
    let no_color = has("--no-color");
    Globals { json: has("--json"), plain: has("--plain"), no_color, ..Globals::default() }.look()
}

/// The error for a command that has another name here, or nearly this one.
fn meant(error: &clap::Error, typed: &[OsString]) -> Option<Error> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let told = Error::new(Kind::Usage, format!("there is no command '{}'", gatepass_client::text::tidy(word, 60)));
    let words: Vec<&str> = typed.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let at = words.iter().position(|candidate| candidate == word)?;
    let (before, after) = (words.get(..at)?, words.get(at + 1..)?);
    // Below a command only its own words are looked at.
    let commands = Cli::command();
    if before.iter().any(|word| commands.find_subcommand(word).is_some()) {
        return None;
    }
    let next = after.first().filter(|next| !next.starts_with('-'));
    let command = match (word.as_str(), next) {
        ("help", Some(of)) if commands.find_subcommand(of).is_some() => format!("gatepass {of} --help"),
        ("help", _) => "gatepass --help".to_owned(),
        (word, next) => {
            let both = next.and_then(|next| named(&format!("{word} {next}")));
            both.or_else(|| named(word)).or_else(|| suggested(error))?
        }
    };
    Some(told.hint_command("run", command))
}

/// What another tool's word is called here.
fn named(words: &str) -> Option<String> {
    let words = words.to_ascii_lowercase();
    let (_, command) = MEANT.iter().find(|(others, _)| others.contains(&words.as_str()))?;
    Some((*command).to_owned())
}

/// The command that is most nearly what was typed.
fn suggested(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::String(name) => Some(format!("gatepass {name}")),
        // The likeliest stands last.
        ContextValue::Strings(names) => names.last().map(|name| format!("gatepass {name}")),
        _ => None,
    }
}

/// What clap says, as the one error that programs know: its first sentence, and the tip if it has one.
fn as_error(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let sentence: Vec<&str> = paragraph.trim_start_matches("error:").split_whitespace().collect();
    let told = Error::new(Kind::Usage, sentence.join(" "));
    match text.lines().find_map(|line| line.trim().strip_prefix("tip: ")) {
        Some(tip) => told.hint(tip),
        None => told.hint_command("see what can be typed with", "gatepass --help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_exists_and_what_others_say_does_not() {
        let commands = Cli::command();
        for (others, command) in MEANT {
            let name = command.split(' ').nth(1).unwrap();
            assert!(name.starts_with("--") || commands.find_subcommand(name).is_some(), "{command}");
            for other in *others {
                let first = other.split(' ').next().unwrap();
                let is_ours = commands.find_subcommand(first).is_some();
                assert!(!is_ours || other.contains(' '), "{other} is a command now: take it off the list");
            }
        }
    }
}
