//! The pushed authorization request endpoint (RFC 9126).

use super::{Posted, asker, bounded};
use crate::{app::App, web::failure::JsonFailure};
use axum::{Json, extract::State, http::StatusCode};
use gatepass_authority::Failure;
use gatepass_oauth::PushedResponse;

/// `201` with the reference (§2.2); errors as at the token endpoint (§2.3).
pub(crate) async fn push(
    State(app): State<App>,
    posted: Posted,
) -> Result<(StatusCode, Json<PushedResponse>), JsonFailure> {
    let pushed = bounded(&app, &posted.visit, || answer(&app, &posted)).await?;
    Ok((StatusCode::CREATED, Json(pushed)))
}

async fn answer(app: &App, posted: &Posted) -> Result<PushedResponse, Failure> {
    let params = posted.form.params()?;
    let asker = asker(app, posted, &params).await?.with_key(app, &posted.headers, "/par").await?;
    app.authority.push(asker.asking(), &params).await
}
