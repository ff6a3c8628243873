//! Device authorization (RFC 8628): the answer of the endpoint, and the code a person types.

use crate::Secret;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The answer of the device authorization endpoint (§3.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceAuthorizationResponse {
    /// What the device polls with.
    pub device_code: Secret,
    /// What the person types; shown to them, so not kept from the screen, but never logged.
    pub user_code: String,
    /// Where they type it. Some servers say `verification_url`.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "verification_url_complete")]
    pub verification_uri_complete: Option<String>,
    /// The life of both codes in seconds.
    pub expires_in: u64,
    /// The least time between polls in seconds; 5 when the server does not say (§3.2).
    #[serde(default = "default_interval")]
    pub interval: u64,
    /// A number that the page may ask for, shown only where the code is shown: gatepass's own
    /// addition against codes that a stranger sends along (§5.4), given to clients that ask with
    /// `number_match=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_match: Option<String>,
}

fn default_interval() -> u64 {
    5
}

/// What `slow_down` adds to the interval for good, in seconds (§3.5).
pub const SLOW_DOWN_SECONDS: u64 = 5;

/// The letters of a user code: no vowels, so no words; nothing that looks like a digit (§6.1).
pub const USER_CODE_ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters a user code has: 20⁸ ≈ 2³⁴.
pub const USER_CODE_LENGTH: usize = 8;

/// A user code: eight letters, shown as `XXXX-XXXX`. Debug prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

/// The text is no user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has eight letters, as in WDJB-MJHT")]
pub struct InvalidUserCode;

impl UserCode {
    /// Makes a code from letters drawn by `pick`, which answers a uniform number below its argument.
    pub fn draw(mut pick: impl FnMut(usize) -> usize) -> Self {
        let letter = |index: usize| USER_CODE_ALPHABET.get(index).copied().map_or('B', char::from);
        Self((0..USER_CODE_LENGTH).map(|_| letter(pick(USER_CODE_ALPHABET.len()))).collect())
    }

    /// The eight letters without the dash, for hashing.
    #[must_use]
    pub fn letters(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserCode {
    type Err = InvalidUserCode;

    /// Reads what a person typed: case, spaces and dashes do not count (§6.1).
    fn from_str(text: &str) -> Result<Self, InvalidUserCode> {
        if text.len() > 64 {
            return Err(InvalidUserCode);
        }
        let letters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—' | '_' | '.'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let good = letters.len() == USER_CODE_LENGTH && letters.bytes().all(|b| USER_CODE_ALPHABET.contains(&b));
        if good { Ok(Self(letters)) } else { Err(InvalidUserCode) }
    }
}

impl fmt::Display for UserCode {
    /// `XXXX-XXXX`, for the person's eyes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at_checked(4).unwrap_or((&self.0, ""));
        write!(f, "{first}-{second}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(<secret>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_code_may_have_any_case_spaces_and_dashes() {
        for typed in ["WDJBMJHT", "wdjb-mjht", " WDJB MJHT ", "w-d-j-b-m-j-h-t", "WDJB–MJHT"] {
            assert_eq!(typed.parse::<UserCode>().unwrap().to_string(), "WDJB-MJHT", "{typed}");
        }
        for bad in ["", "WDJB-MJH", "WDJB-MJHTX", "WDJB-MJH1", "WDJB-MJHA", "ẅDJB-MJHT"] {
            assert!(bad.parse::<UserCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_drawn_code_reads_back_and_does_not_print_in_debug() {
        let mut next = 0;
        let code = UserCode::draw(|below| {
            next += 7;
            next % below
        });
        assert_eq!(code.to_string().parse::<UserCode>().unwrap(), code);
        assert!(!format!("{code:?}").contains(code.letters()));
    }

    #[test]
    fn an_answer_without_interval_means_five_seconds() {
        let answer: DeviceAuthorizationResponse = serde_json::from_str(
            r#"{"device_code":"x","user_code":"y","verification_url":"https://a.example/device","expires_in":600}"#,
        )
        .unwrap();
        assert_eq!(answer.interval, 5);
        assert_eq!(answer.verification_uri, "https://a.example/device");
    }
}
