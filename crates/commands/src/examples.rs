//! What people type most: a few examples for every command, at the end of its `--help`.
//!
//! They stand in one table, so that they are read together. A test has every example parsed by the commands themselves, and
//! asks for examples where a command has none: a new command gets its line here, or an `after_help` of its own.

use clap::Command;

/// The path of a command below `gatepass`, and its examples, one a line.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "gatepass login --server https://auth.example.com",
            "gatepass whoami",
            "curl -H @<(gatepass token --header) URL",
            "gatepass exec -- ./deploy.sh",
        ],
    ),
    (
        "login",
        &[
            "gatepass login --server https://auth.example.com",
            "gatepass login --device --copy",
            "gatepass login --plain",
            "gatepass login --json",
            "gatepass login --assertion github-actions",
        ],
    ),
    ("logout", &["gatepass logout", "gatepass logout --account ada@example.com", "gatepass logout --all"]),
    ("whoami", &["gatepass whoami", "gatepass whoami --json"]),
    ("token", &["gatepass token --min-ttl 5m", "curl -H @<(gatepass token --header) URL"]),
    ("exec", &["gatepass exec -- ./deploy.sh", "gatepass exec --env GITHUB_TOKEN -- gh repo list"]),
    ("credential git get", &["printf 'protocol=https\nhost=git.example.com\n' |", "  gatepass credential git get"]),
    ("credential git store", &["gatepass credential git store"]),
    ("credential git erase", &["gatepass credential git erase"]),
    ("credential git install", &["gatepass credential git install git.example.com"]),
    ("credential git uninstall", &["gatepass credential git uninstall git.example.com"]),
    ("credential docker get", &["echo registry.example.com | gatepass credential docker get"]),
    ("credential docker store", &["gatepass credential docker store"]),
    ("credential docker erase", &["gatepass credential docker erase"]),
    ("credential docker list", &["gatepass credential docker list"]),
    ("credential docker install", &["gatepass credential docker install registry.example.com"]),
    ("credential docker uninstall", &["gatepass credential docker uninstall registry.example.com"]),
    (
        "credential kubectl install",
        &["gatepass credential kubectl install --id-token \\", "  --cluster https://k8s.example.com:6443"],
    ),
    ("credential kubectl uninstall", &["gatepass credential kubectl uninstall --dry-run"]),
    (
        "credential aws install",
        &["gatepass credential aws install --dry-run \\", "  --role-arn arn:aws:iam::123456789012:role/deploy"],
    ),
    ("credential aws uninstall", &["gatepass credential aws uninstall"]),
    ("credential list", &["gatepass credential list", "gatepass credential list --json"]),
    (
        "agent",
        &[
            "gatepass agent --scope read --ttl 5m --socket ~/gp/a.sock",
            "GATEPASS_AGENT_SOCK=~/gp/a.sock gatepass token",
        ],
    ),
    ("agent status", &["gatepass agent status"]),
    ("agent stop", &["gatepass agent stop"]),
    ("doctor", &["gatepass doctor", "gatepass doctor https://auth.example.com --json"]),
    ("status", &["gatepass status", "gatepass status --online"]),
    (
        "accounts",
        &[
            "gatepass accounts",
            "gatepass accounts use ada@example.com",
            "gatepass accounts bind ada@example.com --folder .",
        ],
    ),
    ("accounts list", &["gatepass accounts list --json"]),
    ("accounts use", &["gatepass accounts use ada@example.com"]),
    ("accounts bind", &["gatepass accounts bind ada@example.com", "gatepass accounts bind --folder ~/work --remove"]),
    ("accounts remove", &["gatepass accounts remove ada@example.com"]),
    (
        "serve",
        &["gatepass serve", "gatepass serve --config /etc/gatepass.toml", "gatepass serve --listen 127.0.0.1:9000"],
    ),
    ("quickstart", &["gatepass quickstart", "gatepass quickstart --unattended"]),
    ("admin", &["gatepass admin user list", "gatepass admin --data-dir ./data audit"]),
    ("admin user", &["gatepass admin user add ada@example.com", "gatepass admin user list"]),
    ("admin user add", &["gatepass admin user add ada@example.com --name Ada"]),
    ("admin user verify", &["gatepass admin user verify ada@example.com"]),
    ("admin user set-password", &["gatepass admin user set-password ada@example.com"]),
    ("admin user list", &["gatepass admin user list --json"]),
    ("admin audit", &["gatepass admin audit --since 2h", "gatepass admin audit --follow"]),
    ("admin client", &["gatepass admin client list"]),
    (
        "admin client add",
        &["gatepass admin client add --name Notes --public", "gatepass admin client add --name Nightly --confidential"],
    ),
    ("admin client list", &["gatepass admin client list --json"]),
    ("admin client show", &["gatepass admin client show gatepass-cli"]),
    ("admin client remove", &["gatepass admin client remove notes-1"]),
    ("admin keys", &["gatepass admin keys list"]),
    ("admin keys list", &["gatepass admin keys list --json"]),
    ("admin keys rotate", &["gatepass admin keys rotate", "gatepass admin keys rotate --alg ES256 --now"]),
    ("admin revoke", &["gatepass admin revoke --user ada@example.com"]),
    ("admin resource", &["gatepass admin resource list"]),
    ("admin resource add", &["gatepass admin resource add --uri https://api.example.com"]),
    ("admin resource list", &["gatepass admin resource list --json"]),
    ("admin resource remove", &["gatepass admin resource remove https://api.example.com"]),
    ("admin service", &["gatepass admin service add deploy", "gatepass admin service list"]),
    ("admin service add", &["gatepass admin service add deploy --description CI"]),
    ("admin service list", &["gatepass admin service list --json"]),
    ("admin service disable", &["gatepass admin service disable deploy"]),
    ("admin trust", &["gatepass admin trust list"]),
    (
        "admin trust add",
        &[
            "gatepass admin trust add --issuer https://ci.example.com \\",
            "  --subject 'repo:acme/*' --service-account deploy",
        ],
    ),
    ("admin trust list", &["gatepass admin trust list --json"]),
    ("admin trust remove", &["gatepass admin trust remove trust-1"]),
    ("completions", &["gatepass completions zsh"]),
    ("man", &["gatepass man ~/.local/share/man/man1"]),
];

/// The command with the examples of all that is below it.
pub(crate) fn add(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, lines)| {
        let names: Vec<&str> = path.split_whitespace().collect();
        put(command, &names, lines)
    })
}

fn put(command: Command, path: &[&str], lines: &[&str]) -> Command {
    match path.split_first() {
        Some((name, rest)) if command.find_subcommand(name).is_some() => {
            command.mut_subcommand(*name, |below| put(below, rest, lines))
        }
        Some(_) => command,
        None => {
            let examples = format!("Examples:\n  {}", lines.join("\n  "));
            let after = command.get_after_help().map(|after| format!("{examples}\n\n{after}"));
            command.after_help(after.unwrap_or(examples))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use gatepass_client::config::CommandLine;

    fn walk(command: &Command, path: &str, visit: &mut impl FnMut(&Command, &str)) {
        visit(command, path);
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            walk(below, format!("{path} {}", below.get_name()).trim(), visit);
        }
    }

    #[test]
    fn every_command_has_examples() {
        walk(&cli::command(), "", &mut |command, path| {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:\n  "), "'gatepass {path}' has no examples: add them to src/examples.rs");
        });
    }

    #[test]
    fn every_line_of_the_table_belongs_to_a_command() {
        let mut paths = Vec::new();
        walk(&cli::command(), "", &mut |_, path| paths.push(path.to_owned()));
        for (path, lines) in EXAMPLES {
            assert!(paths.iter().any(|known| known == path), "there is no command 'gatepass {path}'");
            for line in *lines {
                assert!(line.len() <= 58, "wider than 60 columns: {line}");
            }
        }
    }

    #[test]
    fn every_example_is_understood() {
        for (path, lines) in EXAMPLES {
            for example in lines.join("\n").replace("\\\n", " ").lines().filter(|line| line.starts_with("gatepass")) {
                let line = CommandLine::parse(example).unwrap();
                let (program, arguments) = line.parts();
                let typed = std::iter::once(program).chain(arguments.iter().map(String::as_str));
                if let Err(error) = cli::command().try_get_matches_from(typed) {
                    panic!("{example} (of 'gatepass {path}'): {error}");
                }
            }
        }
    }
}
