//! Narrowed tokens: by exchange, by refresh where there is none, and never wider than was asked for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{BearerError, NarrowError, Narrowing, Tokens, Transient};
use serde_json::json;
use std::{path::Path, time::Duration};
use support::{Answer, Asked, Fake, granted, refused, sign_ins, signed_in, stored};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

fn is_exchange(asked: &Asked) -> bool {
    asked.form["grant_type"] == EXCHANGE
}

fn exchanged(life: u64, scope: &str) -> Answer {
    Answer::Json(
        200,
        json!({"access_token": "narrow", "token_type": "Bearer", "expires_in": life, "scope": scope,
            "issued_token_type": ACCESS, "refresh_token": "never-handed-on"}),
    )
}

fn narrowed(home: &Path, account: &gatepass_client::AccountId, to: &Narrowing) -> Result<Tokens, NarrowError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { sign_ins(home).narrowed(account, to, None).await })
}

fn to(scope: Option<&str>, resource: Option<&str>, ttl: Option<u64>) -> Narrowing {
    Narrowing {
        scope: scope.map(|text| text.parse().unwrap()),
        resource: resource.map(|text| text.parse().unwrap()),
        audience: None,
        ttl: ttl.map(Duration::from_secs),
    }
}

#[test]
fn an_exchange_asks_for_exactly_what_is_wanted_and_keeps_nothing() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| exchanged(300, "list")));
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let wanted = Narrowing { audience: Some("api".into()), ..to(Some("list"), Some("https://a.example/x"), Some(300)) };
    let tokens = narrowed(folder.path(), &account, &wanted).unwrap();
    assert_eq!((tokens.access_token.expose(), tokens.scope.to_string().as_str()), ("narrow", "list"));
    assert!(tokens.refresh_token.is_none());
    let form = &fake.asked("/token")[0].form;
    let expected = [
        ("grant_type", EXCHANGE),
        ("client_id", "cli"),
        ("subject_token", "access-0"),
        ("subject_token_type", ACCESS),
        ("requested_token_type", ACCESS),
        ("scope", "list"),
        ("audience", "api"),
        ("requested_expiry", "300"),
        ("resource", "https://a.example/x"),
    ];
    assert_eq!(form.len(), expected.len(), "{form:?}");
    for (name, value) in expected {
        assert_eq!(form[name], value, "{name}");
    }
    assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-0".into())));
}

#[test]
fn what_the_sign_in_has_already_asks_nobody() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| refused("invalid_request")));
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    for wanted in [Narrowing::default(), to(Some("read"), None, None)] {
        let tokens = narrowed(folder.path(), &account, &wanted).unwrap();
        assert_eq!((tokens.access_token.expose(), tokens.refresh_token.is_none()), ("access-0", true));
    }
    assert!(fake.asked("/token").is_empty());
}

#[test]
fn without_an_exchange_a_refresh_narrows_and_its_rotation_is_kept() {
    for no in ["unsupported_grant_type", "unauthorized_client"] {
        let (folder, fake) = (
            tempfile::tempdir().unwrap(),
            Fake::start(move |asked, _| if is_exchange(asked) { refused(no) } else { granted("1") }),
        );
        let account = signed_in(folder.path(), &fake.issuer, 3000);
        let wanted = to(Some("read list"), Some("https://a.example"), None);
        let tokens = narrowed(folder.path(), &account, &wanted);
        // The fake grants 'read', which is within.
        assert_eq!(tokens.unwrap().access_token.expose(), "access-1");
        let form = &fake.asked("/token")[1].form;
        let said = ["grant_type", "refresh_token", "scope", "resource"].map(|name| form[name].as_str());
        assert_eq!(said, ["refresh_token", "refresh-0", "list read", "https://a.example"]);
        assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-1".into())), "{no}");
        // What a refresh cannot do is said, and no refresh token is spent on it.
        let life = narrowed(folder.path(), &account, &to(Some("list"), None, Some(60)));
        assert!(matches!(life, Err(NarrowError::NotOffered)), "{life:?}");
        assert_eq!(fake.asked("/token").len(), 3);
    }
}

#[test]
fn a_subject_token_that_is_over_before_its_time_is_replaced_once() {
    let fake =
        Fake::start(|asked, _| match (is_exchange(asked), asked.form.get("subject_token").map(String::as_str)) {
            (true, Some("access-1")) => exchanged(300, "list"),
            (true, _) => refused("invalid_request"),
            (false, _) => granted("1"),
        });
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let tokens = narrowed(folder.path(), &account, &to(Some("list"), None, None)).unwrap();
    assert_eq!(tokens.access_token.expose(), "narrow");
    assert_eq!(stored(folder.path(), &account), Some(("access-1".into(), "refresh-1".into())));
    assert_eq!(fake.asked("/token").len(), 3);
}

#[test]
fn a_refusal_or_a_lie_is_told_and_the_sign_in_stays() {
    type Make = fn() -> Answer;
    let table: [(&str, Make); 8] = [
        ("refused", || refused("invalid_scope")),
        ("refused", || refused("invalid_target")),
        ("refused", || refused("invalid_client")),
        ("refused", || refused("access_denied")),
        ("wider", || exchanged(60, "list write")),
        ("too long", || exchanged(3600, "list")),
        ("transient", || Answer::Json(503, json!({}))),
        ("transient", || Answer::Drop),
    ];
    for (expected, make) in table {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(move |_, _| make()));
        let account = signed_in(folder.path(), &fake.issuer, 3000);
        let error = narrowed(folder.path(), &account, &to(Some("list"), None, Some(60))).unwrap_err();
        let kind = match &error {
            NarrowError::Refused(_) => "refused",
            NarrowError::Wider => "wider",
            NarrowError::TooLong => "too long",
            NarrowError::Bearer(BearerError::Transient(Transient::Server(_))) => "transient",
            _ => "other",
        };
        assert_eq!(kind, expected, "{error}");
        assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-0".into())), "{error}");
        assert_eq!(fake.asked("/token").len(), 1, "{error}");
    }
}

#[test]
fn nonsense_all_the_time_does_not_refresh_all_the_time() {
    let fake = Fake::start(|asked, _| if is_exchange(asked) { refused("invalid_request") } else { granted("1") });
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    for _ in 0..5 {
        let refused = narrowed(folder.path(), &account, &to(Some("list"), None, None));
        assert!(matches!(refused, Err(NarrowError::Refused(_))), "{refused:?}");
    }
    let refreshes = fake.asked("/token").iter().filter(|asked| !is_exchange(asked)).count();
    assert_eq!(refreshes, 1);
}
