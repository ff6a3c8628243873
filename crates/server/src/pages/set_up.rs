//! The first account, by the link that the server printed when it started.

use super::{Page, PageFailure, login::signed_in, message};
use crate::{
    app::App,
    web::{caller::From as CallerFrom, own_form::OwnForm, segment::Segment},
};
use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
    response::IntoResponse,
};
use gatepass_authority::{
    add_user::{EmailState, NewUser, UserRefused},
    set_up::SetUp,
    sign_in::SignedIn,
};
use gatepass_oauth::Secret;

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpForm {
    email: String,
    name: String,
    problem: Option<String>,
}

fn used() -> Response<Body> {
    let page = message(
        "This link is used or expired",
        "A set-up link works once, for a day.",
        "Restart the server to get a new one, unless it has an owner already: then sign in.",
    );
    (StatusCode::NOT_FOUND, Page(page)).into_response()
}

pub(crate) async fn show(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    Segment(token): Segment,
) -> Result<Response<Body>, PageFailure> {
    if !app.authority.is_set_up_link(&token, &caller).await? {
        return Ok(used());
    }
    Ok(Page(SetUpForm { email: String::new(), name: String::new(), problem: None }).into_response())
}

pub(crate) async fn create(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    Segment(token): Segment,
    form: OwnForm,
) -> Result<Response<Body>, PageFailure> {
    let params = form.params()?;
    let (email, name) = (params.get("email").unwrap_or_default(), params.get("name").unwrap_or_default());
    // Whoever reads the server's own log vouches for their own address.
    let password = Secret::from(params.get("password").unwrap_or_default());
    let new = NewUser { email: email.into(), name: name.into(), password, email_state: EmailState::Verified };
    match app.authority.set_up(&token, new, &caller).await {
        Ok(SetUp::Done(SignedIn::Session(cookie))) => signed_in(&app, &cookie, "/"),
        Ok(_) => Ok(used()),
        Err(UserRefused::Failure(failure)) => Err(failure.into()),
        Err(refused) => {
            let page = SetUpForm { email: email.into(), name: name.into(), problem: Some(refused.to_string()) };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
        }
    }
}
