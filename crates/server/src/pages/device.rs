//! The device pages (RFC 8628 §3.3): enter the code, see who asks, say yes or no.
//!
//! Nothing is decided by opening a link: a code that came with the address still shows who asks and
//! waits for the button (§3.3.1, §5.4).

use super::{Page, PageFailure, Program, ScopeLine, host_of, is_for, login::required, message, scope_lines};
use crate::{
    app::App,
    web::{caller::From as CallerFrom, own_form::OwnForm, segment::Segment},
};
use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_authority::{
    Caller, Failure, LiveSession,
    decide_device::{Answer, Decided},
    show_device::{NumberRule, Shown},
};
use gatepass_oauth::{Error, UserCode};

#[derive(Template)]
#[template(path = "device_enter.html")]
struct Enter {
    email: String,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "device_confirm.html")]
struct Confirm {
    code: String,
    email: String,
    user: String,
    program: Option<Program>,
    client_name: String,
    first_party: bool,
    device_name: String,
    address: String,
    same_address: bool,
    minutes: u64,
    scopes: Vec<ScopeLine>,
    resource: Option<String>,
    asks_number: bool,
    problem: Option<&'static str>,
}

const NOTHING_WAITS: &str = "Nothing waits under this code. It may be mistyped, expired or used.";
const NOT_A_CODE: &str = "A code has eight letters, as in WDJB-MJHT.";
const WRONG_NUMBER: &str = "That is not the number that the device shows.";

pub(crate) async fn enter(State(app): State<App>, headers: HeaderMap) -> Result<Response<Body>, PageFailure> {
    match required(&app, &headers, "/device").await? {
        Ok(session) => Ok(Page(Enter { email: session.email, problem: None }).into_response()),
        Err(to_login) => Ok(to_login),
    }
}

/// The typed code, checked and led to its own page.
pub(crate) async fn look_up(
    State(app): State<App>,
    headers: HeaderMap,
    form: OwnForm,
) -> Result<Response<Body>, PageFailure> {
    let session = match required(&app, &headers, "/device").await? {
        Ok(session) => session,
        Err(to_login) => return Ok(to_login),
    };
    match form.params()?.get("user_code").unwrap_or_default().parse::<UserCode>() {
        Ok(code) => {
            let location = HeaderValue::from_str(&format!("/device/{code}"))
                .map_err(|_| Failure::internal("a code that is no header"))?;
            Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
        }
        Err(_) => Ok(again(session, NOT_A_CODE)),
    }
}

fn again(session: LiveSession, problem: &'static str) -> Response<Body> {
    (StatusCode::UNPROCESSABLE_ENTITY, Page(Enter { email: session.email, problem: Some(problem) })).into_response()
}

pub(crate) async fn show(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    Segment(code): Segment,
    headers: HeaderMap,
) -> Result<Response<Body>, PageFailure> {
    let Ok(code) = code.parse::<UserCode>() else { return enter(State(app), headers).await };
    match required(&app, &headers, &format!("/device/{code}")).await? {
        Ok(session) => question(&app, &code, session, &caller, None).await,
        Err(to_login) => Ok(to_login),
    }
}

async fn question(
    app: &App,
    code: &UserCode,
    session: LiveSession,
    caller: &Caller,
    problem: Option<&'static str>,
) -> Result<Response<Body>, PageFailure> {
    let Shown::Question(question) = app.authority.show_device(code, &session, caller).await? else {
        return Ok(again(session, NOTHING_WAITS));
    };
    let page = Confirm {
        code: code.to_string(),
        user: session.user_id.to_string(),
        email: session.email,
        program: Program::of(question.client_origin, question.client_host.as_deref()),
        client_name: question.client_name,
        first_party: question.first_party,
        same_address: question.address == caller.address,
        device_name: question.device_name,
        address: question.address,
        minutes: question.asked_at.until(app.authority.now()).as_secs() / 60,
        scopes: scope_lines(&question.scope),
        resource: question.resource.as_deref().map(host_of),
        asks_number: question.number == NumberRule::Asked,
        problem,
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Page(page)).into_response())
}

pub(crate) async fn decide(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    Segment(code): Segment,
    headers: HeaderMap,
    form: OwnForm,
) -> Result<Response<Body>, PageFailure> {
    let Ok(code) = code.parse::<UserCode>() else { return enter(State(app), headers).await };
    let session = match required(&app, &headers, &format!("/device/{code}")).await? {
        Ok(session) => session,
        Err(to_login) => return Ok(to_login),
    };
    let params = form.params()?;
    if !is_for(&params, session.user_id) {
        return Err(PageFailure::OtherPerson);
    }
    let answer = match params.get("answer") {
        Some("approve") => Answer::Approve { number: params.get("number").map(|number| number.trim().to_owned()) },
        Some("deny") => Answer::Deny,
        _ => return Err(Error::invalid_request("the answer is approve or deny").into()),
    };
    Ok(match app.authority.decide_device(&code, &answer, &session, &caller).await? {
        Decided::Approved => {
            Page(message("The device is signed in", "You may close this window and go back to the device.", ""))
                .into_response()
        }
        Decided::Denied => {
            let hint =
                "If you did not start this sign-in, somebody may have tried to trick you. Nothing was given to them.";
            Page(message("The device was refused", "It has been told no.", hint)).into_response()
        }
        Decided::Unknown => again(session, NOTHING_WAITS),
        Decided::WrongNumber => question(&app, &code, session, &caller, Some(WRONG_NUMBER)).await?,
    })
}
