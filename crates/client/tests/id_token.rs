//! The ID token that is handed to others: kept, fetched anew at its end, and only ever the same person's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_client::{AccountId, SignIns, id_token::NoIdToken};
use serde_json::{Value, json};
use support::{Answer, Fake, sign_ins, signed_in};

/// An ID token of the fake's for its user, which ends in `life` seconds.
fn token(sign_ins: &SignIns, issuer: &str, subject: &str, life: i64) -> String {
    let exp = sign_ins.clock().now().seconds() + life;
    let claims = json!({"iss": issuer, "sub": subject, "aud": "cli", "exp": exp, "iat": exp - 3600});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn give(sign_ins: &SignIns, account: &AccountId, token: Option<String>) {
    let keep = |contents: &mut gatepass_client::Contents| {
        contents.get_mut(account).unwrap().tokens.as_mut().unwrap().id_token = token.map(Into::into);
    };
    sign_ins.vault().update(keep).unwrap();
}

/// A fake whose refreshes bring what is given, at most once.
fn fake(answers: impl Fn(&str) -> Value + Send + Sync + 'static) -> Fake {
    Fake::start_raw(move |asked, issuer, _| match asked.path.as_str() {
        "/token" => {
            let mut body = json!({"access_token": "access-1", "token_type": "Bearer", "expires_in": 3600});
            body["id_token"] = answers(issuer);
            Answer::Json(200, body)
        }
        _ => Answer::Json(404, json!({})),
    })
}

#[tokio::test]
async fn one_that_lasts_is_handed_out_and_one_that_is_over_is_fetched_anew() {
    let home = tempfile::tempdir().unwrap();
    let here = sign_ins(home.path());
    let other = here.clone();
    let fake = fake(move |issuer| token(&other, issuer, "u1", 3600).into());
    let account = signed_in(home.path(), &fake.issuer, 3000);
    let lasting = token(&here, &fake.issuer, "u1", 600);
    give(&here, &account, Some(lasting.clone()));
    assert_eq!(here.id_token(&account).await.unwrap().0.expose(), lasting);
    assert_eq!(fake.asked("/token").len(), 0);

    give(&here, &account, Some(token(&here, &fake.issuer, "u1", 30)));
    let (new, end) = here.id_token(&account).await.unwrap();
    assert!(end.seconds() > here.clock().now().seconds() + 3000);
    assert_eq!(here.id_token(&account).await.unwrap().0.expose(), new.expose());
    assert_eq!(fake.asked("/token").len(), 1);
}

#[tokio::test]
async fn a_server_that_gives_none_or_another_persons_is_asked_once() {
    for odd in [None, Some(("u2", 3600)), Some(("u1", -5))] {
        let home = tempfile::tempdir().unwrap();
        let here = sign_ins(home.path());
        let other = here.clone();
        let fake = fake(move |issuer| odd.map_or(Value::Null, |(sub, life)| token(&other, issuer, sub, life).into()));
        let account = signed_in(home.path(), &fake.issuer, 3000);
        give(&here, &account, Some(token(&here, &fake.issuer, "u1", -5)));
        for _ in 0..2 {
            assert!(matches!(here.id_token(&account).await, Err(NoIdToken::None)), "{odd:?}");
        }
        assert_eq!(fake.asked("/token").len(), 1, "{odd:?}");
        assert_eq!(here.bearer(&account, None).await.unwrap().token().expose(), "access-1", "the sign-in goes on");
    }
}

/// Auth0 and others name themselves with a slash at the end.
#[test]
fn an_issuer_that_spells_itself_with_a_slash_is_known_by_that_at_a_refresh() {
    // How it spells itself, if that is known; and what its token says.
    for (spelt, said, kept) in [
        (Some("/"), "/", true),
        (Some(""), "/", false),
        (Some("/"), "", false),
        (Some(""), "", true),
        (None, "/", true),
        (None, "", true),
        (None, "//", false),
    ] {
        let home = tempfile::tempdir().unwrap();
        let here = sign_ins(home.path());
        let other = here.clone();
        let fake = fake(move |issuer| token(&other, &format!("{issuer}{said}"), "u1", 3600).into());
        let account = signed_in(home.path(), &fake.issuer, -5);
        let iss = spelt.map(|end| format!("{}{end}", fake.issuer));
        here.vault().update(|contents| contents.get_mut(&account).unwrap().terms.iss = iss).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(here.bearer(&account, None)).unwrap();
        let tokens = here.vault().read().unwrap().get(&account).unwrap().tokens.clone().unwrap();
        assert_eq!(tokens.id_token.is_some(), kept, "known as {spelt:?}, says {said:?}");
    }
}
