//! The rules of RFC 9449 §4.3, one bad proof each.

use super::*;
use serde_json::{Value, json};

const NOW: UtcMillis = UtcMillis(1_790_000_000_000);
const URL: &str = "https://as.example/token";

fn expected(access_token: Option<&str>) -> Expected<'_> {
    Expected { method: "POST", url: URL, access_token, now: NOW }
}

fn claims() -> Value {
    json!({ "jti": "one", "htm": "POST", "htu": URL, "iat": NOW.seconds() })
}

fn header(key: &SigningKey) -> Value {
    let jwk = json!(PublicHalf { key: &key.public().key });
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk })
}

fn changed(mut value: Value, name: &str, to: Value) -> Value {
    match to {
        Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
        to => value[name] = to,
    }
    value
}

#[test]
fn a_proof_that_was_made_verifies_and_says_whose_it_is() {
    let (key, clock, entropy) = (ProofKey::ephemeral().unwrap(), Clock::settable(NOW), Entropy::system());
    let wanted = Wanted { method: "POST", url: "https://AS.example/token?x=1#y", nonce: Some("n"), access_token: None };
    let made = key.prove(&wanted, &clock, &entropy).unwrap();
    let proof = verify(made.expose(), &expected(None)).unwrap();
    assert_eq!((proof.confirmation, proof.nonce.as_deref()), (key.confirmation(), Some("n")));
    let (_, said) = crate::jose::unverified::<Value>(made.expose()).unwrap();
    assert_eq!(said["htu"], "https://AS.example/token", "a query may hold a secret");
    assert_eq!(proof.remember_until, NOW.plus(WINDOW));
    let again = key.prove(&wanted, &clock, &entropy).unwrap();
    assert_ne!(verify(again.expose(), &expected(None)).unwrap().once, proof.once, "each proof is its own");

    let wanted = Wanted { access_token: Some("gpa_x"), ..wanted };
    let made = key.prove(&wanted, &clock, &entropy).unwrap();
    assert!(verify(made.expose(), &expected(Some("gpa_x"))).is_ok());
    assert_eq!(verify(made.expose(), &expected(Some("gpa_y"))).unwrap_err(), InvalidProof::AccessToken);
    assert_eq!(verify(made.expose(), &expected(None)).unwrap_err(), InvalidProof::AccessToken);
}

/// The example of RFC 9449 §4.1, byte for byte.
#[test]
fn the_proof_of_the_standard_verifies() {
    let text = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let expected = Expected {
        method: "POST",
        url: "https://server.example.com/token",
        access_token: None,
        now: UtcMillis::from_seconds(1_562_262_616),
    };
    let proof = verify(text, &expected).unwrap();
    assert_eq!(proof.confirmation.to_string(), "jkt:0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

/// The example of RFC 9449 §7.1.
#[test]
fn the_hash_of_an_access_token_is_that_of_the_standard() {
    let hash = access_token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    assert_eq!(hash, "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn every_claim_that_is_wrong_has_its_reason() {
    let key = SigningKey::ephemeral().unwrap();
    let now = NOW.seconds();
    let table: Vec<(&str, Value, InvalidProof)> = vec![
        ("htm", json!("GET"), InvalidProof::Method),
        ("htm", json!("post"), InvalidProof::Method),
        ("htm", Value::Null, InvalidProof::Malformed),
        ("htu", json!("https://other.example/token"), InvalidProof::Url),
        ("htu", json!("http://as.example/token"), InvalidProof::Url),
        ("htu", json!("https://as.example/token/"), InvalidProof::Url),
        ("htu", json!("https://as.example:444/token"), InvalidProof::Url),
        ("htu", json!("/token"), InvalidProof::Url),
        ("htu", json!(""), InvalidProof::Url),
        ("htu", Value::Null, InvalidProof::Malformed),
        ("iat", json!(now - 300), InvalidProof::Time),
        ("iat", json!(now + 301), InvalidProof::Time),
        ("iat", json!(i64::MAX), InvalidProof::Time),
        ("iat", json!(i64::MIN), InvalidProof::Time),
        ("iat", json!(1e300), InvalidProof::Time),
        ("iat", json!("now"), InvalidProof::Malformed),
        ("iat", Value::Null, InvalidProof::Malformed),
        ("jti", json!(""), InvalidProof::Identifier),
        ("jti", json!("j".repeat(257)), InvalidProof::Identifier),
        ("jti", Value::Null, InvalidProof::Identifier),
        ("jti", json!(7), InvalidProof::Malformed),
        ("ath", json!("x"), InvalidProof::AccessToken),
    ];
    for (name, value, reason) in table {
        let proof = key.sign_under(&header(&key), &changed(claims(), name, value.clone())).unwrap();
        assert_eq!(verify(&proof, &expected(None)).unwrap_err(), reason, "{name}: {value}");
    }
    for good in [json!(now - 299), json!(now + 300), serde_json::from_str(&format!("{now}.5")).unwrap()] {
        let proof = key.sign_under(&header(&key), &changed(claims(), "iat", good.clone())).unwrap();
        assert!(verify(&proof, &expected(None)).is_ok(), "{good}");
    }
    let without = key.sign_under(&header(&key), &claims()).unwrap();
    assert_eq!(verify(&without, &expected(Some("token"))).unwrap_err(), InvalidProof::AccessToken);
}

#[test]
fn every_header_that_is_wrong_has_its_reason() {
    let (key, other) = (SigningKey::ephemeral().unwrap(), SigningKey::ephemeral().unwrap());
    let mut private = header(&key)["jwk"].clone();
    private["d"] = json!("AAAA");
    let mut short = header(&key)["jwk"].clone();
    short["x"] = json!("AAAA");
    let table: Vec<(&str, Value, InvalidProof)> = vec![
        ("typ", Value::Null, InvalidProof::Type),
        ("typ", json!("JWT"), InvalidProof::Type),
        ("alg", json!("none"), InvalidProof::Unsupported),
        ("alg", json!("HS256"), InvalidProof::Unsupported),
        ("alg", json!("RS256"), InvalidProof::Key),
        ("alg", Value::Null, InvalidProof::Malformed),
        ("crit", json!(["b64"]), InvalidProof::Unsupported),
        ("jwk", Value::Null, InvalidProof::Key),
        ("jwk", json!("text"), InvalidProof::Key),
        ("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" }), InvalidProof::Key),
        ("jwk", private, InvalidProof::Key),
        ("jwk", short, InvalidProof::Key),
        ("jwk", header(&other)["jwk"].clone(), InvalidProof::Signature),
    ];
    for (name, value, reason) in table {
        let proof = key.sign_under(&changed(header(&key), name, value.clone()), &claims()).unwrap();
        assert_eq!(verify(&proof, &expected(None)).unwrap_err(), reason, "{name}: {value}");
    }
    let unsigned = key.sign_under(&changed(header(&key), "alg", json!("none")), &claims()).unwrap();
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    assert_eq!(verify(&unsigned, &expected(None)).unwrap_err(), InvalidProof::Unsupported);
    // What the server itself signs is no proof.
    let token = key.sign("JWT", &claims()).unwrap();
    assert_eq!(verify(&token, &expected(None)).unwrap_err(), InvalidProof::Type);
}

#[test]
fn a_proof_is_bounded() {
    let key = SigningKey::ephemeral().unwrap();
    let long = key.sign_under(&header(&key), &changed(claims(), "pad", json!("x".repeat(16 * 1024)))).unwrap();
    assert_eq!(verify(&long, &expected(None)).unwrap_err(), InvalidProof::Malformed);
    let nonce = key.sign_under(&header(&key), &changed(claims(), "nonce", json!("n".repeat(300)))).unwrap();
    assert_eq!(verify(&nonce, &expected(None)).unwrap().nonce, None);
    for bad in ["", ".", "..", "a.b.c", "\u{e9}.\u{e9}.\u{e9}"] {
        assert_eq!(verify(bad, &expected(None)).unwrap_err(), InvalidProof::Malformed, "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        let _ = verify(&text, &expected(None));
    }
}

#[test]
fn a_key_that_a_client_kept_is_the_same_key_and_a_damaged_one_is_none() {
    let (key, text) = ProofKey::generate().unwrap();
    let again = ProofKey::from_secret(&text).unwrap();
    assert_eq!((again.thumbprint(), again.confirmation()), (key.thumbprint(), key.confirmation()));
    assert_eq!(key.confirmation(), Confirmation::Jkt(key.thumbprint().into()));
    assert!(!format!("{again:?}{text:?}").contains(text.expose()));
    for bad in ["", "AAAA", "not base64url!", text.expose().split_at(40).0] {
        assert_eq!(ProofKey::from_secret(&bad.into()).unwrap_err(), SigningKeyError::Damaged, "{bad}");
    }
}
