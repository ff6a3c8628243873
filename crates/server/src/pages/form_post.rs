//! A response that the browser posts to the client (OAuth 2.0 Form Post Response Mode).
//!
//! The page has a button. Where scripts run, one of our own (no inline script, only from this server) presses it at once.

use super::{Page, form_action};
use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
    response::IntoResponse,
};
use gatepass_oauth::{RedirectUri, Secret};

#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPost<'a> {
    action: &'a str,
    goes_to: String,
    fields: &'a [(&'static str, Secret)],
}

/// The page.
pub(crate) fn page(redirect_uri: &RedirectUri, fields: &[(&'static str, Secret)]) -> Response<Body> {
    let page = FormPost { action: redirect_uri.as_str(), goes_to: redirect_uri.shown_host(), fields };
    let mut response = Page(page).allowing(form_action(redirect_uri));
    let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    let policy = policy.and_then(|policy| HeaderValue::from_str(&format!("{policy}; script-src 'self'")).ok());
    if let Some(policy) = policy {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The script that presses the button; its address carries the version, so it may be kept.
pub(crate) async fn script() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, include_str!("../../assets/submit.js"))
}
