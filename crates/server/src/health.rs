//! For whoever runs the server: is it alive, can it work?

use crate::app::App;
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::json;

/// The process answers.
pub(crate) async fn alive() -> impl IntoResponse {
    Json(json!({ "status": "alive" }))
}

/// The database answers too.
pub(crate) async fn ready(State(app): State<App>) -> impl IntoResponse {
    match app.authority.check().await {
        Ok(()) => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "the database does not answer" })))
        }
    }
}
