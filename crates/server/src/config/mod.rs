//! What the operator sets: flag beats environment beats file beats default.
//!
//! Flags and environment arrive as [`Overrides`], texts as they were typed; the file is TOML. Every
//! refusal is one sentence that names the setting and the remedy. Each table of the file has a module of its own.

mod audit;
mod clients;
mod keys;
mod lifetimes;
mod limits;
mod tls;
mod webhook;

pub use tls::{Tls, TlsFiles};
pub use webhook::VARIABLE as WEBHOOK_SECRET;

use gatepass_authority::{
    ClientPolicy, DatabaseUrl, KeySettings, Lifetimes, Limits, trail::TrailSettings, webhook::WebhookSettings,
};
use gatepass_oauth::Issuer;
use ipnet::IpNet;
use serde::Deserialize;
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where the server listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8484";
/// Where it keeps its data unless told otherwise.
pub const DEFAULT_DATA_DIR: &str = "gatepass-data";

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the database and the server's secret.
    pub data_dir: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Under which URL people and programs reach it; `None`: the listen address, if it is loopback.
    pub public_url: Option<Issuer>,
    /// Where it remembers.
    pub database_url: DatabaseUrl,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What strangers' programs may do.
    pub clients: ClientPolicy,
    /// TLS, and the certificates of clients.
    pub tls: Tls,
    /// When signing keys change.
    pub keys: KeySettings,
    /// Whether every authorization request must be pushed.
    pub require_pushed_authorization_requests: bool,
    /// Whether one network may have no more than a share of all connections and bodies.
    pub network_share: bool,
    /// Where the operator's monitoring asks for numbers; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// How much of what may be done.
    pub limits: Limits,
    /// How the audit trail is kept.
    pub trail: TrailSettings,
    /// Who is told at once.
    pub webhook: Option<WebhookSettings>,
}

/// What flags and environment say, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`, `GATEPASS_DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`, `GATEPASS_LISTEN`.
    pub listen: Option<String>,
    /// `--public-url`, `GATEPASS_PUBLIC_URL`.
    pub public_url: Option<String>,
    /// `--database-url`, `GATEPASS_DATABASE_URL`.
    pub database_url: Option<String>,
    /// `--trusted-proxy`, `GATEPASS_TRUSTED_PROXY`; empty: as the file says.
    pub trusted_proxies: Vec<String>,
    /// `--tls-cert`, `GATEPASS_TLS_CERT`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`, `GATEPASS_TLS_KEY`.
    pub tls_key: Option<PathBuf>,
    /// `--tls-client-ca`, `GATEPASS_TLS_CLIENT_CA`.
    pub tls_client_ca: Option<PathBuf>,
    /// `--config`, `GATEPASS_CONFIG`.
    pub config: Option<PathBuf>,
    /// `--metrics-listen`, `GATEPASS_METRICS_LISTEN`.
    pub metrics_listen: Option<String>,
    /// `GATEPASS_WEBHOOK_SECRET`.
    pub webhook_secret: Option<String>,
}

/// The file. Every member may be left out, none may be misspelt.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    trusted_proxies: Vec<String>,
    require_pushed_authorization_requests: bool,
    network_share: Option<bool>,
    lifetimes: lifetimes::File,
    clients: clients::File,
    tls: tls::File,
    keys: keys::File,
    metrics_listen: Option<String>,
    limits: limits::File,
    audit: audit::File,
    webhook: webhook::File,
}

/// Why the settings will not do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("the configuration file {path} cannot be read ({source}); check the path and its permissions")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file is no TOML, or has a key that is not known.
    #[error("the configuration file {path} is not right: {reason}; see docs/configuration.md for the keys")]
    File {
        /// Which file.
        path: PathBuf,
        /// Where and what, on one line.
        reason: String,
    },
    /// A value will not do.
    #[error("{setting} is '{value}', but {expected}")]
    Value {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// The server does not know its own name.
    #[error("the listen address {0} is not loopback, so the server needs its public name: add --public-url https://…")]
    NoPublicUrl(SocketAddr),
}

impl Config {
    /// Puts the settings together.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    pub fn resolve(overrides: Overrides) -> Result<Self, ConfigError> {
        let file = overrides.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let proxied = !overrides.trusted_proxies.is_empty() || !file.trusted_proxies.is_empty();
        let tls = tls::resolve(file.tls, &overrides, proxied)?;
        let data_dir = overrides.data_dir.or(file.data_dir).unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let listen = overrides.listen.or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.into());
        let database_url = match overrides.database_url.or(file.database_url) {
            Some(text) => text
                .parse()
                .map_err(|error: gatepass_authority::StoreError| value("database-url", "(not shown)", error))?,
            None => default_database(&data_dir)?,
        };
        let proxies =
            if overrides.trusted_proxies.is_empty() { file.trusted_proxies } else { overrides.trusted_proxies };
        Ok(Self {
            listen: listen
                .parse()
                .map_err(|_| value("listen", &listen, "it is an address and a port, such as 127.0.0.1:8484"))?,
            public_url: overrides.public_url.or(file.public_url).map(|text| public_url(&text, &tls)).transpose()?,
            trusted_proxies: proxies.iter().map(|text| proxy(text)).collect::<Result<_, _>>()?,
            lifetimes: lifetimes::resolve(file.lifetimes)?,
            clients: clients::resolve(file.clients)?,
            tls,
            keys: keys::resolve(file.keys)?,
            require_pushed_authorization_requests: file.require_pushed_authorization_requests,
            network_share: file.network_share.unwrap_or(true),
            metrics_listen: overrides
                .metrics_listen
                .or(file.metrics_listen)
                .map(|text| text.parse().map_err(|_| value("metrics-listen", &text, "it is an address and a port")))
                .transpose()?,
            limits: limits::resolve(&file.limits)?,
            trail: audit::resolve(file.audit)?,
            webhook: webhook::resolve(file.webhook, overrides.webhook_secret.as_deref())?,
            data_dir,
            database_url,
        })
    }

    /// The issuer, once it is known where the server really listens.
    ///
    /// # Errors
    /// [`ConfigError::NoPublicUrl`].
    pub fn issuer(&self, bound: SocketAddr) -> Result<Issuer, ConfigError> {
        match &self.public_url {
            Some(url) => Ok(url.clone()),
            None if bound.ip().is_loopback() => {
                let scheme = if self.tls.files.is_some() { "https" } else { "http" };
                format!("{scheme}://{bound}").parse().map_err(|_| ConfigError::NoPublicUrl(bound))
            }
            None => Err(ConfigError::NoPublicUrl(bound)),
        }
    }
}

fn value(setting: &'static str, value: &str, expected: impl ToString) -> ConfigError {
    ConfigError::Value { setting, value: value.to_owned(), expected: expected.to_string() }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        ConfigError::File { path: path.to_owned(), reason: format!("{place}{}", error.message().replace('\n', " ")) }
    })
}

fn default_database(data_dir: &Path) -> Result<DatabaseUrl, ConfigError> {
    let path = data_dir.join("gatepass.db");
    let shown = path.display().to_string();
    format!("sqlite://{shown}")
        .parse()
        .map_err(|error: gatepass_authority::StoreError| value("data-dir", &shown, error))
}

fn public_url(text: &str, tls: &Tls) -> Result<Issuer, ConfigError> {
    let issuer: Issuer =
        text.parse().map_err(|error: gatepass_oauth::issuer::InvalidIssuer| value("public-url", text, error))?;
    if issuer.is_plain_http() && tls.files.is_some() {
        return Err(value("public-url", text, "the server speaks TLS, so it begins with https://"));
    }
    if issuer.path().is_empty() {
        Ok(issuer)
    } else {
        Err(value("public-url", text, "it has no path: give the server a host name of its own"))
    }
}

fn proxy(text: &str) -> Result<IpNet, ConfigError> {
    let one_address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| one_address())
        .map_err(|_| value("trusted-proxy", text, "it is an address or a network such as 10.0.0.0/8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn with_file(text: &str, overrides: Overrides) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepass.toml");
        fs::write(&path, text).unwrap();
        Config::resolve(Overrides { config: Some(path), ..overrides })
    }

    fn refusal(text: &str) -> String {
        let message = with_file(text, Overrides::default()).unwrap_err().to_string();
        assert!(!message.contains('\n'), "one line: {message}");
        message
    }

    #[test]
    fn an_override_beats_the_file_and_the_file_beats_the_default() {
        let file = "listen = \"127.0.0.1:1\"\n[lifetimes]\naccess_token = \"5s\"\nrefresh_token = \"30d\"\n";
        let config = with_file(file, Overrides::default()).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.lifetimes.access_token, Duration::from_secs(5));
        assert_eq!(config.lifetimes.session, Lifetimes::default().session);
        let config = with_file(file, Overrides { listen: Some("127.0.0.1:2".into()), ..Overrides::default() }).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(Config::resolve(Overrides::default()).unwrap().listen.to_string(), DEFAULT_LISTEN);
    }

    #[test]
    fn a_network_has_a_share_unless_it_may_have_the_whole() {
        let limits = |text: &str| crate::serve::Limits::of(&with_file(text, Overrides::default()).unwrap());
        let (share, whole) = (limits(""), limits("network_share = false"));
        assert!(share.connections_of_one < share.connections && share.bodies_of_one < share.bodies);
        assert_eq!((whole.connections_of_one, whole.bodies_of_one), (share.connections, share.bodies));
        assert_eq!(limits("network_share = true"), share);
    }

    #[test]
    fn every_refusal_is_one_line_that_names_the_setting() {
        assert!(refusal("\nlissten = \"x\"").contains("line 2: unknown field `lissten`"));
        assert!(refusal("listen = 5").contains("line 1"));
        assert!(refusal("listen = \"here\"").starts_with("listen is 'here', but"));
        assert!(refusal("public_url = \"http://auth.example\"").contains("https"));
        assert!(refusal("public_url = \"https://auth.example/path\"").contains("no path"));
        assert!(refusal("database_url = \"mysql://u:secret@h/db\"").contains("sqlite:///"));
        assert!(!refusal("database_url = \"mysql://u:secret@h/db\"").contains("secret"));
        assert!(refusal("trusted_proxies = [\"ten\"]").contains("10.0.0.0/8"));
        assert!(refusal("[lifetimes]\nsession = \"soon\"").starts_with("lifetimes.session is 'soon'"));
        assert!(refusal("[lifetimes]\nsession = \"0s\"").contains("between 1s"));
        assert!(
            refusal("[clients]\ntrusted_domains = [\"https://a.example\"]").starts_with("clients.trusted_domains is")
        );
        assert!(refusal("[clients]\nregistration_idle = \"1h\"").contains("at least 1d"));
        assert!(refusal("[clients]\ncli_access_tokens = \"mac\"").contains("bearer and dpop"));
        assert!(refusal("[clients]\nresources = [\"api\"]").starts_with("clients.resources is 'api'"));
        assert!(refusal("[tls]\ncert = \"a\"").starts_with("tls-cert is 'a', but it comes with --tls-key"));
        assert!(refusal("[tls]\nkey = \"a\"").contains("--tls-cert"));
        assert!(refusal("[tls]\nclient_ca = \"a\"").contains("client_certificate_header"));
        assert!(refusal("[tls]\nclient_certificate_header = \"x-c\"").contains("trusted_proxies"));
        assert!(
            refusal("trusted_proxies = [\"::1\"]\n[tls]\nclient_certificate_header = \"a b\"").contains("a header")
        );
        assert!(refusal("public_url = \"http://127.0.0.1:1\"\n[tls]\ncert = \"a\"\nkey = \"b\"").contains("https://"));
        assert!(refusal("[keys]\nrotate_every = \"1s\"").starts_with("keys.rotate_every is '1s', but"));
        assert!(refusal("[keys]\nrotate_every = \"1h\"\npublish_ahead = \"50m\"").contains("half"));
        assert!(refusal("metrics_listen = \"9100\"").contains("an address and a port"));
        assert!(refusal("[limits]\npasswords = \"1/1m\"").contains("password, password_address"));
        assert!(refusal("[limits]\npassword = \"many\"").contains("100/10m"));
        assert!(refusal("[audit]\nkeep = \"1s\"").contains("365d"));
        assert!(refusal("[webhook]\nurl = \"https://h.example\"").contains("secret_file"));
        let missing =
            Config::resolve(Overrides { config: Some("/nowhere/x.toml".into()), ..Overrides::default() }).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/x.toml"));
    }

    #[test]
    fn a_webhook_is_https_and_its_secret_is_never_shown() {
        let with = |text: &str, secret: &str| {
            with_file(text, Overrides { webhook_secret: Some(secret.into()), ..Overrides::default() })
        };
        let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let config = with("[webhook]\nurl = \"http://127.0.0.1:9/x\"\nevents = [\"signed_in\"]\n", good).unwrap();
        assert_eq!(config.webhook.unwrap().kinds, [gatepass_authority::EventKind::SignedIn]);
        let refused = |text: &str, secret: &str| with(text, secret).unwrap_err().to_string();
        assert!(!refused("[webhook]\nurl = \"https://h.example\"", "hidden").contains("hidden"));
        assert!(refused("[webhook]\nurl = \"http://h.example\"", good).contains("https"));
        assert!(refused("[webhook]\nurl = \"https://h.example\"\nevents = [\"x\"]", good).contains("alarming"));
    }

    #[test]
    fn a_server_on_the_network_must_be_told_its_name() {
        let config = Config::resolve(Overrides { listen: Some("0.0.0.0:80".into()), ..Overrides::default() }).unwrap();
        assert!(matches!(config.issuer(config.listen), Err(ConfigError::NoPublicUrl(_))));
        let config = Config::resolve(Overrides::default()).unwrap();
        assert_eq!(config.issuer("127.0.0.1:9".parse().unwrap()).unwrap().as_str(), "http://127.0.0.1:9");
        let (cert, key) = (Some("a".into()), Some("b".into()));
        let config = Config::resolve(Overrides { tls_cert: cert, tls_key: key, ..Overrides::default() }).unwrap();
        assert_eq!(config.issuer("127.0.0.1:9".parse().unwrap()).unwrap().as_str(), "https://127.0.0.1:9");
    }
}
