//! `/l/XXXX-XXXX`: a short link to a sign-in that a program has begun.

use super::{Page, PageFailure, message};
use crate::{
    app::App,
    web::{caller::From as CallerFrom, segment::Segment},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_authority::Failure;
use gatepass_oauth::UserCode;

/// Leads to the authorization endpoint. Opening it uses nothing up.
pub(crate) async fn follow(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    Segment(code): Segment,
) -> Result<Response<Body>, PageFailure> {
    let query = match code.parse::<UserCode>() {
        Ok(code) => app.authority.follow_ticket(&code, &caller).await?,
        Err(_) => None,
    };
    let Some(query) = query else {
        let page = message(
            "This link leads nowhere",
            "It may be mistyped, expired or used.",
            "Go back to the program that showed it and start again.",
        );
        return Ok((StatusCode::NOT_FOUND, Page(page)).into_response());
    };
    let mut location = HeaderValue::from_str(&format!("/authorize?{}", query.expose()))
        .map_err(|_| Failure::internal("a redirect that is no header"))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
