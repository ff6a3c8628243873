//! The pushed authorization request endpoint (RFC 9126).

use super::{asker, bounded};
use crate::{
    app::App,
    web::{caller::From as CallerFrom, failure::JsonFailure, form::Form},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use gatepass_authority::{Caller, Failure};
use gatepass_oauth::PushedResponse;

/// `201` with the reference (§2.2); errors as at the token endpoint (§2.3).
pub(crate) async fn push(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    headers: HeaderMap,
    form: Form,
) -> Result<(StatusCode, Json<PushedResponse>), JsonFailure> {
    let pushed = bounded(&app, &caller, answer(&app, &headers, &form, caller.clone())).await?;
    Ok((StatusCode::CREATED, Json(pushed)))
}

async fn answer(app: &App, headers: &HeaderMap, form: &Form, caller: Caller) -> Result<PushedResponse, Failure> {
    let params = form.params()?;
    let asker = asker(app, headers, form, caller).await?.with_key(app, headers, "/par").await?;
    app.authority.push(asker.asking(), &params).await
}
