//! The guard's rules, one request each.

#![allow(clippy::unwrap_used, reason = "tests")]

use axum::{Extension, Router, body::Body, routing::get};
use gatepass_keys::Clock;
use gatepass_oauth::{Confirmation, ResourceUri, Scope};
use gatepass_resource::{Guard, Missing, Refusal, RefusedRequest, Settings, TokenFacts, Unavailable, Verifier};
use http::{Extensions, HeaderMap, Request, Response, StatusCode, header};
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

#[derive(Clone)]
struct Token {
    audience: ResourceUri,
    scope: Scope,
}

impl TokenFacts for Token {
    fn audience(&self) -> &ResourceUri {
        &self.audience
    }
    fn scope(&self) -> &Scope {
        &self.scope
    }
    fn confirmation(&self) -> Option<&Confirmation> {
        None
    }
}

/// Knows four tokens, by name, and keeps what was refused.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Verifier for Names {
    type Token = Token;

    async fn verify(&self, token: &str) -> Result<Option<Token>, Unavailable> {
        let (audience, scope) = match token {
            "good" => ("https://api.example", "read write"),
            "narrow" => ("https://api.example", "write"),
            "elsewhere" => ("https://other.example", "read"),
            "down" => return Err(Unavailable),
            _ => return Ok(None),
        };
        Ok(Some(Token { audience: audience.parse().unwrap(), scope: scope.parse().unwrap() }))
    }

    async fn refused(&self, request: RefusedRequest<'_, Token>) {
        let RefusedRequest { refusal, token, headers, .. } = request;
        let agent = headers.get(header::USER_AGENT).map_or("nobody", |value| value.to_str().unwrap());
        let live = token.map_or("no live token".to_owned(), |token| format!("a live token of {}", token.audience));
        self.0.lock().unwrap().push(format!("{:?} by {agent} with {live}", refusal.code()));
    }
}

async fn ask(missing: Missing, authorization: Option<&str>) -> (StatusCode, Option<String>) {
    let settings = Settings::new("https://api.example".parse().unwrap())
        .with_scope("read".parse().unwrap())
        .with_metadata_url("https://api.example/.well-known/oauth-protected-resource".into())
        .when_missing(missing);
    let handler =
        |token: Option<Extension<Token>>| async move { if token.is_some() { "with a token" } else { "without" } };
    let app = Router::new().route("/", get(handler)).layer(Guard::new(Names::default(), settings));
    let mut request = Request::builder().uri("/?access_token=good");
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), challenge)
}

const METADATA: &str = "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\"";

#[tokio::test]
async fn a_good_token_comes_in() {
    assert_eq!(ask(Missing::Challenge, Some("Bearer good")).await, (StatusCode::OK, None));
}

#[tokio::test]
async fn without_a_credential_the_challenge_names_no_error_and_a_token_in_the_query_does_not_count() {
    let (status, challenge) = ask(Missing::Challenge, None).await;
    assert_eq!((status, challenge.unwrap()), (StatusCode::UNAUTHORIZED, format!("Bearer scope=\"read\", {METADATA}")));
    assert_eq!(ask(Missing::Challenge, Some("Basic YTpi")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unknown_token_and_one_for_another_audience_get_the_same_answer() {
    let unknown = ask(Missing::Challenge, Some("Bearer unknown")).await;
    assert_eq!(unknown.0, StatusCode::UNAUTHORIZED);
    assert!(unknown.1.as_deref().unwrap().starts_with("Bearer error=\"invalid_token\""));
    assert_eq!(ask(Missing::Challenge, Some("Bearer elsewhere")).await, unknown);
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which_scope() {
    let (status, challenge) = ask(Missing::Challenge, Some("Bearer narrow")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let challenge = challenge.unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"read\""), "{challenge}");
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_told_what_would_do() {
    let clock = Clock::settable(gatepass_oauth::UtcMillis(0));
    let settings = || Settings::new("https://api.example".parse().unwrap());
    let step_up = settings().with_max_age(std::time::Duration::from_secs(60), clock).with_acr(["urn:x:2", "urn:x:3"]);
    let app = Router::new().route("/", get(|| async { "in" })).layer(Guard::new(Names::default(), step_up));
    let request = Request::builder().uri("/").header(header::AUTHORIZATION, "Bearer good");
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).unwrap().to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.ends_with("acr_values=\"urn:x:2 urn:x:3\", max_age=\"60\""), "{challenge}");
}

#[tokio::test]
async fn when_nobody_can_tell_nobody_comes_in() {
    assert_eq!(ask(Missing::Challenge, Some("Bearer down")).await, (StatusCode::SERVICE_UNAVAILABLE, None));
}

#[tokio::test]
async fn passing_is_for_requests_without_a_credential_only() {
    assert_eq!(ask(Missing::Pass, None).await.0, StatusCode::OK);
    assert_eq!(ask(Missing::Pass, Some("Bearer unknown")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Missing::Pass, Some("Bearer")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_verifier_hears_of_every_refusal() {
    let names = Names::default();
    let settings = Settings::new("https://api.example".parse().unwrap()).with_scope("read".parse().unwrap());
    let guard = Guard::new(names.clone(), settings);
    let app = Router::new().route("/", get(|| async { "in" })).layer(guard.clone());
    for credential in ["Bearer good", "Bearer bad", "Bearer elsewhere", "Bearer narrow", "Bearer down", "Bearer a b"] {
        let request =
            Request::builder().uri("/").header(header::USER_AGENT, "curl").header(header::AUTHORIZATION, credential);
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    }
    let token = names.verify("good").await.unwrap().unwrap();
    let refusal = Refusal::InsufficientScope("admin".parse().unwrap());
    let (headers, extensions) = (&HeaderMap::new(), &Extensions::new());
    let of_the_service = RefusedRequest { refusal: &refusal, token: Some(&token), headers, extensions };
    let answer: Response<String> = guard.refuse(of_the_service).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        *names.0.lock().unwrap(),
        [
            "Some(InvalidToken) by curl with no live token",
            "Some(InvalidToken) by curl with a live token of https://other.example",
            "Some(InsufficientScope) by curl with a live token of https://api.example",
            "Some(TemporarilyUnavailable) by curl with no live token",
            "Some(InvalidRequest) by curl with no live token",
            "Some(InsufficientScope) by nobody with a live token of https://api.example",
        ]
    );
}
