//! The public keys (RFC 7517 §5).

use crate::app::App;
use axum::{Json, extract::State, http::header, response::IntoResponse};

/// A verifier may keep the set for a while; it asks again when it meets a `kid` that it does not know.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.authority.jwks()))
}
