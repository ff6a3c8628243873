//! What the server says of itself: only what works, made from the tables that make it work.

use crate::app::App;
use axum::{Json, extract::State, response::IntoResponse};
use gatepass_authority::add_client::FIRST_PARTY_SCOPE;
use gatepass_keys::Algorithm;
use gatepass_oauth::{ClientAuthMethod, GrantType, Issuer, ServerMetadata, pkce::METHOD_S256};
use gatepass_resource::ResourceMetadata;

/// RFC 8414 §3, OpenID Connect Discovery §4.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    Json(server_metadata(app.authority.issuer()))
}

/// RFC 9728 §3, for the server's own API.
pub(crate) async fn resource(State(app): State<App>) -> impl IntoResponse {
    Json(ResourceMetadata {
        resource: app.authority.own_resource().clone(),
        authorization_servers: vec![app.authority.issuer().to_string()],
        scopes_supported: vec!["account".into()],
        bearer_methods_supported: vec!["header".into()],
        resource_name: Some("gatepass".into()),
    })
}

fn server_metadata(issuer: &Issuer) -> ServerMetadata {
    let endpoint = |path: &str| Some(issuer.endpoint(path));
    let methods: Vec<String> = ClientAuthMethod::ALL.iter().map(ToString::to_string).collect();
    let confidential = methods.iter().filter(|method| *method != ClientAuthMethod::None.as_str()).cloned().collect();
    let algorithms: Vec<String> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str().to_owned()).collect();
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    ServerMetadata {
        issuer: issuer.to_string(),
        authorization_endpoint: endpoint("/authorize"),
        token_endpoint: endpoint("/token"),
        device_authorization_endpoint: endpoint("/device_authorization"),
        revocation_endpoint: endpoint("/revoke"),
        introspection_endpoint: endpoint("/introspect"),
        introspection_endpoint_auth_methods_supported: confidential,
        introspection_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
        introspection_signing_alg_values_supported: texts(&[Algorithm::Es256.as_str()]),
        userinfo_endpoint: endpoint("/userinfo"),
        jwks_uri: endpoint("/jwks"),
        scopes_supported: FIRST_PARTY_SCOPE.split(' ').map(str::to_owned).collect(),
        response_types_supported: texts(&["code"]),
        response_modes_supported: texts(&["query"]),
        grant_types_supported: GrantType::ALL.iter().map(ToString::to_string).collect(),
        token_endpoint_auth_methods_supported: methods.clone(),
        token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
        revocation_endpoint_auth_methods_supported: methods,
        revocation_endpoint_auth_signing_alg_values_supported: algorithms,
        code_challenge_methods_supported: texts(&[METHOD_S256]),
        authorization_response_iss_parameter_supported: true,
        subject_types_supported: texts(&["public"]),
        id_token_signing_alg_values_supported: texts(&[Algorithm::Es256.as_str()]),
        claims_supported: texts(&[
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "at_hash",
            "email",
            "email_verified",
            "name",
        ]),
        prompt_values_supported: texts(&["none", "login", "consent", "select_account"]),
        request_parameter_supported: Some(false),
        request_uri_parameter_supported: Some(false),
        ..ServerMetadata::default()
    }
}
