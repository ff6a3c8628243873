//! Where the database is: a SQLite file or a PostgreSQL server.
//!
//! `sqlite:///abs/path.db` and `sqlite://rel/path.db` name a file; all after `sqlite://` is the path as it is.
//! `postgres://user:password@host:port/name?sslmode=…&sslrootcert=…` names a server.
//!
//! - `sslmode` is `disable`, `prefer` or `require`. Whenever TLS is spoken, the server's certificate and name are
//!   verified, so `require` and `verify-ca` are as strict as libpq's `verify-full`, and all three are the same.
//! - `sslrootcert` is the file, in PEM, of the authorities that are trusted in the place of the system's; `system` is the
//!   system's. Who names it wants TLS: it goes with no weaker `sslmode` than `require`.
//! - Without both it is `require`, except on the loopback address and on a Unix socket, which need no TLS. With several
//!   hosts, or a `hostaddr` beside the host, all of them must be local.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config, Host, SslMode};

use crate::Error;

/// A parsed database URL. Printing it never shows the password.
#[derive(Clone)]
pub struct DatabaseUrl(Target);

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

/// A PostgreSQL server and whom it must be certified by.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
}

/// The authorities that may certify a server.
#[derive(Clone)]
pub(crate) enum Trust {
    /// Those that the system trusts.
    System,
    /// Those in a PEM file, and no others.
    File(PathBuf),
}

impl DatabaseUrl {
    /// A SQLite file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Target::Sqlite(path.into()))
    }

    /// The file, when it is SQLite.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once("://") {
            Some(("sqlite", path)) => sqlite(path),
            Some(("postgres" | "postgresql", _)) => postgres(text),
            Some(_) => Err(refused("the scheme is neither sqlite nor postgres")),
            None => Err(refused("there is no scheme")),
        }
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::Url { why: why.into() }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, Error> {
    if path.is_empty() || path.ends_with('/') {
        return Err(refused("there is no file name"));
    }
    if path.starts_with(':') {
        return Err(refused("a database in memory forgets everything, name a file"));
    }
    if path.contains('?') {
        return Err(refused("sqlite takes no options"));
    }
    Ok(DatabaseUrl::sqlite(path))
}

fn postgres(text: &str) -> Result<DatabaseUrl, Error> {
    let (text, sslmode) = take(text, "sslmode");
    let (text, sslrootcert) = take(&text, "sslrootcert");
    // The parser's own message may repeat a part of the URL, and with it the password.
    let mut config = Config::from_str(&text)
        .map_err(|_| refused("its parts are not user, password, host, port, name and known options"))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(refused("there is no host"));
    }
    if config.get_dbname().is_none() {
        return Err(refused("there is no database name"));
    }
    let mode = match sslmode.as_deref() {
        Some("disable" | "prefer") if sslrootcert.is_some() => {
            return Err(refused("sslrootcert asks for TLS, and this sslmode does without"));
        }
        Some("disable") => SslMode::Disable,
        Some("prefer") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(_) => return Err(refused("sslmode is none of disable, prefer, require and verify-full")),
        None if sslrootcert.is_none() && is_local(&config) => SslMode::Disable,
        None => SslMode::Require,
    };
    config.ssl_mode(mode);
    let trust = match sslrootcert.as_deref() {
        None | Some("system") => Trust::System,
        Some("") => return Err(refused("sslrootcert names no file")),
        Some(file) => Trust::File(file.into()),
    };
    Ok(DatabaseUrl(Target::Postgres(Box::new(Server { config, trust }))))
}

/// Takes a parameter out of the query, because the parser does not know it, or not all of its values.
fn take(text: &str, name: &str) -> (String, Option<String>) {
    let Some((base, query)) = text.split_once('?') else {
        return (text.to_owned(), None);
    };
    let value = |pair: &str| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let (found, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| value(pair).is_some());
    let last = found.last().and_then(|pair| value(pair));
    let decoded = last.map(|value| percent_decode_str(&value).decode_utf8_lossy().into_owned());
    let separator = if rest.is_empty() { "" } else { "?" };
    (format!("{base}{separator}{}", rest.join("&")), decoded)
}

/// Whether there is a way to the server and none leaves this machine. A `hostaddr` is where the connection goes, and
/// may stand alone.
fn is_local(config: &Config) -> bool {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let named = hosts.iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    !(hosts.is_empty() && addresses.is_empty()) && named && addresses.iter().all(IpAddr::is_loopback)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match &self.0 {
            Target::Sqlite(path) => return write!(f, "sqlite://{}", path.display()),
            Target::Postgres(server) => &server.config,
        };
        write!(f, "postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        for (index, host) in config.get_hosts().iter().enumerate() {
            if index > 0 {
                write!(f, ",")?;
            }
            match host {
                Host::Tcp(name) => write!(f, "{name}")?,
                #[cfg(unix)]
                Host::Unix(folder) => write!(f, "{}", folder.display())?,
            }
            if let Some(port) = config.get_ports().get(index).or(config.get_ports().first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
