//! `[keys]`: when signing keys change.

use super::{ConfigError, value};
use gatepass_authority::KeySettings;
use serde::Deserialize;
use std::time::Duration;

/// The table `[keys]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    rotate_every: Option<String>,
    publish_ahead: Option<String>,
}

/// The settings in force. A key is published long enough for every node and every verifier to know it before it signs.
pub(super) fn resolve(file: File) -> Result<KeySettings, ConfigError> {
    let standard = KeySettings::default();
    let rotate_every = span("keys.rotate_every", file.rotate_every.as_deref(), standard.rotate_every)?;
    let ahead = file.publish_ahead.as_deref();
    let publish_ahead = span("keys.publish_ahead", ahead, standard.publish_ahead.min(rotate_every / 2))?;
    if publish_ahead > rotate_every / 2 {
        let text = ahead.unwrap_or_default();
        return Err(value("keys.publish_ahead", text, "it is at most half of keys.rotate_every"));
    }
    Ok(KeySettings { rotate_every, publish_ahead })
}

fn span(setting: &'static str, text: Option<&str>, standard: Duration) -> Result<Duration, ConfigError> {
    let Some(text) = text else { return Ok(standard) };
    let (shortest, longest) = (Duration::from_secs(10 * 60), Duration::from_secs(10 * 366 * 24 * 60 * 60));
    let expected = "it is a time between 10m and 10 years, such as \"24h\" or \"90d\"";
    let span = humantime::parse_duration(text).map_err(|_| value(setting, text, expected))?;
    if (shortest..=longest).contains(&span) { Ok(span) } else { Err(value(setting, text, expected)) }
}
