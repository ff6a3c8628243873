//! Ctrl-C in the middle of a refresh: the answer may be all there is of the sign-in, and is kept.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use support::{
    fake::{Answer, Fake, granted, signed_in, stored},
    gatepass,
};

fn start(home: &Path, arguments: &[&str]) -> Child {
    gatepass(home).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn press_ctrl_c(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn wait_until_asked(fake: &Fake) {
    let until = Instant::now() + Duration::from_secs(20);
    while fake.asked("/token").is_empty() {
        assert!(Instant::now() < until, "no refresh was begun");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_refresh_that_is_under_way_comes_to_its_end() {
    for (arguments, code) in [
        (&["token"][..], 130),
        (&["whoami"], 130),
        (&["exec", "--", "true"], 130),
        (&["proxy", "http://127.0.0.1:1"], 0),
    ] {
        let fake = Fake::start(|_, _| Answer::Late(Duration::from_millis(700), Box::new(granted("1"))));
        let home = tempfile::tempdir().unwrap();
        let account = signed_in(home.path(), &fake.issuer, -5);
        let mut child = start(home.path(), arguments);
        wait_until_asked(&fake);
        press_ctrl_c(&child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
        assert_eq!(stored(home.path(), &account), Some(("access-1".into(), "refresh-1".into())), "{arguments:?}");
    }
}

#[test]
fn who_presses_it_again_waits_no_more() {
    let fake = Fake::start(|_, _| Answer::Stall(Duration::from_secs(60)));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, -5);
    let mut child = start(home.path(), &["token"]);
    wait_until_asked(&fake);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        press_ctrl_c(&child);
        sleep(Duration::from_millis(50));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-0".into())));
}
