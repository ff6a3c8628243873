//! Every environment variable that the command line reads, with what it means. The pages that list them
//! are made from here.

macro_rules! variables {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal, )*) => {
        $( $(#[doc = $doc])+ pub(crate) const $name: &str = $text; )*

        /// Every variable of our own with its meaning, in the order in which they are shown.
        pub(crate) const ALL: &[(&str, &str)] = &[ $( ($text, concat!($($doc, " "),+)), )* ];
    };
}

variables! {
    /// The server's URL, as `--server`.
    SERVER = "GATEPASS_SERVER",
    /// The account, as `--account`.
    ACCOUNT = "GATEPASS_ACCOUNT",
    /// The space, as `--space`.
    SPACE = "GATEPASS_SPACE",
    /// A bearer token to use as it is, never refreshed and never stored. It is sent to the server that
    /// `--server`, `GATEPASS_SERVER` or `config.toml` names, and not to one that a `.gatepass.toml` names.
    TOKEN = "GATEPASS_TOKEN",
    /// A key of the server's API, to use as it is instead of a sign-in where `GATEPASS_TOKEN` is not set. It is sent to that
    /// same server and to no other.
    API_KEY = "GATEPASS_API_KEY",
    /// The file with the token of a Kubernetes service account, for `login --assertion kubernetes`; without it the one
    /// that Kubernetes mounts.
    KUBERNETES_TOKEN_FILE = "GATEPASS_KUBERNETES_TOKEN_FILE",
    /// The folder of settings and vault; without it, `gatepass` in `XDG_CONFIG_HOME` or `~/.config`.
    HOME = "GATEPASS_HOME",
    /// `auto` uses the operating system's keyring where there is one, `off` leaves it alone.
    KEYRING = "GATEPASS_KEYRING",
    /// A command whose output is the vault's key (64 hexadecimal digits) or passphrase. It is run without
    /// a shell.
    VAULT_KEY_COMMAND = "GATEPASS_VAULT_KEY_COMMAND",
    /// The vault's passphrase.
    VAULT_PASSPHRASE = "GATEPASS_VAULT_PASSPHRASE",
    /// Talk as a screen reader wants it, as `--plain`; `0`, `false`, `no` and `off` leave it.
    PLAIN = "GATEPASS_PLAIN",
    /// Certificate authorities in PEM that are trusted besides the system's, as `--ca-file`.
    CA_FILE = "GATEPASS_CA_FILE",
    /// Anything but empty, `0`, `no`, `off` or `false` tells on stderr what is asked and decided, as `--debug`.
    DEBUG = "GATEPASS_DEBUG",
    /// The agent to get tokens from: the path of its socket, or `tcp://127.0.0.1:PORT`. Then there need be no vault.
    AGENT_SOCK = "GATEPASS_AGENT_SOCK",
    /// The file with the token that an agent on a port asks for.
    AGENT_TOKEN_FILE = "GATEPASS_AGENT_TOKEN_FILE",
    /// `on` gets tokens from an agent that is started when none runs, `off` does not, whatever the settings say.
    AGENT = "GATEPASS_AGENT",
    /// The server's settings file, as `--config`.
    CONFIG = "GATEPASS_CONFIG",
    /// The folder of the server's database and secret, as `--data-dir`.
    DATA_DIR = "GATEPASS_DATA_DIR",
    /// Where the server remembers, as `--database-url`.
    DATABASE_URL = "GATEPASS_DATABASE_URL",
    /// Where the server listens, as `--listen`.
    LISTEN = "GATEPASS_LISTEN",
    /// Under which URL the server is reached, as `--public-url`.
    PUBLIC_URL = "GATEPASS_PUBLIC_URL",
    /// Whose forwarded headers the server believes, as `--trusted-proxy`; several with commas.
    TRUSTED_PROXY = "GATEPASS_TRUSTED_PROXY",
    /// The certificate with which the server speaks TLS, as `--tls-cert`.
    TLS_CERT = "GATEPASS_TLS_CERT",
    /// Its private key, as `--tls-key`.
    TLS_KEY = "GATEPASS_TLS_KEY",
    /// Who vouches for the certificates of clients, as `--tls-client-ca`.
    TLS_CLIENT_CA = "GATEPASS_TLS_CLIENT_CA",
    /// The server's secret, 64 hexadecimal digits, instead of the file `secret` in the data folder.
    SECRET = "GATEPASS_SECRET",
    /// Where the server answers `/metrics`, as `--metrics-listen`.
    METRICS_LISTEN = "GATEPASS_METRICS_LISTEN",
    /// The secret that signs what is sent to the webhook, instead of a file.
    WEBHOOK_SECRET = "GATEPASS_WEBHOOK_SECRET",
    /// What the server logs: a level, or a filter such as `gatepass_server=debug,info`.
    LOG = "GATEPASS_LOG",
}

/// Turns colour off when it is set to anything (<https://no-color.org>).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// Whether links are shown, where what is known of the terminal is wrong: `0` is no, all else is yes.
pub(crate) const FORCE_HYPERLINK: &str = "FORCE_HYPERLINK";
/// What kubectl says to the command that it asks for a token.
pub(crate) const KUBERNETES_EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
/// The files of kubectl's configuration.
pub(crate) const KUBECONFIG: &str = "KUBECONFIG";
/// Where a GitHub Actions job asks for an ID token, and with what.
pub(crate) const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// The job's own token.
pub(crate) const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// The folder of docker's configuration.
pub(crate) const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
/// The file of aws's configuration.
pub(crate) const AWS_CONFIG_FILE: &str = "AWS_CONFIG_FILE";

/// The value of a variable; one that is empty or not UTF-8 counts as not set.
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable's value may be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    matches!(name, TOKEN | API_KEY | VAULT_PASSPHRASE | SECRET | WEBHOOK_SECRET | DATABASE_URL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_on_the_page() {
        let page = include_str!("../../../docs/configuration.md");
        for (name, _) in ALL {
            assert!(page.contains(&format!("`{name}`")), "docs/configuration.md lacks {name}");
        }
    }

    #[test]
    fn every_variable_is_ours_and_explained() {
        for (name, meaning) in ALL {
            assert!(name.starts_with("GATEPASS_") && meaning.trim().ends_with('.'), "{name}: {meaning}");
        }
    }
}
