//! What is answered when a request does not get to the upstream, or nothing comes back (RFC 9457).

use super::{body::Answer, guard::Refused};
use crate::error::{Error, Hint, Kind};
use gatepass_client::text::tidy;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

/// Seconds after which a request that met a passing trouble may come again.
const RETRY_AFTER_SECONDS: u16 = 5;

/// Why there is no answer of the upstream's.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    hint: Option<String>,
    command: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), hint: None, command: None }
    }

    /// Why there is no token: 401 for a sign-in that has ended, 503 for what will pass.
    pub(super) fn no_token(error: &Error) -> Self {
        let status = match error.kind {
            Kind::SignInNeeded => StatusCode::UNAUTHORIZED,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let (hint, command) = match &error.hint {
            Some(Hint { text, command }) => (Some(text.clone()), command.clone()),
            None => (None, None),
        };
        Self { status, detail: error.message.clone(), hint, command }
    }

    /// The upstream gave no answer.
    pub(super) fn no_answer(host: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut deepest = error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        Self::new(StatusCode::BAD_GATEWAY, format!("{host} cannot be reached: {}", tidy(&deepest.to_string(), 200)))
    }

    pub(super) fn is_sign_in_needed(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub(super) fn into_response(self) -> Response<Answer> {
        let document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "hint": self.hint,
            "command": self.command,
        });
        let mut response = Response::new(Answer::Own(Some(document.to_string().into())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"gatepass proxy\", error=\"invalid_token\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::new(StatusCode::NOT_FOUND, "nothing is here"),
            Refused::Host => Self::new(
                StatusCode::FORBIDDEN,
                "the request is not meant for this proxy: Host is 127.0.0.1, localhost or [::1], with its port",
            ),
            Refused::Origin => Self::new(StatusCode::FORBIDDEN, "pages of other sites cannot use this proxy"),
        }
    }
}

/// The request's own body could not be read.
pub(super) fn broken_request() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the request's body is broken or ended too early")
}
