//! The protocol's endpoints, one file each.

pub(crate) mod authorize;
pub(crate) mod device_authorization;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod metadata;
pub(crate) mod par;
mod possession;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use crate::{
    app::App,
    web::{
        caller::From as CallerFrom,
        failure::{JsonFailure, Refused},
        form::Form,
    },
};
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use gatepass_authority::{Asking, Caller, Client, Failure};
use gatepass_oauth::{ClientCredentials, Confirmation, Error, GrantType, Params};
use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, OnceLock},
};

/// A request to one of the client's endpoints: where it came from, and which client has proven to have sent it.
pub(crate) struct Visit {
    caller: Caller,
    client: OnceLock<Arc<Client>>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let CallerFrom(caller) = CallerFrom::from_request_parts(parts, app).await?;
        Ok(Self { caller, client: OnceLock::new() })
    }
}

/// A form that was posted to one of the client's endpoints.
pub(crate) struct Posted {
    visit: Visit,
    headers: HeaderMap,
    form: Form,
}

impl FromRequest<App> for Posted {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let Ok(visit) = Visit::from_request_parts(&mut parts, app).await;
        let form = Form::read(&parts.headers, body).await?;
        Ok(Self { visit, headers: parts.headers, form })
    }
}

/// Who sent a request to one of the client's endpoints: a client that has proven itself.
pub(crate) struct Asker<'a> {
    client: Arc<Client>,
    caller: &'a Caller,
    confirmation: Option<Confirmation>,
}

impl Asker<'_> {
    /// As the use cases take it.
    pub(crate) fn asking(&self) -> Asking<'_> {
        Asking { client: &self.client, caller: self.caller, confirmation: self.confirmation.as_ref() }
    }
}

impl Visit {
    fn asker(&self, client: Arc<Client>) -> Asker<'_> {
        let _ = self.client.set(client.clone());
        Asker { client, caller: &self.caller, confirmation: None }
    }
}

/// Answers a request to one of the client's endpoints. Nothing is done for an address that has sent too many that came
/// to nothing, and one that comes to nothing counts and is told of.
async fn bounded<T, Work: Future<Output = Result<T, Failure>>>(
    app: &App,
    visit: &Visit,
    work: impl FnOnce() -> Work,
) -> Result<T, JsonFailure> {
    app.authority.check_junk(&visit.caller)?;
    match work().await {
        Ok(answer) => Ok(answer),
        Err(failure) => {
            let client = visit.client.get().map(AsRef::as_ref);
            Err(JsonFailure(app.authority.bound_junk(failure, client, &visit.caller).await))
        }
    }
}

/// Whether a request carries an assertion as its grant and says nothing of a client (RFC 7521 §4.1). Then the assertion
/// speaks for itself; whoever names a client must prove to be it.
fn is_workload(headers: &HeaderMap, params: &Params<'_>) -> bool {
    let is_silent = ["client_id", "client_secret", "client_assertion", "client_assertion_type"]
        .iter()
        .all(|name| params.get(name).is_none());
    is_silent && !headers.contains_key(AUTHORIZATION) && params.get("grant_type") == Some(GrantType::JwtBearer.as_str())
}

/// Who asks for tokens: a client, or a workload without one.
async fn token_asker<'a>(app: &App, posted: &'a Posted, params: &Params<'_>) -> Result<Asker<'a>, Failure> {
    if is_workload(&posted.headers, params) {
        return Ok(posted.visit.asker(app.authority.workload_client()?));
    }
    asker(app, posted, params).await
}

/// Who sent this request, proven by what it carries.
async fn asker<'a>(app: &App, posted: &'a Posted, params: &Params<'_>) -> Result<Asker<'a>, Failure> {
    let Posted { visit, headers, .. } = posted;
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let authorization = values.next().map(|value| value.to_str().map_err(|_| Error::invalid_client())).transpose()?;
    if values.next().is_some() {
        return Err(Error::invalid_request("the Authorization header is repeated").into());
    }
    let credentials = ClientCredentials::read(authorization, params)?;
    Ok(visit.asker(app.authority.authenticate_client(&credentials, &visit.caller).await?))
}
