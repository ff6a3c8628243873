//! Why a request is not let in, and what is said to it: one table.

use crate::Settings;
use gatepass_oauth::{Challenge, Error, ErrorCode, Scheme, Scope, dpop::NONCE_HEADER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It carries no bearer token.
    Missing,
    /// What it carries is not one bearer token.
    Malformed,
    /// The token is unknown, expired, revoked, or for another audience; which is not told.
    InvalidToken,
    /// The token lacks this scope.
    InsufficientScope(Scope),
    /// A bound token came without one good proof of its key.
    InvalidProof,
    /// The proof must carry this nonce.
    UseNonce(String),
    /// The person's sign-in is too old or too weak (RFC 9470 §3).
    InsufficientUserAuthentication,
    /// Nobody can tell now.
    Unavailable,
}

impl Refusal {
    /// The answer, with its challenge.
    #[must_use]
    pub fn response<B: From<String>>(&self, settings: &Settings) -> Response<B> {
        self.response_to(Scheme::Bearer, settings)
    }

    /// The answer to a request whose token was sent, or ought to be sent, under this scheme.
    pub(crate) fn response_to<B: From<String>>(&self, scheme: Scheme, settings: &Settings) -> Response<B> {
        let (status, error) = self.status_and_error();
        let body = error.map(|(code, text)| serde_json::to_string(&Error::new(code, text).body()).unwrap_or_default());
        let mut response = Response::new(B::from(body.unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if error.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        } else {
            let scheme = match self {
                Self::InvalidProof | Self::UseNonce(_) => Scheme::Dpop,
                _ => scheme,
            };
            let challenge = Challenge {
                scheme,
                algs: settings.proof_algorithms.clone().filter(|_| scheme == Scheme::Dpop),
                error: error.map(|(code, _)| code),
                description: error.map(|(_, text)| text.to_owned()),
                scope: self.scope(settings),
                resource_metadata: settings.metadata_url.clone(),
                acr_values: settings.step_up.acr_values().filter(|_| self.is_step_up()),
                max_age: settings.step_up.max_age().filter(|_| self.is_step_up()),
            };
            append(headers, &challenge);
            // Who came without anything may come either way (RFC 9449 §7.2).
            if let (Self::Missing, Scheme::Bearer, Some(algs)) = (self, scheme, &settings.proof_algorithms) {
                let algs = Some(algs.clone());
                append(headers, &Challenge { scheme: Scheme::Dpop, algs, ..challenge });
            }
        }
        if let Self::UseNonce(nonce) = self
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert(HeaderName::from_static(NONCE_HEADER), nonce);
        }
        response
    }

    /// The table.
    fn status_and_error(&self) -> (StatusCode, Option<(ErrorCode, &'static str)>) {
        match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, None),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                Some((ErrorCode::InvalidRequest, "the Authorization header is not one bearer token")),
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                Some((ErrorCode::InvalidToken, "the access token is expired, revoked or not for this resource")),
            ),
            Self::InsufficientScope(_) => {
                (StatusCode::FORBIDDEN, Some((ErrorCode::InsufficientScope, "the access token lacks a scope")))
            }
            Self::InvalidProof => (
                StatusCode::UNAUTHORIZED,
                Some((ErrorCode::InvalidDpopProof, "the token needs one good proof of its key, made for this request")),
            ),
            Self::UseNonce(_) => (
                StatusCode::UNAUTHORIZED,
                Some((ErrorCode::UseDpopNonce, "the proof needs the nonce of the header DPoP-Nonce")),
            ),
            Self::InsufficientUserAuthentication => (
                StatusCode::UNAUTHORIZED,
                Some((
                    ErrorCode::InsufficientUserAuthentication,
                    "the person must sign in again, more recently or in another way",
                )),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some((ErrorCode::TemporarilyUnavailable, "the access token cannot be verified now")),
            ),
        }
    }

    /// The error that the answer names; none for a request without a credential.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.status_and_error().1.map(|(code, _)| code)
    }

    fn is_step_up(&self) -> bool {
        matches!(self, Self::InsufficientUserAuthentication)
    }

    /// The scope to ask for: the one that is missing, or all that this resource needs.
    fn scope(&self, settings: &Settings) -> Option<Scope> {
        match self {
            Self::InsufficientScope(scope) => Some(scope.clone()),
            _ => Some(settings.scope.clone()).filter(|scope| !scope.is_empty()),
        }
    }
}

fn append(headers: &mut HeaderMap, challenge: &Challenge) {
    if let Ok(value) = HeaderValue::from_str(&challenge.to_string()) {
        headers.append(header::WWW_AUTHENTICATE, value);
    }
}
