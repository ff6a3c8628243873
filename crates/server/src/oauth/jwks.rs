//! The public keys (RFC 7517 §5).

use crate::{app::App, web::failure::JsonFailure};
use axum::{Json, extract::State, http::header, response::IntoResponse};
use gatepass_keys::JwkSet;

/// A verifier may keep the set for a while; it asks again when it meets a `kid` that it does not know.
/// Until then it may not know the newest: so a key is published long before it signs.
pub(crate) async fn show(State(app): State<App>) -> Result<impl IntoResponse, JsonFailure> {
    let keys: Json<JwkSet> = Json(app.authority.published_keys().await?);
    let keep = format!("public, max-age={}", app.authority.key_set_max_age().as_secs());
    Ok(([(header::CACHE_CONTROL, keep)], keys))
}
