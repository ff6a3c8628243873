//! Where the database is: a SQLite file or a PostgreSQL server.
//!
//! `sqlite:///abs/path.db` and `sqlite://rel/path.db` name a file; all after `sqlite://` is the path as it is.
//! `postgres://user:password@host:port/name?sslmode=…` names a server. `sslmode` is `disable`, `prefer` or
//! `require`; whenever TLS is spoken, the server's certificate is verified, so `verify-full` means `require`.
//! Without `sslmode` it is `require`, except on the loopback address and on a Unix socket, which need no TLS. With several
//! hosts, or a `hostaddr` beside the host, all of them must be local.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio_postgres::config::{Config, Host, SslMode};

use crate::Error;

/// A parsed database URL. Printing it never shows the password.
#[derive(Clone)]
pub struct DatabaseUrl(Target);

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<Config>),
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
    let (text, sslmode) = take_sslmode(text);
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
        Some("disable") => SslMode::Disable,
        Some("prefer") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(_) => return Err(refused("sslmode is none of disable, prefer, require and verify-full")),
        None if is_local(&config) => SslMode::Disable,
        None => SslMode::Require,
    };
    config.ssl_mode(mode);
    Ok(DatabaseUrl(Target::Postgres(Box::new(config))))
}

/// Takes `sslmode` out of the query, because `verify-full` is unknown to the parser.
fn take_sslmode(text: &str) -> (String, Option<String>) {
    let Some((base, query)) = text.split_once('?') else {
        return (text.to_owned(), None);
    };
    let (modes, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let mode = modes.last().and_then(|pair| pair.strip_prefix("sslmode=")).map(str::to_owned);
    let separator = if rest.is_empty() { "" } else { "?" };
    (format!("{base}{separator}{}", rest.join("&")), mode)
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
            Target::Postgres(config) => config,
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
