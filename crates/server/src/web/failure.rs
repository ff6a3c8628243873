//! What goes wrong, as HTTP: one table.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_authority::{Failure, TooMany};
use gatepass_oauth::{Error, ErrorCode};

/// The status of an error of the token, device, revocation and similar endpoints (RFC 6749 §5.2).
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A failure as a JSON answer.
pub(crate) struct JsonFailure(pub(crate) Failure);

impl<E: Into<Failure>> From<E> for JsonFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for JsonFailure {
    fn into_response(self) -> Response<Body> {
        note(&self.0);
        let wait = retry_after(&self.0);
        let too_many = matches!(self.0, Failure::TooMany(_));
        let error = self.0.into_protocol();
        let status = if too_many { StatusCode::TOO_MANY_REQUESTS } else { status(error.code) };
        let mut response = (status, Json(error.body())).into_response();
        let headers = response.headers_mut();
        if error.code == ErrorCode::InvalidClient {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"gatepass\""));
        }
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A request that was refused before any use case saw it.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) error: Error,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let mut response = (self.status, Json(self.error.body())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// How many seconds to wait before trying again, if that would help.
pub(crate) fn retry_after(failure: &Failure) -> Option<u64> {
    match failure {
        Failure::TooMany(TooMany { retry_after }) => Some(retry_after.as_secs().max(1)),
        Failure::Internal(_) => Some(1),
        Failure::Protocol(_) => None,
    }
}

/// Writes a failure to the log: our own trouble loudly, a client's quietly.
pub(crate) fn note(failure: &Failure) {
    match failure {
        Failure::Internal(detail) => tracing::error!(detail, "a request could not be answered"),
        // Whoever sends too much must not fill the log too: the first of it is an event, and told there.
        Failure::TooMany(_) => tracing::debug!("there were too many attempts"),
        Failure::Protocol(error) => match error.code {
            ErrorCode::AuthorizationPending
            | ErrorCode::SlowDown
            | ErrorCode::ExpiredToken
            | ErrorCode::AccessDenied => {
                tracing::debug!(error = %error.code, "a poll was answered")
            }
            _ => {
                tracing::info!(error = %error.code, description = %error.description, detail = error.detail.as_deref(), "a request was refused")
            }
        },
    }
}

/// The answer to a request that took too long.
pub(crate) fn too_slow() -> Response<Body> {
    let error = Error::invalid_request("the request took too long");
    (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")], Json(error.body())).into_response()
}
