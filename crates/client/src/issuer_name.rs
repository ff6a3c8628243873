//! How an issuer spells itself: by this `iss` is judged, byte for byte (RFC 9207 §2.4, OpenID Connect Core §3.1.3.7).
//!
//! Only its metadata tells whether a slash stands at the end. Where nobody has read any, since the endpoints were typed or
//! the sign-in is an old one, both spellings will do.

use gatepass_oauth::Issuer;

/// An issuer, and how it spells itself if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerName {
    issuer: Issuer,
    spelt: Option<String>,
}

impl IssuerName {
    /// As the issuer's metadata spells it, if anybody has read it.
    #[must_use]
    pub fn new(issuer: Issuer, spelt: Option<String>) -> Self {
        Self { issuer, spelt }
    }

    /// Whether `iss` is this issuer.
    #[must_use]
    pub fn is(&self, iss: &str) -> bool {
        match &self.spelt {
            Some(spelt) => iss == spelt,
            None => iss.strip_suffix('/').unwrap_or(iss) == self.issuer.as_str(),
        }
    }

    /// What its metadata says.
    #[must_use]
    pub fn spelt(&self) -> Option<&str> {
        self.spelt.as_deref()
    }

    /// What to call it where it reads its own name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.spelt.as_deref().unwrap_or(self.issuer.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_that_is_known_is_the_only_one() {
        let name =
            |spelt: Option<&str>| IssuerName::new("https://a.example".parse().unwrap(), spelt.map(str::to_owned));
        let taken = |name: &IssuerName| {
            ["https://a.example", "https://a.example/", "https://a.example//", "https://A.example", ""]
                .map(|iss| name.is(iss))
        };
        assert_eq!(taken(&name(Some("https://a.example"))), [true, false, false, false, false]);
        assert_eq!(taken(&name(Some("https://a.example/"))), [false, true, false, false, false]);
        assert_eq!(taken(&name(None)), [true, true, false, false, false]);
        assert_eq!(
            (name(Some("https://a.example/")).as_str(), name(None).as_str()),
            ("https://a.example/", "https://a.example")
        );
    }
}
