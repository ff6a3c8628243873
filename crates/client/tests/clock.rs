//! Clocks that are wrong, set on and set back: a dead token is not kept, and the server is not hammered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{AccountId, Clock, Freshness, SignIns, oauth::UtcMillis};
use std::{path::Path, time::Duration};
use support::{Answer, Fake, granted, sign_ins_at, signed_in, stored};

const HOUR: i64 = 3_600_000;

fn token(sign_ins: &SignIns, account: &AccountId) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sign_ins.bearer(account, None)).unwrap().token().expose().to_owned()
}

/// Sign-ins by a clock that is so many milliseconds ahead of the machine's.
fn ahead(home: &Path, by: i64) -> SignIns {
    sign_ins_at(home, Clock::settable(UtcMillis(Clock::System.now().0 + by)))
}

/// A server whose tokens are called after the count of requests, and live for an hour.
fn counting() -> Fake {
    Fake::start(|_, count| granted(&format!("{}", count + 1)))
}

#[test]
fn each_step_of_the_clock_costs_one_refresh() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), counting());
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    for (step, by) in [0, 2 * HOUR, 0, -2 * HOUR, 0].into_iter().enumerate() {
        for _ in 0..10 {
            assert_eq!(token(&ahead(folder.path(), by), &account), format!("access-{step}"), "{by}");
        }
    }
    assert_eq!(fake.asked("/token").len(), 4);
}

/// An hour back, a token that came half an hour ago seems to be from the future, and one that is dead seems alive.
#[test]
fn a_clock_that_was_set_back_makes_no_dead_token_fresh() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), counting());
    let account = signed_in(folder.path(), &fake.issuer, -600);
    let sign_ins = ahead(folder.path(), -HOUR - HOUR / 2);
    assert!(sign_ins.fresh_bearer(&account, None).unwrap().is_none());
    assert!(sign_ins.fresh_bearer(&account, Some(Duration::from_secs(1))).unwrap().is_none());
    assert_eq!(token(&sign_ins, &account), "access-1");
}

#[test]
fn a_doubtful_token_is_used_where_no_other_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let sign_ins = ahead(folder.path(), -2 * HOUR);
    let contents = sign_ins.vault().read().unwrap();
    let tokens = contents.get(&account).unwrap().tokens.clone().unwrap();
    assert_eq!(tokens.freshness(sign_ins.clock().now(), 0), Freshness::Doubtful);
    assert_eq!(token(&sign_ins, &account), "access-0");
    assert!(stored(folder.path(), &account).is_some());
}

/// What the clock hides, the resource tells: 401, then one refresh.
#[test]
fn a_dead_token_that_a_wrong_clock_calls_fresh_is_replaced_after_a_401() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(|asked, count| match (asked.path.as_str(), asked.bearer.as_deref()) {
        ("/api", Some("access-1")) => Answer::Json(200, serde_json::json!({})),
        ("/api", _) => Answer::Json(401, serde_json::json!({})),
        _ => granted(&format!("{}", count + 1)),
    });
    let account = signed_in(folder.path(), &fake.issuer, -600);
    let sign_ins = ahead(folder.path(), -HOUR / 2);
    assert!(sign_ins.fresh_bearer(&account, None).unwrap().is_some(), "by its age it could be alive");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..5 {
        let call = gatepass_client::Call::get(format!("{}/api", fake.issuer).parse().unwrap());
        assert_eq!(runtime.block_on(sign_ins.call(&account, call)).unwrap().status, 200);
    }
    assert_eq!(fake.asked("/token").len(), 1);
}

/// Two machines whose clocks are hours apart share a home: those who waited for a refresh take what it brought, whatever
/// their clock says of it.
#[test]
fn those_who_waited_adopt_what_came_by_whichever_clock() {
    let (folder, fake) = (
        tempfile::tempdir().unwrap(),
        Fake::start(|_, count| Answer::Late(Duration::from_millis(1000), Box::new(granted(&format!("{}", count + 1))))),
    );
    let account = signed_in(folder.path(), &fake.issuer, -10_000);
    let start = std::sync::Arc::new(std::sync::Barrier::new(12));
    let threads: Vec<_> = (0..12)
        .map(|number| {
            let (home, account, start) = (folder.path().to_owned(), account.clone(), start.clone());
            std::thread::spawn(move || {
                let sign_ins = ahead(&home, if number % 2 == 0 { HOUR } else { 3 * HOUR });
                start.wait();
                token(&sign_ins, &account)
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "access-1");
    }
    assert_eq!(fake.asked("/token").len(), 1);
}

/// A repeated answer of a server that was away for longer than its tokens live.
#[test]
fn an_answer_whose_token_is_over_already_leads_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(|asked, _| match asked.form["refresh_token"].as_str() {
        "refresh-0" => {
            let body = serde_json::json!({"access_token": "access-1", "token_type": "Bearer", "expires_in": 0,
                                          "refresh_token": "refresh-1"});
            Answer::Json(200, body)
        }
        _ => granted("2"),
    });
    let account = signed_in(folder.path(), &fake.issuer, -5);
    assert_eq!(token(&ahead(folder.path(), 0), &account), "access-2");
    assert_eq!(stored(folder.path(), &account), Some(("access-2".into(), "refresh-2".into())));
}
