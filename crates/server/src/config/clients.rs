//! `[clients]`: what strangers' programs may do, and what our own command line is given.

use super::{ConfigError, value};
use gatepass_authority::{CliAccessTokens, ClientPolicy};
use gatepass_oauth::{ResourceUri, Scope};
use serde::Deserialize;
use std::time::Duration;

/// The table `[clients]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    registration: Option<bool>,
    metadata_documents: Option<bool>,
    trusted_domains: Vec<String>,
    denied_domains: Vec<String>,
    private_hosts: Vec<String>,
    registration_idle: Option<String>,
    registrations_per_hour: Option<u32>,
    registrations_per_hour_in_all: Option<u32>,
    documents_per_hour: Option<u32>,
    scope: Option<String>,
    resources: Vec<String>,
    cli_access_tokens: Option<String>,
}

/// The policy in force.
pub(super) fn resolve(file: File) -> Result<ClientPolicy, ConfigError> {
    let standard = ClientPolicy::default();
    Ok(ClientPolicy {
        auth_methods: standard.auth_methods,
        registration: file.registration.unwrap_or(standard.registration),
        metadata_documents: file.metadata_documents.unwrap_or(standard.metadata_documents),
        trusted_domains: domains("clients.trusted_domains", file.trusted_domains)?,
        denied_domains: domains("clients.denied_domains", file.denied_domains)?,
        private_hosts: file.private_hosts,
        registration_idle: idle(file.registration_idle, standard.registration_idle)?,
        registrations_per_hour: file.registrations_per_hour.unwrap_or(standard.registrations_per_hour),
        registrations_per_hour_in_all: file
            .registrations_per_hour_in_all
            .unwrap_or(standard.registrations_per_hour_in_all),
        documents_per_hour: file.documents_per_hour.unwrap_or(standard.documents_per_hour),
        scope: file.scope.map(|text| scope(&text)).transpose()?.unwrap_or(standard.scope),
        resources: file.resources.iter().map(|text| resource(text)).collect::<Result<_, _>>()?,
        cli_access_tokens: cli_access_tokens(file.cli_access_tokens.as_deref())?,
    })
}

/// A domain stands here without scheme, port and wildcard.
fn domains(setting: &'static str, texts: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && !text.ends_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    match texts.iter().find(|text| !plain(text)) {
        Some(wrong) => {
            Err(value(setting, wrong, "a domain is a name such as example.com; it covers what lies below it"))
        }
        None => Ok(texts),
    }
}

fn cli_access_tokens(text: Option<&str>) -> Result<CliAccessTokens, ConfigError> {
    match text {
        None => Ok(CliAccessTokens::default()),
        Some("bearer") => Ok(CliAccessTokens::Bearer),
        Some("dpop") => Ok(CliAccessTokens::Dpop),
        Some(other) => Err(value("clients.cli_access_tokens", other, "the values are bearer and dpop")),
    }
}

fn idle(text: Option<String>, standard: Duration) -> Result<Duration, ConfigError> {
    let Some(text) = text else { return Ok(standard) };
    let expected = "it is a time of at least 1d, such as \"90d\"";
    let refuse = || value("clients.registration_idle", &text, expected);
    let span = humantime::parse_duration(&text).map_err(|_| refuse())?;
    if span >= Duration::from_secs(24 * 60 * 60) { Ok(span) } else { Err(refuse()) }
}

fn scope(text: &str) -> Result<Scope, ConfigError> {
    text.parse().map_err(|error: gatepass_oauth::scope::InvalidScope| value("clients.scope", text, error))
}

fn resource(text: &str) -> Result<ResourceUri, ConfigError> {
    text.parse().map_err(|error: gatepass_oauth::resource::InvalidResource| value("clients.resources", text, error))
}
