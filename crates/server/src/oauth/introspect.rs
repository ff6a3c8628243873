//! The introspection endpoint (RFC 7662), for resource servers.

use super::{Posted, asker, bounded};
use crate::{app::App, web::failure::JsonFailure};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Response, header},
    response::IntoResponse,
};
use gatepass_authority::Failure;
use gatepass_oauth::Secret;

/// The media type of a signed answer (RFC 9701 §5).
const SIGNED: &str = "application/token-introspection+jwt";

/// A token that is not known, over or for another resource is `{"active":false}`, never an error (§2.2).
pub(crate) async fn introspect(State(app): State<App>, posted: Posted) -> Result<Response<Body>, JsonFailure> {
    bounded(&app, &posted.visit, || answer(&app, &posted)).await
}

async fn answer(app: &App, posted: &Posted) -> Result<Response<Body>, Failure> {
    let params = posted.form.params()?;
    let asker = asker(app, posted, &params).await?;
    let token = Secret::from(params.required("token")?);
    let answer = app.authority.introspect(asker.asking(), &token).await?;
    if !wants_signed(&posted.headers) {
        return Ok(Json(answer).into_response());
    }
    let signed = app.authority.sign_introspection(asker.asking(), &answer).await?;
    Ok(([(header::CONTENT_TYPE, SIGNED)], signed).into_response())
}

/// Whether the answer is to be signed (RFC 9701 §4).
fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SIGNED))
}
