//! `cnf`: the key whose holder alone may use a token (RFC 7800 §3.1).
//!
//! A token is bound to a DPoP key by the key's thumbprint (RFC 9449 §6.1), or to a client certificate by
//! the certificate's (RFC 8705 §3.1). Both are SHA-256 in base64url, 43 characters.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a token is bound to; as JSON it is the member `cnf`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Members")]
pub enum Confirmation {
    /// The thumbprint of a DPoP key (RFC 7638).
    #[serde(rename = "jkt")]
    Jkt(Box<str>),
    /// The thumbprint of a client certificate.
    #[serde(rename = "x5t#S256")]
    X5tS256(Box<str>),
}

/// The members of `cnf` that are understood. Others do not matter beside one of these; alone they do, or a bound token
/// would pass for one that is not.
#[derive(Deserialize)]
struct Members {
    jkt: Option<Box<str>>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<Box<str>>,
}

impl TryFrom<Members> for Confirmation {
    type Error = InvalidConfirmation;

    fn try_from(members: Members) -> Result<Self, InvalidConfirmation> {
        match (members.jkt, members.x5t_s256) {
            (Some(thumbprint), None) => Ok(Self::Jkt(thumbprint)),
            (None, Some(thumbprint)) => Ok(Self::X5tS256(thumbprint)),
            _ => Err(InvalidConfirmation),
        }
    }
}

/// The text is no confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a confirmation is jkt: or x5t#S256: and a thumbprint of 43 characters")]
pub struct InvalidConfirmation;

/// Whether a text is a SHA-256 in base64url.
#[must_use]
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl FromStr for Confirmation {
    type Err = InvalidConfirmation;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, InvalidConfirmation> {
        match text.split_once(':') {
            Some(("jkt", thumbprint)) if is_thumbprint(thumbprint) => Ok(Self::Jkt(thumbprint.into())),
            Some(("x5t#S256", thumbprint)) if is_thumbprint(thumbprint) => Ok(Self::X5tS256(thumbprint.into())),
            _ => Err(InvalidConfirmation),
        }
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jkt(thumbprint) => write!(f, "jkt:{thumbprint}"),
            Self::X5tS256(thumbprint) => write!(f, "x5t#S256:{thumbprint}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THUMBPRINT: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

    #[test]
    fn a_confirmation_is_the_member_cnf_and_reads_back_from_its_column() {
        let table = [
            (Confirmation::Jkt(THUMBPRINT.into()), format!(r#"{{"jkt":"{THUMBPRINT}"}}"#)),
            (Confirmation::X5tS256(THUMBPRINT.into()), format!(r#"{{"x5t#S256":"{THUMBPRINT}"}}"#)),
        ];
        for (confirmation, json) in table {
            assert_eq!(serde_json::to_string(&confirmation).unwrap(), json);
            assert_eq!(confirmation.to_string().parse(), Ok(confirmation));
        }
        let read = serde_json::from_str::<Confirmation>;
        let beside = format!(r#"{{"kid":"a","jkt":"{THUMBPRINT}"}}"#);
        assert_eq!(read(&beside).unwrap(), Confirmation::Jkt(THUMBPRINT.into()), "what is not understood is ignored");
        let both = format!(r#"{{"x5t#S256":"{THUMBPRINT}","jkt":"{THUMBPRINT}"}}"#);
        for bad in [both.as_str(), "{}", r#"{"kid":"a"}"#, r#"{"jkt":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in ["", "jkt:", "jkt:short", "x:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"] {
            assert_eq!(bad.parse::<Confirmation>(), Err(InvalidConfirmation));
        }
    }
}
