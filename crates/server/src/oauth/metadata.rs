//! What the server says of itself: only what works, made from the tables that make it work.

use crate::app::App;
use axum::{Json, extract::State, response::IntoResponse};
use gatepass_authority::{
    add_client::{FIRST_PARTY_CLIENT, FIRST_PARTY_SCOPE},
    identity_assertion::PROFILE as ID_JAG_PROFILE,
};
use gatepass_keys::{Algorithm, SigningKey};
use gatepass_oauth::{
    ClientAuthMethod, GrantType, ResponseMode, ServerMetadata, pkce::METHOD_S256, sign_in_method::known_classes,
};
use gatepass_resource::ResourceMetadata;

/// RFC 8414 §3, OpenID Connect Discovery §4.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    Json(server_metadata(&app))
}

/// RFC 9728 §3, for the server's own API.
pub(crate) async fn resource(State(app): State<App>) -> impl IntoResponse {
    Json(ResourceMetadata {
        resource: app.authority.own_resource().clone(),
        authorization_servers: vec![app.authority.issuer().to_string()],
        scopes_supported: vec!["account".into()],
        bearer_methods_supported: vec!["header".into()],
        dpop_signing_alg_values_supported: Algorithm::names().map(str::to_owned).collect(),
        tls_client_certificate_bound_access_tokens: app.certificates.meets_clients(),
        resource_name: Some("gatepass".into()),
    })
}

fn server_metadata(app: &App) -> ServerMetadata {
    let (issuer, clients) = (app.authority.issuer(), app.authority.client_policy());
    let endpoint = |path: &str| Some(issuer.endpoint(path));
    let methods: Vec<String> = clients.auth_methods.iter().map(ToString::to_string).collect();
    let confidential = methods.iter().filter(|method| *method != ClientAuthMethod::None.as_str()).cloned().collect();
    let algorithms: Vec<String> = Algorithm::names().map(str::to_owned).collect();
    let signing: Vec<String> = SigningKey::ALGORITHMS.iter().map(ToString::to_string).collect();
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
        introspection_signing_alg_values_supported: signing.clone(),
        userinfo_endpoint: endpoint("/userinfo"),
        jwks_uri: endpoint("/jwks"),
        registration_endpoint: endpoint("/register").filter(|_| clients.registration),
        client_id_metadata_document_supported: clients.metadata_documents,
        pushed_authorization_request_endpoint: endpoint("/par"),
        require_pushed_authorization_requests: app.authority.requires_pushed_requests(),
        end_session_endpoint: endpoint("/logout"),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        scopes_supported: FIRST_PARTY_SCOPE.split(' ').map(str::to_owned).collect(),
        response_types_supported: texts(&["code"]),
        response_modes_supported: ResponseMode::ALL.iter().map(|mode| mode.as_str().to_owned()).collect(),
        grant_types_supported: GrantType::ALL.iter().map(ToString::to_string).collect(),
        authorization_grant_profiles_supported: texts(&[ID_JAG_PROFILE]),
        token_endpoint_auth_methods_supported: methods.clone(),
        dpop_signing_alg_values_supported: algorithms.clone(),
        tls_client_certificate_bound_access_tokens: app.certificates.meets_clients(),
        token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
        revocation_endpoint_auth_methods_supported: methods,
        revocation_endpoint_auth_signing_alg_values_supported: algorithms,
        code_challenge_methods_supported: texts(&[METHOD_S256]),
        authorization_response_iss_parameter_supported: true,
        subject_types_supported: texts(&["public"]),
        id_token_signing_alg_values_supported: signing,
        acr_values_supported: texts(&known_classes()),
        claims_supported: texts(&[
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "amr",
            "sid",
            "nonce",
            "at_hash",
            "email",
            "email_verified",
            "name",
        ]),
        prompt_values_supported: texts(&["none", "login", "consent", "select_account"]),
        claims_parameter_supported: Some(false),
        request_parameter_supported: Some(false),
        request_uri_parameter_supported: Some(false),
        gatepass_separate_grants: true,
        gatepass_client_id: Some(FIRST_PARTY_CLIENT.to_owned()),
        ..ServerMetadata::default()
    }
}
