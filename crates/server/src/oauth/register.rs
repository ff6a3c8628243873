//! The client registration endpoint (RFC 7591 §3) and the configuration endpoint of each client (RFC 7592 §2).
//!
//! Both are there only while the operator lets programs register themselves.

use super::{Visit, bounded};
use crate::{
    app::App,
    web::{
        failure::{JsonFailure, Refused, note},
        form, not_found,
        segment::Segment,
    },
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use gatepass_authority::{Client, ClientProof, Failure, register_client::SelfRegistered};
use gatepass_oauth::{Error, ErrorCode, GrantType, Issuer, Secret};
use gatepass_resource::bearer;
use serde_json::{Map, Value, json};
use std::convert::Infallible;

/// `POST /register`.
pub(crate) async fn create(
    State(app): State<App>,
    _: Offered,
    visit: Visit,
    metadata: Metadata,
) -> Result<Response<Body>, JsonFailure> {
    let work = || async { app.authority.register_client(&metadata.members()?, &visit.caller).await };
    let registered = bounded(&app, &visit, work).await?;
    Ok((StatusCode::CREATED, Json(answer(&registered, app.authority.issuer()))).into_response())
}

/// `GET /register/{client_id}`.
pub(crate) async fn read(
    State(app): State<App>,
    _: Offered,
    visit: Visit,
    Segment(id): Segment,
    token: RegistrationToken,
) -> Response<Body> {
    let work = || async { app.authority.registration(&id, token.secret()?, &visit.caller).await };
    let read = bounded(&app, &visit, work).await;
    respond(read.map(|registered| Json(answer(&registered, app.authority.issuer()))))
}

/// `PUT /register/{client_id}`.
pub(crate) async fn replace(
    State(app): State<App>,
    _: Offered,
    visit: Visit,
    Segment(id): Segment,
    token: RegistrationToken,
    metadata: Metadata,
) -> Response<Body> {
    let work = || async {
        let (token, members) = (token.secret()?, metadata.members()?);
        app.authority.update_registration(&id, token, &members, &visit.caller).await
    };
    let updated = bounded(&app, &visit, work).await;
    respond(updated.map(|registered| Json(answer(&registered, app.authority.issuer()))))
}

/// `DELETE /register/{client_id}`.
pub(crate) async fn remove(
    State(app): State<App>,
    _: Offered,
    visit: Visit,
    Segment(id): Segment,
    token: RegistrationToken,
) -> Response<Body> {
    let work = || async { app.authority.delete_registration(&id, token.secret()?, &visit.caller).await };
    let removed = bounded(&app, &visit, work).await;
    respond(removed.map(|()| StatusCode::NO_CONTENT))
}

/// A client as it is registered (RFC 7591 §3.2.1, RFC 7592 §3).
fn answer(registered: &SelfRegistered, issuer: &Issuer) -> Value {
    let SelfRegistered { client, secret, registration_token } = registered;
    let mut members = described(client);
    let mut add = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    if let Some(secret) = secret {
        add("client_secret", json!(secret.expose()));
        add("client_secret_expires_at", json!(0));
    }
    if let Some(token) = registration_token {
        add("registration_access_token", json!(token.expose()));
        add("registration_client_uri", json!(issuer.endpoint(&format!("/register/{}", client.id))));
    }
    Value::Object(members)
}

fn described(client: &Client) -> Map<String, Value> {
    let mut members = match serde_json::to_value(&client.metadata) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let response_types: &[&str] = if client.may_use(GrantType::AuthorizationCode) { &["code"] } else { &[] };
    let own = [
        ("client_id", json!(client.id)),
        ("client_id_issued_at", json!(client.created_at.seconds())),
        ("client_name", json!(client.name)),
        ("redirect_uris", json!(client.redirect_uris)),
        ("grant_types", json!(client.grant_types)),
        ("response_types", json!(response_types)),
        ("token_endpoint_auth_method", json!(client.proof.method())),
        ("scope", json!(client.scope)),
    ];
    members.extend(own.map(|(name, value)| (name.to_owned(), value)));
    // Without a scope, none is registered (RFC 6749 §3.3 knows no empty one).
    members.retain(|name, value| name != "scope" || value != "");
    // What is chosen for a client is told to it: the standard's own default would be RS256 (Registration 1.0 §2, §3.2).
    let algorithm = json!(client.id_token_algorithm().as_str());
    members.entry("id_token_signed_response_alg").or_insert(algorithm);
    if let ClientProof::PrivateKeyJwt(keys) | ClientProof::SelfSignedTls(keys) = &client.proof
        && !keys.keys.is_empty()
    {
        members.insert("jwks".into(), json!(keys));
    }
    members
}

/// A token that is not this client's is challenged for (RFC 6750 §3).
fn respond(outcome: Result<impl IntoResponse, JsonFailure>) -> Response<Body> {
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(JsonFailure(Failure::Protocol(error))) if error.code == ErrorCode::InvalidToken => challenge(error),
        Err(failure) => failure.into_response(),
    }
}

fn challenge(error: Error) -> Response<Body> {
    let body = Json(error.body());
    note(&error.into());
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"gatepass\", error=\"invalid_token\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// The endpoint is there.
pub(crate) struct Offered;

impl FromRequestParts<App> for Offered {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response<Body>> {
        match app.authority.client_policy().registration {
            true => Ok(Self),
            false => Err(not_found::path(parts.headers.clone()).await),
        }
    }
}

/// The registration access token of a request, if it has one.
pub(crate) struct RegistrationToken(Option<Secret>);

impl RegistrationToken {
    fn secret(&self) -> Result<&Secret, Error> {
        let missing = || Error::new(ErrorCode::InvalidToken, "the registration access token of this client is needed");
        self.0.as_ref().ok_or_else(missing)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RegistrationToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(bearer::extract(&parts.headers).ok().flatten().map(Into::into)))
    }
}

/// The body, of at most 64 KiB.
pub(crate) struct Metadata(Bytes);

impl Metadata {
    /// The members of its JSON object.
    fn members(&self) -> Result<Map<String, Value>, Error> {
        let invalid = |_| Error::new(ErrorCode::InvalidClientMetadata, "the body is a JSON object");
        serde_json::from_slice(&self.0).map_err(invalid)
    }
}

impl<S: Send + Sync> FromRequest<S> for Metadata {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let error = Error::invalid_request("the content type is application/json");
            return Err(Refused { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error });
        }
        form::read(request.into_body()).await.map(Self)
    }
}
