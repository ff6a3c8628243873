//! The end session endpoint (OpenID Connect RP-Initiated Logout 1.0), and our own sign-out button.
//!
//! `GET` is a client's: with proof the person is signed out at once, without it a page asks. Where nobody is signed in
//! there is nothing to ask, and a page leads on to a stranger's address. `POST` from our own page is
//! the answer to that, or the button; from another site it is a client's form, which is asked again as a link, since the
//! browser adds the cookie only to that.

use crate::{
    app::App,
    pages::{Page, PageFailure, departure, form_action, is_for, message},
    web::{caller::From as CallerFrom, form::Form, origin, session},
};
use askama::Template;
use axum::{
    body::Body,
    extract::{FromRequest, RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_authority::{
    Caller, Failure,
    logout::{GoOn, LogoutCheck},
};
use gatepass_oauth::{ClientOrigin, Error, Params, logout::LogoutRequest};

#[derive(Template)]
#[template(path = "logout.html")]
struct Ask<'a> {
    email: String,
    user: String,
    client_name: Option<String>,
    request: &'a str,
}

/// `GET`: a client sends the browser here.
pub(crate) async fn ask(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, PageFailure> {
    let query = query.unwrap_or_default();
    let request = LogoutRequest::read(&Params::parse(query.as_bytes())?)?;
    let session = session::read(&app, &headers).await?;
    let check = app.authority.check_logout(&request, session.as_ref()).await?;
    match session {
        None => match check.go_on {
            Some(to) if to.client_origin != ClientOrigin::Operator => Ok(departure::after_sign_out(&to)),
            to => go_on(&app, to),
        },
        Some(_) if check.is_proven => {
            sign_out(&app, &headers, &caller).await?;
            go_on(&app, check.go_on)
        }
        Some(session) => {
            let page = Ask {
                user: session.user_id.to_string(),
                email: session.email,
                client_name: check.client_name,
                request: &query,
            };
            Ok(Page(page).allowing(check.go_on.and_then(|go_on| form_action(&go_on.uri))))
        }
    }
}

/// `POST`: our own page, or a client's form.
pub(crate) async fn answer(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    request: Request,
) -> Result<Response<Body>, PageFailure> {
    let headers = request.headers().clone();
    let is_ours = origin::is_our_own(&headers, app.authority.issuer());
    let form = match Form::from_request(request, &app).await {
        Ok(form) => form,
        Err(refused) if is_ours => return Err(refused.into()),
        Err(_) => return Err(PageFailure::NotOurs),
    };
    let params = form.params()?;
    if params.get("logout_request").is_none() && LogoutRequest::is_meant(&params) {
        return see_other(&format!("/logout?{}", form.as_query()?));
    }
    if !is_ours {
        return Err(PageFailure::NotOurs);
    }
    let Some(answer) = params.get("answer") else {
        // The button on our own pages.
        sign_out(&app, &headers, &caller).await?;
        return leave(&app, "/");
    };
    let session = session::read(&app, &headers).await?;
    if session.as_ref().is_some_and(|session| !is_for(&params, session.user_id)) {
        return Err(PageFailure::OtherPerson);
    }
    let request = LogoutRequest::read(&Params::parse(params.get("logout_request").unwrap_or_default().as_bytes())?)?;
    let LogoutCheck { go_on: to, .. } = app.authority.check_logout(&request, session.as_ref()).await?;
    match answer {
        "sign_out" => {
            sign_out(&app, &headers, &caller).await?;
            go_on(&app, to)
        }
        // Whoever stays signed in stays here: the client would take its page for the end of the session.
        "stay" => see_other("/"),
        _ => Err(Error::invalid_request("the answer is sign_out or stay").into()),
    }
}

async fn sign_out(app: &App, headers: &HeaderMap, caller: &Caller) -> Result<(), PageFailure> {
    if let Some(cookie) = app.cookies.read(headers) {
        app.authority.sign_out(cookie, caller).await?;
    }
    Ok(())
}

/// On to the client, or a page that says that it is done.
fn go_on(app: &App, to: Option<GoOn>) -> Result<Response<Body>, PageFailure> {
    match to {
        Some(to) => leave(app, &to.location),
        None => {
            let mut response = Page(message("You are signed out", "You may close this window.", "")).into_response();
            response.headers_mut().insert(header::SET_COOKIE, removed(app)?);
            Ok(response)
        }
    }
}

fn leave(app: &App, location: &str) -> Result<Response<Body>, PageFailure> {
    let mut response = see_other(location)?;
    response.headers_mut().insert(header::SET_COOKIE, removed(app)?);
    Ok(response)
}

fn removed(app: &App) -> Result<HeaderValue, Failure> {
    app.cookies.remove().ok_or_else(|| Failure::internal("a cookie that is no header"))
}

/// The location may hold an ID token, so it is not shown in any log.
fn see_other(location: &str) -> Result<Response<Body>, PageFailure> {
    let mut location =
        HeaderValue::from_str(location).map_err(|_| Failure::internal("a redirect that is no header"))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
