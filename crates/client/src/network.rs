//! How requests leave this machine: whom to trust, and by which proxy.
//!
//! | setting | where it may stand, first wins |
//! |---|---|
//! | more authorities | the program's own option, `GATEPASS_CA_FILE`, `ca_file` in `config.toml` |
//! | proxy | `HTTPS_PROXY`, `ALL_PROXY` (both in either case of letters), `proxy` in `config.toml` |
//! | hosts that pass no proxy | `NO_PROXY` (in either case), `no_proxy` in `config.toml` |
//!
//! `HTTP_PROXY` is for plain http, which never leaves this machine here; and what stays on this machine passes
//! no proxy at all. So it changes nothing.

use crate::{
    TlsIdentity, WebUrl,
    config::Config,
    trust::{self, Seen},
};
use gatepass_oauth::Secret;
use hyper_util::client::proxy::matcher::Matcher;
use serde::Deserialize;
use std::{fmt, path::PathBuf, str::FromStr};
use url::Url;

/// The variables that name a proxy for https, the first that is set wins.
pub const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The variables that list hosts without a proxy.
pub const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// How requests leave this machine. The default trusts the system's authorities and takes no proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Authorities in PEM, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy that requests to other machines pass.
    pub proxy: Option<ProxyUrl>,
    /// Hosts that are asked without it, in the manner of curl: `a.example,.b.example,10.0.0.0/8` or `*`.
    pub no_proxy: Option<String>,
}

/// The URL of a proxy, perhaps with a user and a password in it, which are never printed.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyUrl(Secret);

/// The text is no URL of a proxy. What it says is left out: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is named as in http://proxy.example:3128, with http, https, socks5 or socks5h")]
pub struct InvalidProxy;

impl Network {
    /// What the environment says, else the settings. `variable` reads one environment variable.
    ///
    /// # Errors
    /// The variable that names no proxy, and why.
    pub fn of(
        variable: impl Fn(&str) -> Option<String>,
        config: &Config,
    ) -> Result<Self, (&'static str, InvalidProxy)> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let proxy = match PROXY_VARIABLES.into_iter().find_map(|name| Some((name, set(name)?))) {
            Some((name, text)) => Some(text.parse().map_err(|error| (name, error))?),
            None => config.proxy.clone(),
        };
        let no_proxy = NO_PROXY_VARIABLES.into_iter().find_map(set).or_else(|| config.no_proxy.clone());
        Ok(Self { ca_file: config.ca_file.clone(), proxy, no_proxy })
    }

    /// The proxy that a request to `url` passes.
    #[must_use]
    pub fn proxy_for(&self, url: &WebUrl) -> Option<&ProxyUrl> {
        let proxy = self.proxy.as_ref().filter(|_| !url.is_loopback())?;
        self.rules()?.intercept(&url.as_str().parse().ok()?).map(|_| proxy)
    }

    /// Which requests pass the proxy, for those who have an HTTP client of their own. Requests to this machine pass none,
    /// whatever it says.
    #[must_use]
    pub fn rules(&self) -> Option<Matcher> {
        let proxy = self.proxy.as_ref()?;
        Some(Matcher::builder().all(proxy.0.expose()).no(self.no_proxy.as_deref().unwrap_or_default()).build())
    }

    /// Whom to trust, for those who have an HTTP client of their own, and the certificate to show to servers that ask.
    ///
    /// # Errors
    /// Why the authorities cannot be read.
    pub fn tls(&self, certificate: Option<&TlsIdentity>) -> Result<rustls::ClientConfig, String> {
        trust::client_config(self.ca_file.as_deref(), &Seen::default(), certificate)
    }

    /// The same for the HTTP client.
    pub(crate) fn proxy(&self) -> Option<Result<reqwest::Proxy, reqwest::Error>> {
        let proxy = reqwest::Proxy::all(self.proxy.as_ref()?.0.expose());
        let without = reqwest::NoProxy::from_string(self.no_proxy.as_deref().unwrap_or_default());
        Some(proxy.map(|proxy| proxy.no_proxy(without)))
    }
}

impl ProxyUrl {
    /// Whether a user or a password stands in it.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.parsed().is_some_and(|url| !url.username().is_empty() || url.password().is_some())
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> Option<(String, u16)> {
        let url = self.parsed()?;
        let port = url.port_or_known_default().unwrap_or(1080);
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), port))
    }

    fn parsed(&self) -> Option<Url> {
        Url::parse(self.0.expose()).ok()
    }
}

impl PartialEq for ProxyUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Eq for ProxyUrl {}

impl FromStr for ProxyUrl {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| InvalidProxy)?;
        let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        let good = known && url.host_str().is_some_and(|host| !host.is_empty()) && whole.len() <= 2048;
        if good { Ok(Self(Secret::from(whole))) } else { Err(InvalidProxy) }
    }
}

impl TryFrom<String> for ProxyUrl {
    type Error = InvalidProxy;

    fn try_from(text: String) -> Result<Self, InvalidProxy> {
        text.parse()
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(url) = self.parsed() else { return f.write_str("a proxy") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

/// Takes users and passwords out of the URLs in a text: what stands between `://` and `@`.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        kept.push_str(before);
        kept.push_str("://");
        let word = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(after.len());
        rest = after.split_at_checked(word).and_then(|(word, _)| word.rfind('@')).map_or(after, |at| {
            kept.push('…');
            after.get(at..).unwrap_or_default()
        });
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(pairs: &[(&str, &str)], config: &Config) -> Network {
        let read = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Network::of(read, config).unwrap()
    }

    #[test]
    fn the_environment_beats_the_settings_in_either_case_of_letters() {
        let config = Config {
            proxy: Some("http://file.example:1".parse().unwrap()),
            no_proxy: Some("a.example".into()),
            ..Config::default()
        };
        for (pairs, expected) in [
            (&[][..], "http://file.example:1"),
            (&[("https_proxy", "env.example:2")], "http://env.example:2"),
            (&[("HTTPS_PROXY", "http://upper.example:2"), ("https_proxy", "x:1")], "http://upper.example:2"),
            (&[("all_proxy", "socks5h://s.example")], "socks5h://s.example"),
            (&[("ALL_PROXY", "x:1"), ("HTTPS_PROXY", "y:1")], "http://y:1"),
            (&[("HTTP_PROXY", "x:1"), ("HTTPS_PROXY", "")], "http://file.example:1"),
        ] {
            assert_eq!(network(pairs, &config).proxy.unwrap().to_string(), expected, "{pairs:?}");
        }
        assert_eq!(network(&[("no_proxy", "b.example")], &config).no_proxy.unwrap(), "b.example");
        let bad = Network::of(|name| (name == "ALL_PROXY").then(|| "ftp://u:hunter2@x".into()), &config).unwrap_err();
        assert!(bad.0 == "ALL_PROXY" && !format!("{bad:?}{}", bad.1).contains("hunter2"));
    }

    #[test]
    fn loopback_and_excepted_hosts_pass_no_proxy() {
        let all = network(
            &[("HTTPS_PROXY", "p.example:1"), ("NO_PROXY", "a.example,.b.example,10.0.0.0/8")],
            &Config::default(),
        );
        for (url, passes) in [
            ("https://c.example/", true),
            ("https://a.example/", false),
            ("https://x.b.example/", false),
            ("https://10.1.2.3/", false),
            ("https://127.0.0.1/", false),
            ("http://localhost:1/", false),
            ("https://[::1]/", false),
        ] {
            assert_eq!(all.proxy_for(&url.parse().unwrap()).is_some(), passes, "{url}");
        }
        let none = Network { no_proxy: Some("*".into()), ..all };
        assert_eq!(none.proxy_for(&"https://c.example/".parse().unwrap()), None);
    }

    #[test]
    fn a_password_is_never_printed() {
        let proxy: ProxyUrl = "http://ada:hunter2@p.example:3128/".parse().unwrap();
        assert!(proxy.has_credentials());
        assert_eq!(format!("{proxy} {proxy:?}"), "http://p.example:3128 ProxyUrl(http://p.example:3128)");
        assert_eq!(proxy.address(), Some(("p.example".into(), 3128)));
        let text = "2 | proxy = 'http://ada:hunter2@p.example' and https://a.example/@x";
        assert_eq!(without_credentials(text), "2 | proxy = 'http://…@p.example' and https://…@x");
        for bad in ["", "://", "http://", "ftp://x", "file:///x"] {
            assert!(bad.parse::<ProxyUrl>().is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text: String) {
            let _ = text.parse::<ProxyUrl>().map(|proxy| (proxy.to_string(), proxy.address()));
            let _ = without_credentials(&text);
        }
    }
}
