//! A string that must not be seen: tokens, codes, passwords, client secrets.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

/// A secret string. It can be compared only through what the `keys` crate offers, prints as
/// `<secret>`, and is wiped when dropped. [`Secret::expose`] is the one way to the text, so that
/// every place that handles it in the clear can be found by name.
///
/// It serializes as its text: the wire messages of the token endpoint carry it on purpose.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes the text; the caller's copy is gone with it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self::from(text)
    }

    /// The text itself, for the wire or for hashing; never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret {
    fn from(mut text: String) -> Self {
        if text.len() == text.capacity() {
            return Self(text.into());
        }
        let exact = Self(text.as_str().into());
        text.zeroize();
        exact
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_its_text() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "<secret>");
        assert!(!format!("{:#?}", Some(&secret)).contains("hunter2"));
    }
}
