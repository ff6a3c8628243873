//! On the way to an address that a stranger chose: the page names its host, and the person goes on or does not (RFC 9700
//! §4.11.2). Without it, a link to this server would be a link to anywhere.

use super::{Page, form_action};
use askama::Template;
use axum::{
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse,
};
use gatepass_authority::{
    authorize::{Departure, Next},
    logout::GoOn,
};
use gatepass_oauth::Secret;

#[derive(Template)]
#[template(path = "departure.html")]
struct Leaving<'a> {
    title: &'a str,
    text: String,
    goes_to: String,
    way: Way<'a>,
}

/// How the answer travels.
enum Way<'a> {
    Link(&'a str),
    Form { action: &'a str, fields: &'a [(&'static str, Secret)] },
}

/// A request that came to nothing.
pub(crate) fn with_error(leaving: &Departure) -> Response<Body> {
    let way = match &leaving.next {
        Next::Redirect(location) => Way::Link(location),
        Next::Post { redirect_uri, fields } => Way::Form { action: redirect_uri.as_str(), fields },
        _ => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let page = Leaving {
        title: "This request cannot be answered",
        text: format!("The reason: {} ({}).", leaving.error.description, leaving.error.code),
        goes_to: leaving.redirect_uri.shown_host(),
        way,
    };
    let mut response = Page(page).allowing(form_action(&leaving.redirect_uri));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Nobody is signed in.
pub(crate) fn after_sign_out(to: &GoOn) -> Response<Body> {
    let page = Leaving {
        title: "You are signed out",
        text: String::new(),
        goes_to: to.uri.shown_host(),
        way: Way::Link(&to.location),
    };
    Page(page).into_response()
}
