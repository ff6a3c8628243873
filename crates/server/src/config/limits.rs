//! `[limits]`: how much of what may be done. Which limits there are, the authorization server says.

use super::{ConfigError, value};
use gatepass_authority::Limits;
use std::collections::BTreeMap;

/// The table `[limits]`: a name and `"N/TIME"` or `"off"`.
pub(super) type File = BTreeMap<String, String>;

/// The limits in force.
pub(super) fn resolve(file: &File) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    for (name, text) in file {
        limits.set(name, text).map_err(|error| value("limits", &format!("{name} = \"{text}\""), error))?;
    }
    Ok(limits)
}
