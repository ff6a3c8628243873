//! How a person proved who they are: `amr` (RFC 8176) and `acr` (OpenID Connect Core §2).

use crate::client::UnknownValue;
use std::{fmt, str::FromStr};

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignInMethod {
    /// A password.
    Password,
}

impl SignInMethod {
    /// Every way.
    pub const ALL: &'static [Self] = &[Self::Password];

    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
        }
    }

    /// The authentication methods, in the words of RFC 8176 §2.
    #[must_use]
    pub fn amr(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
        }
    }

    /// The authentication context class.
    #[must_use]
    pub fn acr(self) -> &'static str {
        match self {
            Self::Password => "urn:gatepass:acr:1fa",
        }
    }
}

/// Every authentication context class that a person can reach here.
#[must_use]
pub fn known_classes() -> Vec<&'static str> {
    let mut classes: Vec<&'static str> = SignInMethod::ALL.iter().map(|method| method.acr()).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

impl FromStr for SignInMethod {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        Self::ALL.iter().copied().find(|method| method.as_str() == text).ok_or(UnknownValue::of(&["password"]))
    }
}

impl fmt::Display for SignInMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
