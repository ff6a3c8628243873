//! The authorization endpoint (RFC 6749 §3.1): a browser comes, and goes on with a code or an error,
//! or meets a page on the way.

use crate::{
    app::App,
    pages::{Page, PageFailure, consent, departure, form_action, form_post, is_for, login},
    web::{caller::From as CallerFrom, failure::Refused, form::Form, own_form::OwnForm, session},
};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use form_urlencoded::Serializer;
use gatepass_authority::{
    Failure,
    authorize::{ConsentAnswer, Next, Visit, WAS_SENT},
};
use gatepass_oauth::{Error, Params, authorization::prompt_after_sign_in};
use std::borrow::Cow;

/// `GET`: the client sends the browser here.
pub(crate) async fn ask(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, PageFailure> {
    let query = query.unwrap_or_default();
    let params = Params::parse_repeated(query.as_bytes())?;
    let session = session::read(&app, &headers).await?;
    let visit = Visit { session: session.as_ref(), answer: ConsentAnswer::NotAsked, caller: &caller };
    let next = app.authority.authorize(&params, visit).await?;
    answer_browser(&app, next, &query).await
}

/// `POST`: the person answers the consent page, which carries the request along; or a client sends the
/// browser here with a form instead of a link (OpenID Connect Core §3.1.2.1).
pub(crate) async fn answer(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    headers: HeaderMap,
    form: Result<Form, Refused>,
) -> Result<Response<Body>, PageFailure> {
    let form = form?;
    if form.repeated_params()?.get("answer").is_none() {
        // Asked again as a link: the browser adds the cookie only to that.
        return redirect(&format!("/authorize?{}", form.as_query()?));
    }
    let form = OwnForm::check(form, &headers, &app)?;
    let form = form.params()?;
    let query = form.required("authorization_request")?;
    let params = Params::parse(query.as_bytes())?;
    let answer = match form.get("answer") {
        Some("allow") => ConsentAnswer::Allowed,
        Some("deny") => ConsentAnswer::Denied,
        _ => return Err(Error::invalid_request("the answer is allow or deny").into()),
    };
    let session = session::read(&app, &headers).await?;
    if session.as_ref().is_some_and(|session| !is_for(&form, session.user_id)) {
        return Err(PageFailure::OtherPerson);
    }
    let visit = Visit { session: session.as_ref(), answer, caller: &caller };
    let next = app.authority.authorize(&params, visit).await?;
    answer_browser(&app, next, query).await
}

async fn answer_browser(app: &App, next: Next, query: &str) -> Result<Response<Body>, PageFailure> {
    match next {
        Next::Redirect(location) => redirect(&location),
        Next::Leave(leaving) => Ok(departure::with_error(&leaving)),
        Next::Post { redirect_uri, fields } => Ok(form_post::page(&redirect_uri, &fields)),
        Next::SignIn { login_hint } => {
            login::instead_of(app, &format!("/authorize?{}", after_sign_in(query)), login_hint.as_deref()).await
        }
        Next::Consent(question) => {
            Ok(Page(consent::page(&question, query)).allowing(form_action(&question.redirect_uri)).into_response())
        }
    }
}

/// 303: whatever the method was, the browser goes on with GET (RFC 9700 §4.12).
fn redirect(location: &str) -> Result<Response<Body>, PageFailure> {
    let mut location =
        HeaderValue::from_str(location).map_err(|_| Failure::internal("a redirect that is no header"))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// The request as it is asked again after the person has signed in: what demanded the new sign-in is
/// then fulfilled, and would demand it for ever. What the sign-in may not have fulfilled stays, with a word that it was
/// tried. A pushed request stays as it is: it knows when it began.
fn after_sign_in(query: &str) -> String {
    let mut kept = Serializer::new(String::with_capacity(query.len()));
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let left = match name.as_ref() {
            "max_age" => None,
            name if name == WAS_SENT.0 => None,
            "prompt" => prompt_after_sign_in(&value).map(Cow::Owned),
            _ => Some(value),
        };
        if let Some(value) = left {
            kept.append_pair(&name, &value);
        }
    }
    if query.contains("acr_values=") || query.contains("id_token_hint=") {
        kept.append_pair(WAS_SENT.0, WAS_SENT.1);
    }
    kept.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fulfilled_demand_for_a_new_sign_in_is_not_repeated() {
        assert_eq!(after_sign_in("client_id=a&prompt=login&max_age=0&state=x+y"), "client_id=a&state=x+y");
        assert_eq!(after_sign_in("prompt=login+consent"), "prompt=consent");
        assert_eq!(after_sign_in("acr_values=x&sign_in=done"), "acr_values=x&sign_in=done");
    }
}
