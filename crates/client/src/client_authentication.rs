//! How the OAuth client that signs in proves itself (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).
//!
//! Secrets, keys and certificates are kept by value: each renewal proves the client again, and must not depend on a file
//! that was there once.

use crate::{client_key::ClientSigner, tls_identity::TlsIdentity};
use gatepass_oauth::Secret;
use serde::{Deserialize, Serialize};

/// How a client proves itself. It is kept with the sign-in, since a refresh proves itself again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// Not at all: a public client.
    #[default]
    None,
    /// By a secret in the `Authorization` header.
    ClientSecretBasic {
        /// The secret.
        secret: Secret,
    },
    /// By a secret among the form's fields.
    ClientSecretPost {
        /// The secret.
        secret: Secret,
    },
    /// By a JWT that it signs for each request.
    PrivateKeyJwt(ClientSigner),
    /// By the certificate of the connection.
    Tls(TlsIdentity),
    /// There is no client: the grant says all there is to say (RFC 7521 §4.1).
    Nameless,
}

impl ClientAuthentication {
    /// The certificate of the connection. Servers bind tokens to it (RFC 8705 §3), so that requests with a token show it too.
    #[must_use]
    pub fn certificate(&self) -> Option<&TlsIdentity> {
        match self {
            Self::Tls(identity) => Some(identity),
            _ => None,
        }
    }
}
