//! The token endpoint (RFC 6749 §3.2).
//!
//! 1. Parse the form.
//! 2. Know the client, or that an assertion needs none, and the key that it shows.
//! 3. The grant type must be offered, and this client must be registered for it.
//! 4. One table from grant type to use case.

use super::{Posted, bounded, token_asker};
use crate::{app::App, web::failure::JsonFailure};
use axum::{Json, extract::State, http::header, response::IntoResponse};
use gatepass_authority::{
    Asking, AssertionRequest, CodeRequest, DevicePoll, ExchangeRequest, Failure, PresentedToken, RefreshRequest,
};
use gatepass_oauth::{
    CodeVerifier, Error, ErrorCode, GrantType, Params, ResourceUri, Secret, TokenResponse, TokenTypeUri,
    authorization::{read_resource, read_scope},
};
use std::time::Duration;

pub(crate) async fn exchange(State(app): State<App>, posted: Posted) -> Result<impl IntoResponse, JsonFailure> {
    let tokens = bounded(&app, &posted.visit, || answer(&app, &posted)).await?;
    // `Cache-Control: no-store` is on every answer; RFC 6749 §5.1 asks for its elder too.
    Ok(([(header::PRAGMA, "no-cache")], Json(tokens)))
}

async fn answer(app: &App, posted: &Posted) -> Result<TokenResponse, Failure> {
    let params = posted.form.params()?;
    let asker = token_asker(app, posted, &params).await?.with_key(app, &posted.headers, "/token").await?;
    let asking = asker.asking();
    app.authority.check_binding_demand(asking)?;
    let grant = params.required("grant_type")?.parse::<GrantType>();
    let grant = grant.map_err(|error| Error::new(ErrorCode::UnsupportedGrantType, error.to_string()))?;
    asking.check_grant_type(grant)?;
    redeem(app, grant, asking, &params).await
}

async fn redeem(
    app: &App,
    grant: GrantType,
    asking: Asking<'_>,
    params: &Params<'_>,
) -> Result<TokenResponse, Failure> {
    let authority = &app.authority;
    match grant {
        GrantType::AuthorizationCode => authority.redeem_code(asking, &code_request(params)?).await,
        GrantType::RefreshToken => authority.refresh(asking, &refresh_request(params)?).await,
        GrantType::ClientCredentials => {
            authority.client_credentials(asking, read_scope(params)?.as_ref(), read_resource(params)?.as_ref()).await
        }
        GrantType::DeviceCode => authority.redeem_device(asking, &device_poll(params)?).await,
        // These are rare and large; in a box, the others need not carry their size.
        GrantType::JwtBearer => Box::pin(authority.redeem_assertion(asking, &assertion_request(params)?)).await,
        GrantType::TokenExchange => Box::pin(authority.exchange_token(asking, &exchange_request(params)?)).await,
    }
}

fn code_request(params: &Params<'_>) -> Result<CodeRequest, Error> {
    Ok(CodeRequest {
        code: params.required("code")?.into(),
        redirect_uri: params
            .get("redirect_uri")
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::invalid_grant("redirect_uri is not the one of the authorization request"))?,
        code_verifier: CodeVerifier::parse(params.required("code_verifier")?)?,
        resource: read_resource(params)?,
    })
}

fn refresh_request(params: &Params<'_>) -> Result<RefreshRequest, Error> {
    Ok(RefreshRequest {
        refresh_token: params.required("refresh_token")?.into(),
        scope: read_scope(params)?,
        resource: read_resource(params)?,
    })
}

fn device_poll(params: &Params<'_>) -> Result<DevicePoll, Error> {
    Ok(DevicePoll {
        device_code: params.required("device_code")?.into(),
        code_verifier: params.get("code_verifier").map(CodeVerifier::parse).transpose()?,
    })
}

fn assertion_request(params: &Params<'_>) -> Result<AssertionRequest, Error> {
    Ok(AssertionRequest {
        assertion: params.required("assertion")?.into(),
        scope: read_scope(params)?,
        resource: read_resource(params)?,
    })
}

fn exchange_request(params: &Params<'_>) -> Result<ExchangeRequest, Error> {
    let presented =
        |token: &str, kind: &str| read_token_type(kind).map(|kind| PresentedToken { token: Secret::from(token), kind });
    let actor = match (params.get("actor_token"), params.get("actor_token_type")) {
        (None, None) => None,
        (Some(token), Some(kind)) => Some(presented(token, kind)?),
        // RFC 8693 §2.1: one comes with the other.
        _ => return Err(Error::invalid_request("actor_token and actor_token_type come together")),
    };
    Ok(ExchangeRequest {
        subject: presented(params.required("subject_token")?, params.required("subject_token_type")?)?,
        actor,
        requested: params.get("requested_token_type").map(read_token_type).transpose()?,
        scope: read_scope(params)?,
        resource: read_target(params)?,
        life: params.get("requested_expiry").map(read_life).transpose()?,
    })
}

/// Whole seconds, at least one.
fn read_life(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0 && text.bytes().all(|b| b.is_ascii_digit()));
    let seconds = seconds.ok_or_else(|| Error::invalid_request("requested_expiry is a positive number of seconds"))?;
    Ok(Duration::from_secs(seconds.into()))
}

fn read_token_type(text: &str) -> Result<TokenTypeUri, Error> {
    text.parse().map_err(|error: gatepass_oauth::client::UnknownValue| Error::invalid_request(error.to_string()))
}

/// `resource` or `audience` (RFC 8693 §2.1): here the name of an audience is the URI of its resource.
fn read_target(params: &Params<'_>) -> Result<Option<ResourceUri>, Error> {
    let invalid = |description: &'static str| Error::new(ErrorCode::InvalidTarget, description);
    let audience: Option<ResourceUri> = params
        .get("audience")
        .map(str::parse)
        .transpose()
        .map_err(|_| invalid("an audience is named by the URI of its resource"))?;
    match (read_resource(params)?, audience) {
        (Some(resource), Some(audience)) if !resource.names_same(&audience) => {
            Err(invalid("resource and audience name two targets, and a token has one"))
        }
        (resource, audience) => Ok(resource.or(audience)),
    }
}
