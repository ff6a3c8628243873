//! `[webhook]`: who is told at once, and of what.

use super::{ConfigError, value};
use gatepass_authority::{EventKind, audit::Rank, webhook::WebhookSettings};
use serde::Deserialize;
use std::{fs, path::PathBuf};
use url::Url;

/// The variable that holds the secret instead of a file.
pub const VARIABLE: &str = "GATEPASS_WEBHOOK_SECRET";
/// What stands for every event that is alarming.
const ALARMING: &str = "alarming";

/// The table `[webhook]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    url: Option<String>,
    secret_file: Option<PathBuf>,
    events: Option<Vec<String>>,
}

/// The webhook, if there is one. `secret` is what the environment says.
pub(super) fn resolve(file: File, secret: Option<&str>) -> Result<Option<WebhookSettings>, ConfigError> {
    let Some(url) = file.url else { return Ok(None) };
    let key = match (secret, file.secret_file) {
        (Some(text), _) => text.parse().map_err(|error| value(VARIABLE, "(not shown)", error))?,
        (None, Some(path)) => {
            let shown = path.display().to_string();
            let text = fs::read_to_string(&path)
                .map_err(|error| value("webhook.secret_file", &shown, format!("it cannot be read ({error})")))?;
            text.parse().map_err(|error| value("webhook.secret_file", &shown, error))?
        }
        (None, None) => {
            let expected = format!("without a secret nobody could trust it: add secret_file or {VARIABLE}");
            return Err(value("webhook.url", &url, expected));
        }
    };
    let names = file.events.unwrap_or_else(|| vec![ALARMING.to_owned()]);
    Ok(Some(WebhookSettings { url: checked(url)?, key, kinds: kinds(&names)? }))
}

fn checked(url: String) -> Result<String, ConfigError> {
    let good = Url::parse(&url).is_ok_and(|parsed| match (parsed.scheme(), parsed.host()) {
        ("https", Some(_)) => true,
        ("http", Some(url::Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(url::Host::Ipv6(address))) => address.is_loopback(),
        ("http", Some(url::Host::Domain(name))) => name == "localhost",
        _ => false,
    });
    if good { Ok(url) } else { Err(value("webhook.url", &url, "it is an https URL, or http on loopback")) }
}

fn kinds(names: &[String]) -> Result<Vec<EventKind>, ConfigError> {
    let mut kinds = Vec::new();
    for name in names {
        if name == ALARMING {
            kinds.extend(EventKind::ALL.iter().copied().filter(|kind| kind.rank() == Rank::Alarming));
        } else {
            let expected = "it is 'alarming' or the name of an event, as 'gatepass admin audit' shows it";
            kinds.push(name.parse().map_err(|_| value("webhook.events", name, expected))?);
        }
    }
    Ok(kinds)
}
