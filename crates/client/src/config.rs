//! `config.toml`: what a person sets for good. Environment variables of the same meaning win.

use crate::{
    Home, Locking,
    network::ProxyUrl,
    settings_file::{self, SettingsError},
};
use serde::Deserialize;
use std::path::PathBuf;

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server that commands talk to, when nothing else names one.
    pub server: Option<String>,
    /// The URL of the metadata document of this program, for servers that take such a URL as a `client_id`.
    pub client_url: Option<String>,
    /// The command whose output is the vault's key or passphrase: a KMS, `pass`, `systemd-creds`.
    pub vault_key_command: Option<CommandLine>,
    /// How processes keep each other out of the vault.
    pub locking: Locking,
    /// Talk as a screen reader wants it.
    pub plain: bool,
    /// Authorities in PEM that are trusted besides the system's; a relative path begins in the home folder.
    pub ca_file: Option<PathBuf>,
    /// The proxy for requests to other machines.
    pub proxy: Option<ProxyUrl>,
    /// Hosts that are asked without it.
    pub no_proxy: Option<String>,
    /// Whether commands start an agent and get their tokens from it.
    pub agent: Option<AgentUse>,
}

/// Whether commands get their tokens from an agent of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentUse {
    /// They do, and start it when none runs.
    OnDemand,
    /// They read the vault themselves.
    Off,
}

/// A program and its arguments, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct CommandLine(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Words(Vec<String>),
    Line(String),
}

/// The text is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command is a program and its arguments; a quote is left open, or nothing is there")]
pub struct InvalidCommand;

impl Config {
    /// Reads the settings; none are fine.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(home: &Home) -> Result<Self, SettingsError> {
        let mut config: Self = settings_file::read(&home.config())?;
        config.ca_file = config.ca_file.map(|file| home.path().join(file));
        Ok(config)
    }
}

impl CommandLine {
    /// Splits a line into words: spaces part them, single and double quotes hold them together, and a
    /// backslash takes the next character as it is. Nothing is expanded.
    ///
    /// # Errors
    /// [`InvalidCommand`].
    pub fn parse(line: &str) -> Result<Self, InvalidCommand> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None | Some('"'), '\\') => word.get_or_insert_default().push(rest.next().ok_or(InvalidCommand)?),
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        if quote.is_some() { Err(InvalidCommand) } else { Written::Words(words).try_into() }
    }

    /// The program and its arguments.
    #[must_use]
    pub fn parts(&self) -> (&str, &[String]) {
        self.0.split_first().map_or(("", &[]), |(program, arguments)| (program, arguments))
    }
}

impl TryFrom<Written> for CommandLine {
    type Error = InvalidCommand;

    fn try_from(written: Written) -> Result<Self, InvalidCommand> {
        match written {
            Written::Line(line) => Self::parse(&line),
            Written::Words(words) if words.first().is_some_and(|program| !program.is_empty()) => Ok(Self(words)),
            Written::Words(_) => Err(InvalidCommand),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_command_is_split_as_people_write_it() {
        let parts = |line: &str| CommandLine::parse(line).map(|command| command.0);
        assert_eq!(parts("pass show gatepass"), Ok(vec!["pass".into(), "show".into(), "gatepass".into()]));
        assert_eq!(parts(r#"a 'b c' "d \"e" f\ g ''"#), Ok(["a", "b c", "d \"e", "f g", ""].map(String::from).into()));
        assert_eq!(parts("echo $HOME; rm"), Ok(vec!["echo".into(), "$HOME;".into(), "rm".into()]));
        for bad in ["", "  ", "a 'b", "a \\", "''"] {
            assert_eq!(parts(bad), Err(InvalidCommand), "{bad}");
        }
    }

    #[test]
    fn settings_are_read_or_the_mistake_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(Config::read(&home).unwrap(), Config::default());
        fs::write(home.config(), "server = 'https://a.example'\nvault_key_command = ['pass', 'show', 'x y']\n")
            .unwrap();
        let config = Config::read(&home).unwrap();
        assert_eq!(config.vault_key_command.unwrap().parts().1, ["show", "x y"]);
        fs::write(home.config(), "agent = 'on-demand'").unwrap();
        assert_eq!(Config::read(&home).unwrap().agent, Some(AgentUse::OnDemand));
        fs::write(home.config(), "sever = 'https://a.example'").unwrap();
        assert!(Config::read(&home).unwrap_err().to_string().contains("sever"));
        fs::write(home.config(), "proxy = 'http://u:hunter2@p.example:1'\nno_proxy = 'x'\nca_file = 'ca.pem'\n")
            .unwrap();
        let config = Config::read(&home).unwrap();
        assert_eq!(config.ca_file.as_deref(), Some(folder.path().join("ca.pem").as_path()));
        assert!(!format!("{config:?}").contains("hunter2"));
        for bad in [
            "proxy = 'ftp://u:hunter2@p.example'",
            "proxy = 'http://u:hunter2@p.example",
            "proxies = 'http://u:hunter2@p'",
        ] {
            fs::write(home.config(), bad).unwrap();
            assert!(!Config::read(&home).unwrap_err().to_string().contains("hunter2"), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_splitting_panic(line in "\\PC{0,80}") {
            let _ = CommandLine::parse(&line);
        }
    }
}
