//! The session of a request, by its cookie.

use crate::app::App;
use axum::http::HeaderMap;
use gatepass_authority::{Failure, LiveSession};

/// Who is signed in, if anybody.
pub(crate) async fn read(app: &App, headers: &HeaderMap) -> Result<Option<LiveSession>, Failure> {
    match app.cookies.read(headers) {
        Some(cookie) => app.authority.session(cookie).await,
        None => Ok(None),
    }
}
