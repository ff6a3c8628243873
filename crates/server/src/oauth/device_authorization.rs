//! The device authorization endpoint (RFC 8628 §3.1).

use super::{Posted, asker, bounded};
use crate::{
    app::App,
    web::{caller::tidy, failure::JsonFailure},
};
use axum::{Json, extract::State};
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
    posted: Posted,
) -> Result<Json<DeviceAuthorizationResponse>, JsonFailure> {
    bounded(&app, &posted.visit, || answer(&app, &posted)).await.map(Json)
}

async fn answer(app: &App, posted: &Posted) -> Result<DeviceAuthorizationResponse, Failure> {
    let params = posted.form.params()?;
    let asker = asker(app, posted, &params).await?.with_key(app, &posted.headers, "/device_authorization").await?;
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
