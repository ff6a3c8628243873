//! Paths and methods that are not there: a page for people, JSON for programs.

use crate::pages::{Page, message};
use axum::{
    Json,
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_oauth::Error;

pub(crate) async fn path(headers: HeaderMap) -> Response<Body> {
    let accepts_pages = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"));
    if accepts_pages {
        let page =
            message("Nothing here", "This address has no page.", "Check the address, or begin at the start page.");
        return (StatusCode::NOT_FOUND, Page(page)).into_response();
    }
    (StatusCode::NOT_FOUND, Json(Error::invalid_request("there is nothing at this path").body())).into_response()
}

pub(crate) async fn method() -> Response<Body> {
    (StatusCode::METHOD_NOT_ALLOWED, Json(Error::invalid_request("this endpoint does not take this method").body()))
        .into_response()
}
