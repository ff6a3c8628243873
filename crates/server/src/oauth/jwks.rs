//! The public keys (RFC 7517 §5).

use crate::app::App;
use axum::{Json, extract::State, http::header, response::IntoResponse};

/// A key is published long before it signs, so a verifier may keep the set for a while.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.authority.jwks()))
}
