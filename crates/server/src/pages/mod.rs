//! What a person sees: plain HTML, without scripts, that also reads well aloud and on a phone.
//!
//! Every page forbids framing and inline code, is stored nowhere, and posts only where it says.

pub(crate) mod consent;
pub(crate) mod departure;
pub(crate) mod device;
pub(crate) mod form_post;
pub(crate) mod home;
pub(crate) mod login;
pub(crate) mod set_up;
pub(crate) mod ticket;

use crate::web::failure::{Refused, note, retry_after};
use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::{Html, IntoResponse},
};
use gatepass_authority::{Failure, UserId};
use gatepass_oauth::{ClientOrigin, Error, ErrorCode, Params, RedirectUri, ResourceUri, Scope};
use url::Url;

/// A page of a template, with the headers that keep it safe.
pub(crate) struct Page<T>(pub(crate) T);

impl<T: Template> Page<T> {
    /// The page, whose form may lead to one more place: browsers hold the redirects that follow a
    /// form to the page's `form-action`.
    pub(crate) fn allowing(self, action: Option<String>) -> Response<Body> {
        let Ok(html) = self.0.render() else {
            tracing::error!("a page could not be made");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let extra = action.map(|source| format!(" {source}")).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{extra}; frame-ancestors 'none'; base-uri 'none'"
        );
        let mut response = Html(html).into_response();
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        // Not `no-referrer`: under it browsers send `Origin: null` with our own forms.
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        response
    }
}

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response<Body> {
        self.allowing(None)
    }
}

/// The sources that a `form-action` must name so that a redirect to `redirect_uri` is followed, and those that may come
/// after it: Chromium holds the whole chain to them, and a client often leads on to another origin of its own.
pub(crate) fn form_action(uri: &RedirectUri) -> Option<String> {
    let url = Url::parse(uri.as_str()).ok()?;
    match (url.scheme(), url.host()) {
        ("https", _) => Some("https:".into()),
        // A source cannot name an IPv6 address.
        ("http", Some(url::Host::Ipv6(_))) => Some("https: http:".into()),
        ("http", _) => Some("https: http://127.0.0.1:* http://localhost:*".into()),
        (scheme, _) => Some(format!("https: {scheme}:")),
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message {
    title: String,
    text: String,
    hint: String,
}

pub(crate) fn message(title: &str, text: &str, hint: &str) -> Message {
    Message { title: title.into(), text: text.into(), hint: hint.into() }
}

/// Whether a form was made for the person who sends it. Pages of one person must not be answered by
/// another who has signed in meanwhile.
pub(crate) fn is_for(params: &Params<'_>, user: UserId) -> bool {
    params.get("user").is_some_and(|named| named == user.to_string())
}

/// What goes wrong on the way to a page.
pub(crate) enum PageFailure {
    /// The page was made for somebody else.
    OtherPerson,
    /// A use case did not come to its end.
    Failure(Failure),
    /// The request did not come from one of our pages.
    NotOurs,
    /// The form could not be read.
    Refused(Refused),
}

impl<E: Into<Failure>> From<E> for PageFailure {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Refused> for PageFailure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response<Body> {
        let failure = match self {
            Self::NotOurs => {
                let page = message(
                    "That did not come from this page",
                    "Your browser says that another site sent this request, so nothing was done.",
                    "Open the page at this server's own address and try again.",
                );
                return (StatusCode::FORBIDDEN, Page(page)).into_response();
            }
            Self::OtherPerson => {
                let page = message(
                    "Somebody else is signed in now",
                    "This page was made for another account, so nothing was done.",
                    "Go back to the program that sent you here and start again.",
                );
                return (StatusCode::CONFLICT, Page(page)).into_response();
            }
            Self::Refused(Refused { status, error }) => return (status, Page(bad_request(&error))).into_response(),
            Self::Failure(failure) => failure,
        };
        note(&failure);
        let wait = retry_after(&failure);
        let (status, page) = match failure {
            Failure::Protocol(error) if error.code == ErrorCode::InvalidClient => {
                (StatusCode::BAD_REQUEST, unknown_program(&error))
            }
            Failure::Protocol(error) => (StatusCode::BAD_REQUEST, bad_request(&error)),
            Failure::TooMany(too_many) => (
                StatusCode::TOO_MANY_REQUESTS,
                message(
                    "Too many attempts",
                    &format!("Wait {} seconds and try again.", too_many.retry_after.as_secs().max(1)),
                    "",
                ),
            ),
            Failure::Internal(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                message("The server cannot answer now", "Nothing was lost.", "Try again in a moment."),
            ),
        };
        let mut response = (status, Page(page)).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn bad_request(error: &Error) -> Message {
    message(
        "This request cannot be answered",
        &format!("The reason: {} ({})", error.description, error.code),
        "Go back to the program that sent you here and start again. If it happens again, tell its maker what this page says.",
    )
}

/// A registration that was removed, mistyped, or never was.
fn unknown_program(error: &Error) -> Message {
    message(
        "This program is not known here",
        &format!("Nothing was allowed and nothing is lost. The server says: {}.", error.description),
        "Go back to the program and sign in anew: it then registers itself again. If this page comes back, remove the sign-in that the program remembers for this server, or ask its maker or the operator of this server.",
    )
}

/// Who stands for a stranger's program, for a page.
pub(crate) struct Program {
    /// The host of its document; `None`: nobody does, it registered itself.
    pub(crate) host: Option<String>,
}

impl Program {
    pub(crate) fn of(origin: ClientOrigin, host: Option<&str>) -> Option<Self> {
        (origin != ClientOrigin::Operator).then(|| Self { host: host.map(str::to_owned) })
    }
}

/// One line of what is asked for, in words.
pub(crate) struct ScopeLine {
    pub(crate) name: String,
    pub(crate) words: &'static str,
}

/// A scope in words; names that are somebody else's stand for themselves.
pub(crate) fn scope_lines(scope: &Scope) -> Vec<ScopeLine> {
    let words = |name: &str| match name {
        "openid" => "know who you are",
        "profile" => "see your name",
        "email" => "see your email address",
        "offline_access" => "stay signed in while you are away",
        "account" => "see your account at this server",
        _ => "",
    };
    scope.iter().map(|name| ScopeLine { name: name.to_owned(), words: words(name) }).collect()
}

/// Where an API stands, for a page.
pub(crate) fn host_of(resource: &str) -> String {
    resource
        .parse::<ResourceUri>()
        .ok()
        .and_then(|uri| Url::parse(uri.as_str()).ok())
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The style sheet; its address carries the version, so it may be kept.
pub(crate) async fn style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, include_str!("../../assets/gatepass.css"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_lead_to_the_client_and_from_there_on() {
        let table = [
            ("https://app.example/cb?x=1", Some("https:")),
            ("http://127.0.0.1:4711/callback", Some("https: http://127.0.0.1:* http://localhost:*")),
            ("http://[::1]:4711/callback", Some("https: http:")),
            ("com.example.app:/cb", Some("https: com.example.app:")),
        ];
        for (uri, source) in table {
            assert_eq!(form_action(&uri.parse().unwrap()).as_deref(), source, "{uri}");
        }
    }
}
