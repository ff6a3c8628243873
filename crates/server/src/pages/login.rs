//! Signing in and out.

use super::{Page, PageFailure, form_action};
use crate::{
    app::App,
    web::{caller::From as CallerFrom, own_form::OwnForm, session},
};
use askama::Template;
use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use gatepass_authority::{Failure, LiveSession, sign_in::SignedIn};
use gatepass_keys::{PlainToken, token::SessionCookie};
use gatepass_oauth::{Params, RedirectUri, Secret};

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    next: &'a str,
    email: &'a str,
    problem: Option<&'static str>,
}

const WRONG: &str = "Email address or password is wrong.";
const NOT_VERIFIED: &str =
    "This email address is not verified yet (EMAIL_NOT_VERIFIED). Ask the server's owner to verify it.";

/// A path of this server; anything else leads to the start page. Browsers read `//host` and `/\host`
/// as other hosts.
fn safe_next(next: Option<&str>) -> &str {
    match next {
        Some(path) if path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && path.is_ascii() => {
            path
        }
        _ => "/",
    }
}

pub(crate) async fn show(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response<Body>, PageFailure> {
    let query = query.unwrap_or_default();
    let params = Params::parse(query.as_bytes())?;
    page(&app, safe_next(params.get("next")), params.get("login_hint").unwrap_or_default(), None).await
}

/// The page in the place of another: after signing in the person goes on to `next`, which stands in the
/// form and so in no address.
pub(crate) async fn instead_of(app: &App, next: &str, login_hint: Option<&str>) -> Result<Response<Body>, PageFailure> {
    page(app, safe_next(Some(next)), login_hint.unwrap_or_default(), None).await
}

async fn page(
    app: &App,
    next: &str,
    email: &str,
    problem: Option<&'static str>,
) -> Result<Response<Body>, PageFailure> {
    let leads_to = client_redirect(app, next).await?;
    Ok(Page(Login { next, email, problem }).allowing(leads_to.and_then(|uri| form_action(&uri))))
}

/// After the sign-in the browser may be led on to a client at once, and the form must be allowed to: to
/// the URI that the client has registered, and to no other.
async fn client_redirect(app: &App, next: &str) -> Result<Option<RedirectUri>, Failure> {
    let Some(query) = next.strip_prefix("/authorize?") else { return Ok(None) };
    match Params::parse(query.as_bytes()) {
        Ok(params) => app.authority.redirect_uri_of(&params).await,
        Err(_) => Ok(None),
    }
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    CallerFrom(caller): CallerFrom,
    headers: HeaderMap,
    form: OwnForm,
) -> Result<Response<Body>, PageFailure> {
    let params = form.params()?;
    let (next, email) = (safe_next(params.get("next")), params.get("email").unwrap_or_default());
    let password = Secret::from(params.get("password").unwrap_or_default());
    match app.authority.sign_in(email, password, &caller).await? {
        SignedIn::Session(cookie) => {
            // Whoever was signed in here before is so no longer.
            if let Some(former) = app.cookies.read(&headers) {
                app.authority.replace_session(former, &cookie, &caller).await?;
            }
            signed_in(&app, &cookie, next)
        }
        SignedIn::Wrong => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&app, next, email, Some(WRONG)).await?).into_response())
        }
        SignedIn::EmailNotVerified => {
            Ok((StatusCode::FORBIDDEN, page(&app, next, email, Some(NOT_VERIFIED)).await?).into_response())
        }
    }
}

/// Hands the cookie over and goes on.
pub(crate) fn signed_in(
    app: &App,
    cookie: &PlainToken<SessionCookie>,
    next: &str,
) -> Result<Response<Body>, PageFailure> {
    let cookie = app.cookies.set(cookie).ok_or_else(|| Failure::internal("a cookie that is no header"))?;
    let location = HeaderValue::from_str(next).map_err(|_| Failure::internal("a path that is no header"))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::SET_COOKIE, cookie)]).into_response())
}

/// The session of a request, or the page to get one.
pub(crate) async fn required(
    app: &App,
    headers: &HeaderMap,
    next: &str,
) -> Result<Result<LiveSession, Response<Body>>, PageFailure> {
    match session::read(app, headers).await? {
        Some(session) => Ok(Ok(session)),
        None => instead_of(app, next, None).await.map(Err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_sign_in_the_way_leads_nowhere_else() {
        assert_eq!(safe_next(Some("/device/ABCD-EFGH")), "/device/ABCD-EFGH");
        for outside in [
            None,
            Some(""),
            Some("https://evil.example"),
            Some("//evil.example"),
            Some("/\\evil.example"),
            Some("evil"),
            Some("/ü"),
        ] {
            assert_eq!(safe_next(outside), "/", "{outside:?}");
        }
    }
}
