//! `[tls]`: TLS that the server speaks itself, and the certificates of clients.

use super::{ConfigError, Overrides, value};
use axum::http::HeaderName;
use gatepass_oauth::ClientAuthMethod;
use serde::Deserialize;
use std::path::PathBuf;

/// The table `[tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    client_certificate_header: Option<String>,
}

/// What is set about TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The server's own certificate and key; `None`: it speaks plain HTTP.
    pub files: Option<TlsFiles>,
    /// The authorities that vouch for certificates of clients, a PEM file.
    pub client_ca: Option<PathBuf>,
    /// The header in which a trusted proxy tells the certificate of the client.
    pub client_certificate_header: Option<HeaderName>,
}

/// Two PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Tls {
    /// The methods by which a client can prove itself: with a certificate only where one can be met and, if need be, vouched
    /// for.
    pub(crate) fn auth_methods(&self) -> Vec<ClientAuthMethod> {
        let fits = |method: &ClientAuthMethod| match method {
            ClientAuthMethod::TlsClientAuth => self.meets_clients() && self.client_ca.is_some(),
            ClientAuthMethod::SelfSignedTlsClientAuth => self.meets_clients(),
            _ => true,
        };
        ClientAuthMethod::ALL.iter().copied().filter(fits).collect()
    }

    /// Whether a client's certificate can reach the server at all.
    #[must_use]
    pub fn meets_clients(&self) -> bool {
        self.files.is_some() || self.client_certificate_header.is_some()
    }
}

/// The settings in force.
pub(super) fn resolve(file: File, overrides: &Overrides, proxied: bool) -> Result<Tls, ConfigError> {
    let chosen = |over: &Option<PathBuf>, file: Option<PathBuf>| over.clone().or(file);
    let files = match (chosen(&overrides.tls_cert, file.cert), chosen(&overrides.tls_key, file.key)) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(alone), None) => return Err(lone("tls-cert", &alone, "it comes with --tls-key")),
        (None, Some(alone)) => return Err(lone("tls-key", &alone, "it comes with --tls-cert")),
    };
    let tls = Tls {
        files,
        client_ca: chosen(&overrides.tls_client_ca, file.client_ca),
        client_certificate_header: file.client_certificate_header.map(|name| header(&name, proxied)).transpose()?,
    };
    match &tls.client_ca {
        Some(alone) if !tls.meets_clients() => {
            Err(lone("tls-client-ca", alone, "it comes with --tls-cert, or with tls.client_certificate_header"))
        }
        _ => Ok(tls),
    }
}

fn header(text: &str, proxied: bool) -> Result<HeaderName, ConfigError> {
    const SETTING: &str = "tls.client_certificate_header";
    let name = text.parse().map_err(|_| value(SETTING, text, "it is the name of a header, such as x-client-cert"))?;
    if proxied { Ok(name) } else { Err(value(SETTING, text, "no proxy is trusted to send it: add trusted_proxies")) }
}

fn lone(setting: &'static str, alone: &std::path::Path, expected: &str) -> ConfigError {
    value(setting, &alone.display().to_string(), expected)
}
