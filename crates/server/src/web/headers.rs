//! What every answer carries.

use crate::app::App;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, header},
};

/// Puts on the headers that keep an answer where it belongs. An endpoint's own choice stays.
pub(crate) fn put_on(response: &mut Response<Body>, app: &App) {
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::CACHE_CONTROL, "no-store");
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !app.authority.issuer().is_plain_http() {
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
}
