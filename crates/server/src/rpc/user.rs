//! `POST /api/v1/user/rpc`: what a person or a program may do with its own account.
//!
//! The guard in front has verified a bearer token, or there was none. Then a cookie session will do,
//! if our own page sent the request; a bearer token that was no good has been refused already and
//! never falls back to the cookie.

use super::{
    Token,
    envelope::{self, Answer, Call, Calls, RpcError},
    whoami::{self, WhoAmI},
};
use crate::{
    app::App,
    web::{failure::JsonFailure, form, origin, session},
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use gatepass_authority::LiveSession;
use gatepass_oauth::Scope;
use gatepass_resource::{Refusal, RefusedRequest};

/// What a method needs of a token, by name. A cookie session is the person in full.
const METHODS: &[(&str, &str)] = &[("whoami", "account")];

/// Who calls, and with what.
pub(super) enum Credential {
    Token(Token),
    Session(Box<LiveSession>),
}

impl Credential {
    fn token(&self) -> Option<&Token> {
        match self {
            Self::Token(token) => Some(token),
            Self::Session(_) => None,
        }
    }
}

pub(crate) async fn call(State(app): State<App>, request: Request) -> Response<Body> {
    answer(&app, request).await.unwrap_or_else(|refused| refused)
}

async fn answer(app: &App, request: Request) -> Result<Response<Body>, Response<Body>> {
    let (mut head, body) = request.into_parts();
    let credential = match head.extensions.remove::<Token>() {
        Some(token) => Credential::Token(token),
        None => cookie_credential(app, &head).await?,
    };
    if !is_json(&head.headers) {
        let error = gatepass_oauth::Error::invalid_request("the content type is application/json");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, Json(error.body())).into_response());
    }
    let body = form::read(body).await.map_err(IntoResponse::into_response)?;
    let calls = match envelope::read(&body) {
        Ok(calls) => calls,
        Err(error) => return Ok(Json(envelope::unreadable(error)).into_response()),
    };
    if let Err(refusal) = check_scope(&credential, &calls) {
        return Err(refuse(app, &refusal, credential.token(), &head).await);
    }
    Ok(match calls {
        Calls::One(call) => one(&credential, &call),
        Calls::Batch(calls) => batch(&credential, &calls),
    })
}

async fn refuse(app: &App, refusal: &Refusal, token: Option<&Token>, head: &Parts) -> Response<Body> {
    let (headers, extensions) = (&head.headers, &head.extensions);
    app.user_api.refuse(RefusedRequest { refusal, token, headers, extensions }).await
}

async fn cookie_credential(app: &App, head: &Parts) -> Result<Credential, Response<Body>> {
    let session = session::read(app, &head.headers).await.map_err(|failure| JsonFailure(failure).into_response())?;
    let Some(session) = session else { return Err(refuse(app, &Refusal::Missing, None, head).await) };
    if !origin::is_our_own(&head.headers, app.authority.issuer()) {
        let error =
            gatepass_oauth::Error::invalid_request("a request by cookie must come from this server's own pages");
        return Err((StatusCode::FORBIDDEN, Json(error.body())).into_response());
    }
    Ok(Credential::Session(Box::new(session)))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// A token without a method's scope is refused before anything is done.
fn check_scope(credential: &Credential, calls: &Calls<'_>) -> Result<(), Refusal> {
    let Some(Token(token)) = credential.token() else { return Ok(()) };
    let needed = |call: &Call<'_>| METHODS.iter().find(|(method, _)| *method == call.method).map(|(_, scope)| *scope);
    let lacking = |call: &Call<'_>| needed(call).filter(|scope| !token.scope.contains(scope));
    let lacking = match calls {
        Calls::One(call) => lacking(call),
        Calls::Batch(calls) => calls.iter().flatten().find_map(lacking),
    };
    match lacking {
        None => Ok(()),
        Some(scope) => Err(Refusal::InsufficientScope(Scope::from_iter([scope]))),
    }
}

fn one(credential: &Credential, call: &Call<'_>) -> Response<Body> {
    let outcome = run(credential, call);
    match call.id {
        Some(id) => envelope::response(&Answer::new(id, outcome)),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn batch(credential: &Credential, calls: &[Result<Call<'_>, RpcError>]) -> Response<Body> {
    let answers: Vec<serde_json::Value> = calls
        .iter()
        .filter_map(|call| match call {
            Ok(call) => call.id.and_then(|id| serde_json::to_value(Answer::new(id, run(credential, call))).ok()),
            Err(_) => Some(envelope::unreadable(RpcError::NOT_A_CALL)),
        })
        .collect();
    if answers.is_empty() { StatusCode::NO_CONTENT.into_response() } else { Json(answers).into_response() }
}

fn run<'a>(credential: &'a Credential, call: &Call<'_>) -> Result<WhoAmI<'a>, RpcError> {
    let takes_nothing = call.params.is_none_or(|params| matches!(params.get(), "{}" | "[]" | "null"));
    match call.method.as_ref() {
        "whoami" if takes_nothing => Ok(whoami::whoami(credential)),
        "whoami" => Err(RpcError::PARAMS),
        _ => Err(RpcError::NO_METHOD),
    }
}
