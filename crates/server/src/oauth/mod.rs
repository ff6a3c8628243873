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
    web::{failure::JsonFailure, form::Form},
};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use gatepass_authority::{Asking, Caller, Client, Failure};
use gatepass_oauth::{ClientCredentials, Confirmation, Error, GrantType, Params};
use std::{future::Future, sync::Arc};

/// Who sent a request to one of the client's endpoints: a client that has proven itself.
pub(crate) struct Asker {
    client: Arc<Client>,
    caller: Caller,
    confirmation: Option<Confirmation>,
}

impl Asker {
    /// As the use cases take it.
    pub(crate) fn asking(&self) -> Asking<'_> {
        Asking { client: &self.client, caller: &self.caller, confirmation: self.confirmation.as_ref() }
    }
}

/// Answers a request to one of the client's endpoints. Nothing is done for an address that has sent too many that came
/// to nothing, and one that comes to nothing counts.
async fn bounded<T>(
    app: &App,
    caller: &Caller,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, JsonFailure> {
    app.authority.check_junk(caller)?;
    match work.await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(JsonFailure(app.authority.bound_junk(failure, caller).await)),
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
async fn token_asker(app: &App, headers: &HeaderMap, form: &Form, caller: Caller) -> Result<Asker, Failure> {
    if is_workload(headers, &form.params()?) {
        return Ok(Asker { client: app.authority.workload_client()?, caller, confirmation: None });
    }
    asker(app, headers, form, caller).await
}

/// Who sent this request, proven by what it carries.
async fn asker(app: &App, headers: &HeaderMap, form: &Form, caller: Caller) -> Result<Asker, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let authorization = values.next().map(|value| value.to_str().map_err(|_| Error::invalid_client())).transpose()?;
    if values.next().is_some() {
        return Err(Error::invalid_request("the Authorization header is repeated").into());
    }
    let credentials = ClientCredentials::read(authorization, &form.params()?)?;
    let client = app.authority.authenticate_client(&credentials, &caller).await?;
    Ok(Asker { client, caller, confirmation: None })
}
