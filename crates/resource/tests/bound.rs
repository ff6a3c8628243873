//! Tokens that are bound to a key: who lacks it does not come in.

#![allow(clippy::unwrap_used, reason = "tests")]

use axum::{Router, body::Body, routing::get};
use gatepass_keys::{
    Clock, Entropy, ProofKey,
    dpop::{WINDOW, Wanted},
};
use gatepass_oauth::{Confirmation, ResourceUri, Scope, UtcMillis};
use gatepass_resource::{ClientCertificate, Guard, LocalProofs, Settings, TokenFacts, Unavailable, Verifier};
use http::{HeaderMap, Request, StatusCode};
use std::sync::Arc;
use tower::ServiceExt;

#[derive(Clone)]
struct Token(ResourceUri, Scope, Option<Confirmation>);

impl TokenFacts for Token {
    fn audience(&self) -> &ResourceUri {
        &self.0
    }
    fn scope(&self) -> &Scope {
        &self.1
    }
    fn confirmation(&self) -> Option<&Confirmation> {
        self.2.as_ref()
    }
}

/// Knows three tokens, by what they are bound to.
#[derive(Clone)]
struct Bound {
    key: Arc<ProofKey>,
    certificate: ClientCertificate,
}

impl Verifier for Bound {
    type Token = Token;

    async fn verify(&self, token: &str) -> Result<Option<Token>, Unavailable> {
        let confirmation = match token {
            "key" => Some(self.key.confirmation()),
            "certificate" => Some(self.certificate.confirmation()),
            "free" => None,
            _ => return Ok(None),
        };
        Ok(Some(Token("https://api.example/v1/mcp".parse().unwrap(), Scope::empty(), confirmation)))
    }
}

struct Api {
    bound: Bound,
    clock: Clock,
    router: Router,
}

const URL: &str = "https://api.example/data";

impl Api {
    fn new(change: impl FnOnce(Settings) -> Settings) -> Self {
        let clock = Clock::settable(UtcMillis(1_790_000_000_000));
        let key = Arc::new(ProofKey::ephemeral().unwrap());
        let bound = Bound { key, certificate: ClientCertificate::from_der(b"ours") };
        let settings = change(Settings::new("https://api.example/v1/mcp".parse().unwrap()));
        let guard = Guard::new(bound.clone(), settings).with_proofs(LocalProofs::new(clock.clone()));
        let router = Router::new().route("/data", get(|| async { "in" })).layer(guard);
        Self { bound, clock, router }
    }

    fn proof(&self, key: &ProofKey, url: &str, token: &str) -> String {
        let wanted = Wanted { method: "GET", url, nonce: None, access_token: Some(token) };
        key.prove(&wanted, &self.clock, &Entropy::system()).unwrap().expose().to_owned()
    }

    async fn ask(&self, authorization: &str, proofs: &[&str]) -> (StatusCode, HeaderMap) {
        self.ask_with(authorization, proofs, None).await
    }

    async fn ask_with(
        &self,
        authorization: &str,
        proofs: &[&str],
        certificate: Option<&[u8]>,
    ) -> (StatusCode, HeaderMap) {
        let mut request =
            Request::get("/data?x=1").header("authorization", authorization).header("host", "evil.example");
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(ClientCertificate::from_der(certificate));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status(), response.headers().clone())
    }
}

fn challenge(headers: &HeaderMap) -> String {
    headers["www-authenticate"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bound_token_comes_in_with_a_proof_of_its_key_once() {
    let api = Api::new(|settings| settings);
    let proof = api.proof(&api.bound.key, URL, "key");
    assert_eq!(api.ask("DPoP key", &[&proof]).await.0, StatusCode::OK);
    let (status, headers) = api.ask("DPoP key", &[&proof]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let challenge = challenge(&headers);
    assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
    assert!(challenge.contains("algs=\"ES256 EdDSA Ed25519 RS256 PS256\""), "{challenge}");
    // Through both spans of the memory, until its time refuses it.
    for _ in 0..4 {
        api.clock.advance(WINDOW);
        assert_eq!(api.ask("DPoP key", &[&proof]).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn what_does_not_prove_the_key_does_not_come_in() {
    let api = Api::new(|settings| settings);
    let other = ProofKey::ephemeral().unwrap();
    let good = || api.proof(&api.bound.key, URL, "key");
    let table: Vec<(&str, Vec<String>, &str)> = vec![
        ("DPoP key", vec![], "DPoP error=\"invalid_dpop_proof\""),
        ("DPoP key", vec![good(), good()], "DPoP error=\"invalid_dpop_proof\""),
        ("DPoP key", vec!["nonsense".into()], "DPoP error=\"invalid_dpop_proof\""),
        ("DPoP key", vec![api.proof(&api.bound.key, URL, "free")], "DPoP error=\"invalid_dpop_proof\""),
        (
            "DPoP key",
            vec![api.proof(&api.bound.key, "https://evil.example/data", "key")],
            "DPoP error=\"invalid_dpop_proof\"",
        ),
        ("DPoP key", vec![api.proof(&other, URL, "key")], "DPoP error=\"invalid_token\""),
        ("Bearer key", vec![good()], "DPoP error=\"invalid_token\""),
        ("DPoP free", vec![api.proof(&api.bound.key, URL, "free")], "DPoP error=\"invalid_token\""),
        ("DPoP certificate", vec![api.proof(&api.bound.key, URL, "certificate")], "DPoP error=\"invalid_token\""),
        ("DPoP unknown", vec![api.proof(&api.bound.key, URL, "unknown")], "DPoP error=\"invalid_token\""),
    ];
    for (authorization, proofs, begins) in table {
        let (status, headers) = api.ask(authorization, &proofs.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization} {proofs:?}");
        assert!(challenge(&headers).starts_with(begins), "{authorization}: {}", challenge(&headers));
    }
    assert_eq!(api.ask("Bearer free", &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_comes_in_with_that_one_only() {
    let api = Api::new(|settings| settings);
    assert_eq!(api.ask_with("Bearer certificate", &[], Some(b"ours")).await.0, StatusCode::OK);
    for certificate in [None, Some(&b"theirs"[..])] {
        let (status, headers) = api.ask_with("Bearer certificate", &[], certificate).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge(&headers).starts_with("Bearer error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn behind_a_prefix_the_public_url_counts() {
    let api = Api::new(|settings| settings.with_public_url("https://api.example/prefix/"));
    let proof = |url| api.proof(&api.bound.key, url, "key");
    assert_eq!(api.ask("DPoP key", &[&proof("https://api.example/prefix/data")]).await.0, StatusCode::OK);
    assert_eq!(api.ask("DPoP key", &[&proof(URL)]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_comes_without_anything_is_told_both_ways() {
    let api = Api::new(|settings| settings);
    let (status, headers) = api.ask("Basic YTpi", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let ways: Vec<&str> = headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(ways, ["Bearer realm=\"api\"", "DPoP algs=\"ES256 EdDSA Ed25519 RS256 PS256\""]);
}
