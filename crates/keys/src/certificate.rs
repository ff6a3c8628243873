//! The certificate that a client showed on its TLS connection, as bytes.
//!
//! A token is bound to it by its thumbprint (RFC 8705 §3.1), for which nobody has to read what it says.

use aws_lc_rs::digest;
use gatepass_oauth::Confirmation;
use std::{fmt, sync::Arc};

/// A client's certificate in DER. Its holder has proven, in the TLS handshake, to hold the private key.
/// Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<[u8]>);

impl ClientCertificate {
    /// The certificate of a connection whose handshake was good, or one that a trusted proxy tells of.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        Self(der.into())
    }

    /// The bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// What a token that is bound to it carries: `x5t#S256`.
    #[must_use]
    pub fn confirmation(&self) -> Confirmation {
        let thumbprint = crate::jws::base64url(digest::digest(&digest::SHA256, &self.0).as_ref());
        Confirmation::X5tS256(thumbprint.into())
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.confirmation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_confirmation_is_the_hash_of_the_bytes() {
        let confirmation = ClientCertificate::from_der(b"certificate").confirmation();
        assert_eq!(confirmation.to_string().parse(), Ok(confirmation.clone()));
        assert_ne!(confirmation, ClientCertificate::from_der(b"another").confirmation());
        assert_eq!(confirmation.to_string(), "x5t#S256:A9Zt0Ig1wco_EozOrNHzGslBYwlrIPRFroQoW8CDLXI", "SHA-256");
    }
}
