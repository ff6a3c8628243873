//! How the OAuth client that signs in proves itself (RFC 6749 §2.3).

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
}
