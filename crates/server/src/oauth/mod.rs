//! The protocol's endpoints, one file each.

pub(crate) mod authorize;
pub(crate) mod device_authorization;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use crate::{app::App, web::form::Form};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use gatepass_authority::{Caller, Client, Failure};
use gatepass_oauth::{ClientCredentials, Error};
use std::sync::Arc;

/// The client of a request, proven by what it sent.
async fn authenticated_client(
    app: &App,
    headers: &HeaderMap,
    form: &Form,
    caller: &Caller,
) -> Result<Arc<Client>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let authorization = values.next().map(|value| value.to_str().map_err(|_| Error::invalid_client())).transpose()?;
    if values.next().is_some() {
        return Err(Error::invalid_request("the Authorization header is repeated").into());
    }
    let credentials = ClientCredentials::read(authorization, &form.params()?)?;
    app.authority.authenticate_client(&credentials, caller).await
}
