//! The pushed authorization request endpoint (RFC 9126).

use super::asker;
use crate::{
    app::App,
    web::{caller::From as CallerFrom, failure::JsonFailure, form::Form},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatepass_oauth::PushedResponse;

/// `201` with the reference (§2.2); errors as at the token endpoint (§2.3).
pub(crate) async fn push(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    headers: HeaderMap,
    form: Form,
) -> Result<(StatusCode, Json<PushedResponse>), JsonFailure> {
    let params = form.params()?;
    let asker = asker(&app, &headers, &form, caller).await?.with_key(&app, &headers, "/par").await?;
    Ok((StatusCode::CREATED, Json(app.authority.push(asker.asking(), &params).await?)))
}
