//! `[lifetimes]`: how long things live.

use super::{ConfigError, value};
use gatepass_authority::Lifetimes;
use serde::Deserialize;
use std::time::Duration;

/// The table `[lifetimes]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    authorization_code: Option<String>,
    pushed_request: Option<String>,
    access_token: Option<String>,
    exchanged_token: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
    session: Option<String>,
}

/// The lifetimes in force.
pub(super) fn resolve(file: File) -> Result<Lifetimes, ConfigError> {
    let standard = Lifetimes::default();
    Ok(Lifetimes {
        authorization_code: lifetime(
            "lifetimes.authorization_code",
            file.authorization_code,
            standard.authorization_code,
        )?,
        pushed_request: lifetime("lifetimes.pushed_request", file.pushed_request, standard.pushed_request)?,
        access_token: lifetime("lifetimes.access_token", file.access_token, standard.access_token)?,
        exchanged_token: lifetime("lifetimes.exchanged_token", file.exchanged_token, standard.exchanged_token)?,
        refresh_token: lifetime("lifetimes.refresh_token", file.refresh_token, standard.refresh_token)?,
        device_code: lifetime("lifetimes.device_code", file.device_code, standard.device_code)?,
        session: lifetime("lifetimes.session", file.session, standard.session)?,
    })
}

fn lifetime(setting: &'static str, text: Option<String>, standard: Duration) -> Result<Duration, ConfigError> {
    let Some(text) = text else { return Ok(standard) };
    let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(10 * 366 * 24 * 60 * 60));
    let expected = "it is a time between 1s and 10 years, such as \"60s\", \"1h\" or \"30d\"";
    let span = humantime::parse_duration(&text).map_err(|_| value(setting, &text, expected))?;
    if (shortest..=longest).contains(&span) { Ok(span) } else { Err(value(setting, &text, expected)) }
}
