//! What the inner parts of a request cost: minting, recognising and hashing tokens, sealing, signing.
//!
//! `cargo bench -p gatepass-keys` prints nanoseconds per operation, the median of eleven runs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "it prints figures"
)]

use gatepass_keys::{
    Entropy, HashedToken, JwkSet, PlainToken, SealingKey, SigningKey, jws,
    token::{AccessToken, RefreshToken},
};
use gatepass_oauth::{CodeVerifier, Params, Scope, UtcMillis};
use serde_json::json;
use std::{hint::black_box, time::Instant};

const RUNS: usize = 11;
const TIMES: u32 = 20_000;

fn measure<T>(name: &str, mut operation: impl FnMut() -> T) {
    let mut runs: Vec<u128> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..TIMES {
                black_box(operation());
            }
            start.elapsed().as_nanos() / u128::from(TIMES)
        })
        .collect();
    runs.sort_unstable();
    println!("{name:<34} {:>8} ns", runs[RUNS / 2]);
}

fn main() {
    let entropy = Entropy::system();
    let now = UtcMillis(1_790_000_000_000);
    let token = PlainToken::<AccessToken>::mint(now, &entropy).unwrap();
    let refresh = PlainToken::<RefreshToken>::mint(now, &entropy).unwrap();
    let (key, _) = SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap();
    let claims = json!({ "iss": "https://auth.example", "sub": "u", "aud": "c", "exp": 1, "iat": 1, "nonce": "n" });
    let signed = key.sign("JWT", &claims).unwrap();
    let keys = JwkSet { keys: vec![key.public().clone()] };
    let verifier = CodeVerifier::from_random([7; 32]);
    let form = b"grant_type=refresh_token&client_id=gatepass-cli&refresh_token=gpr_0351gCF6xgVrvwjPhIahlcVRp41rNmWGMOmkCV94ALt3nQGAO";

    measure("mint a token", || PlainToken::<AccessToken>::mint(now, &entropy));
    measure("recognise a token, with its hash", || PlainToken::<AccessToken>::recognise(token.expose()));
    measure("hash a token", || HashedToken::of(token.expose()));
    measure("derive a key and seal an answer", || {
        SealingKey::from_secret(refresh.expose(), "bench").seal(&refresh.id().0, &[7; 400], &entropy)
    });
    measure("sign an ID token (ES256)", || key.sign("JWT", &claims));
    measure("verify an ID token (ES256)", || jws::verify::<serde_json::Value>(&signed, &keys));
    measure("answer a PKCE challenge", || verifier.challenge());
    measure("parse a form of three parameters", || Params::parse(form).is_ok());
    measure("parse a scope of five names", || "openid profile email offline_access account".parse::<Scope>());
}
