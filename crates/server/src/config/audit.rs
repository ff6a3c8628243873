//! `[audit]`: what is kept of what happened, and how long.

use super::{ConfigError, value};
use gatepass_authority::trail::{Routine, TrailSettings};
use serde::Deserialize;
use std::time::Duration;

/// The table `[audit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    keep: Option<String>,
    routine: Option<bool>,
}

/// The settings in force.
pub(super) fn resolve(file: File) -> Result<TrailSettings, ConfigError> {
    let standard = TrailSettings::default();
    let keep = match file.keep {
        None => standard.keep,
        Some(text) => {
            let (shortest, longest) = (Duration::from_secs(60 * 60), Duration::from_secs(100 * 366 * 24 * 60 * 60));
            let span = humantime::parse_duration(&text).ok().filter(|span| (shortest..=longest).contains(span));
            span.ok_or_else(|| value("audit.keep", &text, "it is a time between 1h and 100 years, such as \"365d\""))?
        }
    };
    let routine = if file.routine == Some(false) { Routine::Counted } else { Routine::Kept };
    Ok(TrailSettings { keep, routine })
}
