//! What a client is called and what it may do (RFC 7591 §2).

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// `client_id`: printable ASCII, at most 512 characters (RFC 6749 appendix A.1). Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Box<str>);

/// The text is no client identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client_id is 1 to 512 characters of printable ASCII")]
pub struct InvalidClientId;

impl ClientId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ClientId> for Box<str> {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, InvalidClientId> {
        if (1..=512).contains(&text.len()) && text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidClientId)
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $text:literal, )* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $( $(#[$vdoc])* #[serde(rename = $text)] $variant, )* }

        impl $name {
            /// Every value, in the order of the standards.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The value as it stands on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }

        impl FromStr for $name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                match text { $( $text => Ok(Self::$variant), )* _ => Err(UnknownValue { known: &[ $( $text, )* ] }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// The text is none of the known values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    known: &'static [&'static str],
}

impl UnknownValue {
    pub(crate) fn of(known: &'static [&'static str]) -> Self {
        Self { known }
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the known values are {}", self.known.join(", "))
    }
}

impl std::error::Error for UnknownValue {}

wire_enum! {
    /// `grant_type`: what a token is asked for with.
    GrantType {
        /// RFC 6749 §4.1.3.
        AuthorizationCode = "authorization_code",
        /// RFC 6749 §6.
        RefreshToken = "refresh_token",
        /// RFC 6749 §4.4.
        ClientCredentials = "client_credentials",
        /// RFC 8628 §3.4.
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// RFC 7523 §2.1.
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
        /// RFC 8693 §2.1.
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
    }
}

wire_enum! {
    /// What the access tokens of a resource look like.
    TokenFormat {
        /// Random: only who asks this server knows what they stand for.
        Opaque = "opaque",
        /// Signed (RFC 9068): whoever has this server's public keys can read them.
        Jwt = "jwt",
    }
}

wire_enum! {
    /// `subject_token_type` and its like (RFC 8693 §3).
    TokenTypeUri {
        /// An access token of this server, in whatever form.
        AccessToken = "urn:ietf:params:oauth:token-type:access_token",
        /// A JWT; here an access token in that form.
        Jwt = "urn:ietf:params:oauth:token-type:jwt",
    }
}

wire_enum! {
    /// `token_endpoint_auth_method`: how a client proves itself.
    ClientAuthMethod {
        /// A public client: it names itself and proves nothing.
        None = "none",
        /// The secret in the `Authorization` header (RFC 6749 §2.3.1).
        ClientSecretBasic = "client_secret_basic",
        /// The secret in the body (RFC 6749 §2.3.1).
        ClientSecretPost = "client_secret_post",
        /// A JWT signed with the client's key (RFC 7523 §2.2).
        PrivateKeyJwt = "private_key_jwt",
        /// A certificate of a trusted authority, with a registered subject (RFC 8705 §2.1).
        TlsClientAuth = "tls_client_auth",
        /// A certificate with a registered key (RFC 8705 §2.2).
        SelfSignedTlsClientAuth = "self_signed_tls_client_auth",
    }
}

impl ClientAuthMethod {
    /// Whether the client proves itself by the certificate of its TLS connection.
    #[must_use]
    pub fn is_mutual_tls(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_values_read_back() {
        for grant in GrantType::ALL {
            assert_eq!(grant.as_str().parse::<GrantType>().as_ref(), Ok(grant));
        }
        for method in ClientAuthMethod::ALL {
            assert_eq!(method.as_str().parse::<ClientAuthMethod>().as_ref(), Ok(method));
        }
        assert!("password".parse::<GrantType>().unwrap_err().to_string().contains("refresh_token"));
    }

    #[test]
    fn a_client_id_is_bounded_and_printable() {
        assert!("".parse::<ClientId>().is_err());
        assert!("x".repeat(513).parse::<ClientId>().is_err());
        assert!("a\u{202e}b".parse::<ClientId>().is_err());
        assert!("gatepass-cli".parse::<ClientId>().is_ok());
    }
}
