//! The device authorization endpoint (RFC 8628 §3.1).

use super::{Visit, asker, bounded};
use crate::{
    app::App,
    web::{caller::tidy, failure::JsonFailure, form::Form},
};
use axum::{Json, extract::State, http::HeaderMap};
use gatepass_authority::{
    Failure,
    start_device::{DeviceRequest, NumberMatch},
};
use gatepass_oauth::{
    CodeChallenge, DeviceAuthorizationResponse, Error, ErrorCode, GrantType,
    authorization::{read_resource, read_scope},
    dpop::read_jkt,
};

pub(crate) async fn start(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Result<Json<DeviceAuthorizationResponse>, JsonFailure> {
    bounded(&app, &visit, answer(&app, &headers, &form, &visit)).await.map(Json)
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    form: &Form,
    visit: &Visit,
) -> Result<DeviceAuthorizationResponse, Failure> {
    let params = form.params()?;
    let asker = asker(app, headers, &params, visit).await?.with_key(app, headers, "/device_authorization").await?;
    let asking = asker.asking();
    if !asking.client.may_use(GrantType::DeviceCode) {
        return Err(Error::new(ErrorCode::UnauthorizedClient, "this client is not registered for device codes").into());
    }
    let request = DeviceRequest {
        scope: read_scope(&params)?,
        resource: read_resource(&params)?,
        code_challenge: params
            .get("code_challenge")
            .map(|text| CodeChallenge::parse(text, params.get("code_challenge_method")))
            .transpose()?,
        dpop_jkt: read_jkt(&params)?,
        device_name: params.get("device_name").map(tidy).unwrap_or_default(),
        number_match: if params.get("number_match") == Some("true") {
            NumberMatch::Shown
        } else {
            NumberMatch::NotShown
        },
    };
    app.authority.start_device(asking, &request).await
}
