//! The start page: who is signed in here, and the way to the other pages.

use super::{Page, PageFailure};
use crate::{app::App, web::session};
use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Response},
    response::IntoResponse,
};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    email: Option<String>,
    issuer: String,
}

pub(crate) async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response<Body>, PageFailure> {
    let session = session::read(&app, &headers).await?;
    Ok(Page(Home { email: session.map(|session| session.email), issuer: app.authority.issuer().to_string() })
        .into_response())
}
