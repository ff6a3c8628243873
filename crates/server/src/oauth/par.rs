//! The pushed authorization request endpoint (RFC 9126).

use super::{Visit, asker, bounded};
use crate::{
    app::App,
    web::{failure::JsonFailure, form::Form},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatepass_authority::Failure;
use gatepass_oauth::PushedResponse;

/// `201` with the reference (§2.2); errors as at the token endpoint (§2.3).
pub(crate) async fn push(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Result<(StatusCode, Json<PushedResponse>), JsonFailure> {
    let pushed = bounded(&app, &visit, answer(&app, &headers, &form, &visit)).await?;
    Ok((StatusCode::CREATED, Json(pushed)))
}

async fn answer(app: &App, headers: &HeaderMap, form: &Form, visit: &Visit) -> Result<PushedResponse, Failure> {
    let params = form.params()?;
    let asker = asker(app, headers, &params, visit).await?.with_key(app, headers, "/par").await?;
    app.authority.push(asker.asking(), &params).await
}
