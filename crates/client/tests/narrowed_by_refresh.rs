//! At a server without exchange: a refresh for less is as well protected as any other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{AccountId, Narrowing};
use std::{path::Path, time::Duration};
use support::{Answer, Asked, Fake, granted, refused, sign_ins, signed_in, stored};

fn is_exchange(asked: &Asked) -> bool {
    asked.form["grant_type"] != "refresh_token"
}

/// A server that has no exchange, and answers refreshes so; it is told how often it was asked for one before.
fn without_exchange(script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Fake {
    let refreshes = std::sync::atomic::AtomicUsize::new(0);
    Fake::start(move |asked, _| match is_exchange(asked) {
        true => refused("unsupported_grant_type"),
        false => script(asked, refreshes.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
    })
}

fn refreshes(fake: &Fake) -> Vec<String> {
    let asked = fake.asked("/token").into_iter().filter(|asked| !is_exchange(asked));
    asked.map(|asked| asked.form["refresh_token"].clone()).collect()
}

fn less() -> Narrowing {
    Narrowing { scope: Some("read list".parse().unwrap()), ..Narrowing::default() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn narrowed(home: &Path, account: &AccountId) -> Option<String> {
    block_on(async { sign_ins(home).narrowed(account, &less(), None).await })
        .ok()
        .map(|tokens| tokens.access_token.expose().to_owned())
}

fn was_asked_for_less(home: &Path, account: &AccountId) -> bool {
    sign_ins(home).vault().read().unwrap().get(account).unwrap().tokens.as_ref().unwrap().asked_for_less
}

fn pair(number: u32) -> Option<(String, String)> {
    Some((format!("access-{number}"), format!("refresh-{number}")))
}

#[test]
fn what_broke_off_is_asked_again_at_once() {
    let fake = without_exchange(|_, count| if count == 0 { Answer::Drop } else { granted("1") });
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    assert_eq!(narrowed(home.path(), &account).as_deref(), Some("access-1"));
    assert_eq!(refreshes(&fake), ["refresh-0", "refresh-0"]);
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-1".into())));
    assert!(!was_asked_for_less(home.path(), &account));
}

/// The server rotated and nobody heard of it; asked the same again it says the same again.
fn loses_the_first_answer() -> Fake {
    without_exchange(|asked, count| match (asked.form["refresh_token"].as_str(), count) {
        ("refresh-0", 0 | 1) => Answer::Drop,
        ("refresh-0", _) => granted("1"),
        ("refresh-1", _) => granted("2"),
        _ => granted("3"),
    })
}

#[test]
fn a_lost_answer_that_is_repeated_does_not_become_the_sign_ins_own_token() {
    let (fake, home) = (loses_the_first_answer(), tempfile::tempdir().unwrap());
    let account = signed_in(home.path(), &fake.issuer, 3000);
    assert_eq!(narrowed(home.path(), &account), None);
    assert!(was_asked_for_less(home.path(), &account));
    assert_eq!(stored(home.path(), &account), pair(0));
    let longer = Some(Duration::from_secs(3300));
    let bearer = block_on(async { sign_ins(home.path()).bearer(&account, longer).await }).unwrap();
    assert_eq!(bearer.token().expose(), "access-2");
    assert_eq!(stored(home.path(), &account), pair(2));
    assert!(!was_asked_for_less(home.path(), &account));
    assert_eq!(refreshes(&fake), ["refresh-0", "refresh-0", "refresh-0", "refresh-1"]);
}

#[test]
fn a_lost_answer_is_not_given_to_who_asks_for_something_else() {
    let (fake, home) = (loses_the_first_answer(), tempfile::tempdir().unwrap());
    let account = signed_in(home.path(), &fake.issuer, 3000);
    assert_eq!(narrowed(home.path(), &account), None);
    assert_eq!(narrowed(home.path(), &account).as_deref(), Some("access-3"));
    assert_eq!(stored(home.path(), &account), Some(("access-2".into(), "refresh-3".into())));
}

#[test]
fn a_refusal_leaves_nothing_in_doubt() {
    let (fake, home) = (without_exchange(|_, _| refused("invalid_scope")), tempfile::tempdir().unwrap());
    let account = signed_in(home.path(), &fake.issuer, 3000);
    assert_eq!(narrowed(home.path(), &account), None);
    assert!(!was_asked_for_less(home.path(), &account));
    assert_eq!(stored(home.path(), &account), pair(0));
}

#[test]
fn its_rotation_is_kept_although_nobody_waits_for_it() {
    let fake = without_exchange(|_, _| Answer::Late(Duration::from_millis(400), Box::new(granted("1"))));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    block_on(async {
        let sign_ins = sign_ins(home.path());
        let (wanted, asked) = (less(), async {
            while refreshes(&fake).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        tokio::select! {
            _ = sign_ins.narrowed(&account, &wanted, None) => panic!("the answer is late"),
            () = asked => {}
        }
        sign_ins.finish().await;
    });
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-1".into())));
}

#[test]
fn its_rotation_takes_no_newer_tokens_place() {
    let fake = without_exchange(|_, _| Answer::Late(Duration::from_millis(400), Box::new(granted("1"))));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    let (path, id) = (home.path().to_owned(), account.clone());
    let narrowing = std::thread::spawn(move || narrowed(&path, &id));
    while refreshes(&fake).is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let newer = sign_ins(home.path()).vault().update(|contents| {
        let tokens = contents.get_mut(&account).unwrap().tokens.as_mut().unwrap();
        tokens.refresh_token = Some("refresh-newer".into());
    });
    newer.unwrap();
    assert_eq!(narrowing.join().unwrap().as_deref(), Some("access-1"));
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-newer".into())));
}

/// Each needs a thread for the vault now and then, and none keeps one while it waits for the others.
#[test]
fn many_at_once_wait_for_each_other_without_keeping_threads() {
    let fake = without_exchange(|_, count| granted(&format!("{}", count + 1)));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build().unwrap();
    runtime.block_on(async {
        let sign_ins = sign_ins(home.path());
        let many: Vec<_> = (0..6)
            .map(|_| {
                let (sign_ins, account) = (sign_ins.clone(), account.clone());
                tokio::spawn(async move { sign_ins.narrowed(&account, &less(), None).await.map(drop) })
            })
            .collect();
        let all = async {
            for one in many {
                one.await.unwrap().unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    });
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-6".into())));
}
