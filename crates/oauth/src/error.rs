//! What can go wrong, in the words of the standards.
//!
//! An [`Error`] has a public half (the code and a description for the developer of the client) and
//! a private half (the detail, for our log). Only the public half ever leaves the server.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

macro_rules! error_codes {
    ($( $(#[$doc:meta])* $variant:ident = $text:literal, )*) => {
        /// An error code of the OAuth family of standards.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $( $(#[$doc])* $variant, )* }

        impl ErrorCode {
            /// The code as it stands on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }

            /// Every code, in the order of the standards.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];
        }
    };
}

error_codes! {
    /// The request is malformed, or a parameter is missing, repeated or invalid (RFC 6749 §5.2).
    InvalidRequest = "invalid_request",
    /// Client authentication failed (RFC 6749 §5.2).
    InvalidClient = "invalid_client",
    /// The grant is invalid, expired, revoked, or was issued to someone else (RFC 6749 §5.2).
    InvalidGrant = "invalid_grant",
    /// This client may not use this grant type (RFC 6749 §5.2).
    UnauthorizedClient = "unauthorized_client",
    /// The server does not offer this grant type (RFC 6749 §5.2).
    UnsupportedGrantType = "unsupported_grant_type",
    /// The scope is unknown, malformed or more than may be had (RFC 6749 §5.2).
    InvalidScope = "invalid_scope",
    /// The person or the server said no (RFC 6749 §4.1.2.1).
    AccessDenied = "access_denied",
    /// The server does not offer this response type (RFC 6749 §4.1.2.1).
    UnsupportedResponseType = "unsupported_response_type",
    /// The server met a condition it did not expect (RFC 6749 §4.1.2.1).
    ServerError = "server_error",
    /// The server cannot answer now; the same request may work later (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable = "temporarily_unavailable",
    /// The person has not decided yet; go on polling (RFC 8628 §3.5).
    AuthorizationPending = "authorization_pending",
    /// The polls come too fast: five seconds more between polls, for good (RFC 8628 §3.5).
    SlowDown = "slow_down",
    /// The device code is too old (RFC 8628 §3.5).
    ExpiredToken = "expired_token",
    /// The resource is unknown, malformed or not for this client (RFC 8707 §2).
    InvalidTarget = "invalid_target",
    /// The server does not revoke this type of token (RFC 7009 §2.2.1).
    UnsupportedTokenType = "unsupported_token_type",
    /// A sign-in page is needed and the client forbade one (OpenID Connect Core §3.1.2.6).
    LoginRequired = "login_required",
    /// A consent page is needed and the client forbade one (OpenID Connect Core §3.1.2.6).
    ConsentRequired = "consent_required",
    /// A page is needed and the client forbade one (OpenID Connect Core §3.1.2.6).
    InteractionRequired = "interaction_required",
    /// The person cannot prove themselves in the way that is asked for (OpenID Connect Unmet Authentication Requirements).
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
    /// The `request` parameter is not offered (OpenID Connect Core §3.1.2.6).
    RequestNotSupported = "request_not_supported",
    /// The `request_uri` parameter is not offered (OpenID Connect Core §3.1.2.6).
    RequestUriNotSupported = "request_uri_not_supported",
    /// The access token is expired, revoked, malformed or for someone else (RFC 6750 §3.1).
    InvalidToken = "invalid_token",
    /// The access token lacks a scope (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope",
    /// The person's sign-in is too old or too weak for this resource (RFC 9470 §3).
    InsufficientUserAuthentication = "insufficient_user_authentication",
    /// A redirect URI of a registration will not do (RFC 7591 §3.2.2).
    InvalidRedirectUri = "invalid_redirect_uri",
    /// A member of a registration will not do (RFC 7591 §3.2.2).
    InvalidClientMetadata = "invalid_client_metadata",
    /// The pushed request is unknown, expired or used (RFC 9101 §7, RFC 9126 §2.3).
    InvalidRequestUri = "invalid_request_uri",
    /// The DPoP proof will not do (RFC 9449 §5).
    InvalidDpopProof = "invalid_dpop_proof",
    /// The DPoP proof must carry the server's nonce (RFC 9449 §8).
    UseDpopNonce = "use_dpop_nonce",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error of a protocol endpoint.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Error {
    /// What the client's code may act on.
    pub code: ErrorCode,
    /// What the client's developer may read: a sentence, without anything secret.
    pub description: Cow<'static, str>,
    /// What only our log may hold; it carries no secret either.
    pub detail: Option<String>,
}

impl Error {
    /// An error with its public half.
    #[must_use]
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), detail: None }
    }

    /// Adds the private half.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The request is malformed.
    #[must_use]
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// The grant is not, or no longer, good.
    #[must_use]
    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// The client is unknown or did not prove itself. One text for both, so that nothing is told.
    #[must_use]
    pub fn invalid_client() -> Self {
        Self::new(ErrorCode::InvalidClient, "the client is unknown or its authentication failed")
    }

    /// The JSON body of an error answer.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.code.as_str().to_owned(),
            error_description: Some(printable(&self.description)),
            error_uri: None,
        }
    }
}

/// Keeps what RFC 6749 §5.2 allows in `error_description`: printable ASCII without `"` and `\`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

/// An error answer as it stands on the wire (RFC 6749 §5.2). `error` is text here, because a client
/// must live with codes that it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code.
    pub error: String,
    /// A sentence for the developer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// A page about the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

impl ErrorBody {
    /// Whether the answer carries this code.
    #[must_use]
    pub fn is(&self, code: ErrorCode) -> bool {
        self.error == code.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_to_the_characters_of_rfc_6749() {
        let error = Error::invalid_request("say \"no\" to \\ and \n and ü");
        assert_eq!(error.body().error_description.unwrap(), "say 'no' to ' and ? and ?");
    }

    #[test]
    fn the_private_detail_is_not_in_the_body() {
        let error = Error::invalid_grant("the code is used").with_detail("row 17");
        assert!(!serde_json::to_string(&error.body()).unwrap().contains("row 17"));
    }
}
