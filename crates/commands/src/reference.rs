//! `docs/cli.md`, made from the commands themselves. Only compiled for the test that keeps the page as the commands are.

use crate::{cli, env, error};
use clap::{Arg, Command};
use std::{fmt::Write, fs, path::Path};

/// How the page is made anew.
const COMMAND: &str = "GATEPASS_GENERATE=1 cargo test -p gatepass-commands reference";

#[test]
fn the_page_of_commands_is_as_the_commands_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = page();
    if std::env::var_os("GATEPASS_GENERATE").is_some_and(|value| value == "1") {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let first = page.lines().zip(kept.lines()).find(|(new, old)| new != old);
    assert!(page == kept, "docs/cli.md is stale (first at {first:?}); make it anew with\n  {COMMAND}");
}

fn page() -> String {
    let mut command = cli::command();
    command.build();
    let mut page = format!(
        "# The command line\n\n<!-- Made from the commands; change those, then run: {COMMAND} -->\n\n\
         `gatepass <command>`. Data is printed on stdout, talk on stderr. gatepass sends no telemetry. How a sign-in looks, \
         and what\n`--json` tells of it: [login.md](login.md).\n\n"
    );
    page.push_str("| command | what it does |\n|---|---|\n");
    for below in visible(&command) {
        let name = format!("gatepass {}", below.get_name());
        row(&mut page, &[&format!("[`{name}`](#{})", name.replace(' ', "-")), &about(below)]);
    }
    page.push_str("\n## Options of every command\n\n");
    options(&mut page, command.get_arguments().filter(|arg| is_listed(arg) && arg.is_global_set()));
    for below in visible(&command) {
        section(&mut page, below, &command, 2);
    }
    page.push_str("\n## Environment\n\n| variable | meaning |\n|---|---|\n");
    for (name, meaning) in env::ALL {
        row(&mut page, &[&format!("`{name}`"), &sentence(meaning)]);
    }
    for (name, meaning) in [
        (env::NO_COLOR, "Turns colour off when it is set to anything."),
        (env::FORCE_HYPERLINK, "`1` shows addresses as links, `0` does not, whatever the terminal is."),
        ("BROWSER", "The browser to open."),
    ] {
        row(&mut page, &[&format!("`{name}`"), meaning]);
    }
    page.push_str("\n## Exit codes\n\nThey do not change between releases.\n\n");
    page.push_str("| code | `kind` in JSON | meaning |\n|---|---|---|\n| 0 | | It was done. |\n");
    for (kind, meaning) in error::Kind::ALL {
        row(&mut page, &[&kind.exit_code().to_string(), &format!("`{}`", kind.name()), &sentence(meaning)]);
    }
    page
}

/// A command, and below it those that it groups.
fn section(page: &mut String, command: &Command, above: &Command, depth: usize) {
    // Once a command is built, this is its whole path.
    let name = command.get_bin_name().unwrap_or_default();
    let _ = write!(page, "\n{} {name}\n\n{}.\n\n", "#".repeat(depth), about(command));
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    if let Some((_, story)) = long.split_once("\n\n") {
        let _ = write!(page, "{}\n\n", prose(story));
    }
    let usage = command.clone().render_usage().to_string();
    let lines: Vec<&str> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    let _ = write!(page, "```text\n{}\n```\n", lines.join("\n"));
    let own = || command.get_arguments().filter(|arg| is_listed(arg) && !is_from(above, arg));
    if own().next().is_some() {
        page.push('\n');
        options(page, own());
    }
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some((_, examples)) = after.split_once("Examples:\n") {
        let lines: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        let lines: Vec<&str> = lines.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let _ = write!(page, "\n```sh\n{}\n```\n", lines.join("\n"));
    }
    for below in visible(command) {
        section(page, below, command, (depth + 1).min(4));
    }
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

fn is_listed(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

/// What a command takes over is told of the command that it has it from.
fn is_from(above: &Command, arg: &Arg) -> bool {
    above.get_arguments().any(|known| known.is_global_set() && known.get_id() == arg.get_id())
}

fn about(command: &Command) -> String {
    command.get_about().map(|about| sentence(&about.to_string())).unwrap_or_default()
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| option | meaning |\n|---|---|\n");
    for arg in args {
        row(page, &[&format!("`{}`", spelled(arg)), &meaning(arg)]);
    }
}

/// How an option or an argument is typed.
fn spelled(arg: &Arg) -> String {
    let takes = arg.get_num_args().is_some_and(|number| number.takes_values());
    let names = arg.get_value_names().unwrap_or_default();
    let values: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let mut spelled: Vec<String> = vec![[short, long].into_iter().flatten().collect::<Vec<_>>().join(", ")];
    if takes {
        spelled.extend(values);
    }
    spelled.join(" ").trim().to_owned()
}

fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = sentence(&help);
    let takes = arg.get_num_args().is_some_and(|number| number.takes_values());
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if takes && !values.is_empty() {
        let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(meaning, "; one of {}", names.join(", "));
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if takes && defaults.iter().any(|value| !value.is_empty()) {
        let _ = write!(meaning, "; default `{}`", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(meaning, "; or `{}`", variable.to_string_lossy());
    }
    if arg.is_required_set() && arg.get_long().is_some() {
        meaning.push_str("; required");
    }
    meaning
}

/// On one line.
fn sentence(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Paragraphs, each on lines that can be compared; what is indented stays as it is.
fn prose(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.trim_end();
        if line.starts_with("  ") || line.is_empty() {
            lines.push(line.to_owned());
            continue;
        }
        let mut current = String::new();
        for word in escaped(line).split(' ') {
            if !current.is_empty() && current.chars().count() + word.chars().count() >= 120 {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines.join("\n")
}

/// Text that is not to be taken for Markdown or HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "\\<").replace('*', "\\*")
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| {
            let cell = cell.replace('|', "\\|");
            // What stands in backticks is taken as it is.
            cell.split('`')
                .enumerate()
                .map(|(at, part)| if at % 2 == 0 { escaped(part) } else { part.to_owned() })
                .collect::<Vec<_>>()
                .join("`")
        })
        .collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
