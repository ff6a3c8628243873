//! The protocol's endpoints, one file each.

pub(crate) mod authorize;
pub(crate) mod device_authorization;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod metadata;
pub(crate) mod par;
mod possession;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use crate::{app::App, web::form::Form};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use gatepass_authority::{Asking, Caller, Client, Failure};
use gatepass_oauth::{ClientCredentials, Confirmation, Error};
use std::sync::Arc;

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
