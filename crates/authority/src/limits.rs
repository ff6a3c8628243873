//! How much of what may be done: the limits as the operator may set them.
//!
//! Each limit is a constant beside the others in `throttle`, by name. What the operator has said of a name takes its
//! place.

use crate::throttle::ALL;
use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub attempts: i64,
    /// In how long.
    pub window: Duration,
}

/// What the operator has said of the limits; what is not said is as it is built in.
#[derive(Clone, Debug, Default)]
pub struct Limits(BTreeMap<&'static str, Option<Rate>>);

/// Why a limit will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// There is no such limit.
    #[error("it is not one of the limits: {}", names())]
    Name,
    /// The value is no rate.
    #[error("it is a number per time from 1s to 1day, such as \"100/10m\", or \"off\"")]
    Rate,
}

/// The names of all limits, as they stand in a file.
#[must_use]
pub fn names() -> String {
    ALL.iter().map(|limit| limit.what.replace('-', "_")).collect::<Vec<_>>().join(", ")
}

impl FromStr for Rate {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        let (attempts, window) = text.split_once('/').ok_or(InvalidLimit::Rate)?;
        let attempts = attempts.trim().parse().map_err(|_| InvalidLimit::Rate)?;
        let window = humantime::parse_duration(window.trim()).map_err(|_| InvalidLimit::Rate)?;
        let day = Duration::from_secs(24 * 60 * 60);
        let good = (1..=1_000_000_000).contains(&attempts) && (Duration::from_secs(1)..=day).contains(&window);
        if good { Ok(Self { attempts, window }) } else { Err(InvalidLimit::Rate) }
    }
}

impl Limits {
    /// Sets one limit: its name as in a file, and `N/TIME` or `off`.
    ///
    /// # Errors
    /// [`InvalidLimit`].
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), InvalidLimit> {
        let known = ALL.iter().find(|limit| limit.what.replace('-', "_") == name).ok_or(InvalidLimit::Name)?;
        let rate = if text == "off" { None } else { Some(text.parse()?) };
        self.0.insert(known.what, rate);
        Ok(())
    }

    /// What holds for a limit that is built in as `standard`; `None`: nothing.
    pub(crate) fn rate(&self, what: &str, standard: Rate) -> Option<Rate> {
        self.0.get(what).copied().unwrap_or(Some(standard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_by_its_name() {
        let standard = Rate { attempts: 10, window: Duration::from_secs(900) };
        let mut limits = Limits::default();
        assert_eq!(limits.rate("password", standard), Some(standard));
        limits.set("password", "5/1m").unwrap();
        limits.set("device_start_address", "off").unwrap();
        let minute = Duration::from_secs(60);
        assert_eq!(limits.rate("password", standard), Some(Rate { attempts: 5, window: minute }));
        assert_eq!(limits.rate("device-start-address", standard), None);
        assert_eq!(limits.set("passwords", "5/1m"), Err(InvalidLimit::Name));
        for bad in ["", "5", "0/1m", "-1/1m", "5/soon", "5/0s", "5/2days", "off "] {
            assert_eq!(limits.set("password", bad), Err(InvalidLimit::Rate), "{bad}");
        }
    }
}
