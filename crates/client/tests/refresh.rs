//! The refresh: three outcomes, once per machine, and nothing lost by a crash or a full disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{Failure, Reason, Renewal, SignedOut, Transient};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{Answer, Fake, granted, html, refused, sign_ins, signed_in, stored};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn renew(home: &Path, account: &gatepass_client::AccountId) -> Renewal {
    block_on(async { sign_ins(home).renew(account, Reason::Age).await.unwrap() })
}

#[test]
fn a_refresh_is_kept_before_it_is_used() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let bearer = block_on(sign_ins(folder.path()).bearer(&account, None)).unwrap();
    assert_eq!(bearer.token().expose(), "access-1");
    assert_eq!(stored(folder.path(), &account), Some(("access-1".into(), "refresh-1".into())));
    let form = &fake.asked("/token")[0].form;
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "refresh-0"));
    // The next one is fresh, and asks nobody.
    assert_eq!(block_on(sign_ins(folder.path()).bearer(&account, None)).unwrap().token().expose(), "access-1");
    assert_eq!(fake.asked("/token").len(), 1);
}

/// Every lie that a server or a network can tell is transient: nothing is lost, and it is said.
#[test]
fn whatever_is_not_the_servers_no_keeps_the_sign_in() {
    type Make = fn() -> Answer;
    let lies: [(&str, Make); 12] = [
        ("drop", || Answer::Drop),
        ("stall", || Answer::Stall(Duration::from_secs(3))),
        ("500", || Answer::Json(500, json!({"error": "invalid_grant"}))),
        ("429", || Answer::Json(429, json!({"error": "invalid_grant"}))),
        ("html", || html(200, "<h1>Welcome to the hotel</h1>")),
        ("html 400", || html(400, "invalid_grant")),
        ("redirect", || Answer::Redirect("http://127.0.0.1:1/token".into())),
        ("huge", || html(200, &"x".repeat(3 * 1024 * 1024))),
        ("not http", || Answer::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("cut short", || Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access".to_vec())),
        ("control characters", || Answer::Json(200, json!({"access_token": "a\r\nX: y", "token_type": "Bearer"}))),
        ("other error", || refused("invalid_request")),
    ];
    for (name, lie) in lies {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(move |_, _| lie()));
        let expired = signed_in(folder.path(), &fake.issuer, -5);
        let started = Instant::now();
        match renew(folder.path(), &expired) {
            Renewal::Transient { still_good: None, cause: Transient::Server(_) } => {}
            other => panic!("{name}: {other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{name}");
        assert_eq!(stored(folder.path(), &expired), Some(("access-0".into(), "refresh-0".into())), "{name}");
        // With some life left the old token goes on being used.
        signed_in(folder.path(), &fake.issuer, 30);
        let bearer = block_on(sign_ins(folder.path()).bearer(&expired, None)).unwrap();
        assert_eq!(bearer.token().expose(), "access-0", "{name}");
    }
}

#[test]
fn a_server_that_is_not_there_is_no_log_out() {
    // A port that is closed, and a name that does not resolve (RFC 6761 §6.4).
    for issuer in ["http://127.0.0.1:1", "https://gatepass.invalid"] {
        let folder = tempfile::tempdir().unwrap();
        let account = signed_in(folder.path(), issuer, -5);
        let renewal = renew(folder.path(), &account);
        let away = matches!(&renewal, Renewal::Transient { cause: Transient::Server(Failure::Unreachable { .. }), .. });
        assert!(away, "{renewal:?}");
        assert!(stored(folder.path(), &account).is_some());
    }
}

#[test]
fn only_the_servers_no_ends_the_sign_in() {
    for code in ["invalid_grant", "invalid_client"] {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(move |_, _| refused(code)));
        let account = signed_in(folder.path(), &fake.issuer, 30);
        assert!(matches!(renew(folder.path(), &account), Renewal::Rejected(refusal) if refusal.code == code));
        assert_eq!(stored(folder.path(), &account), None);
        assert!(matches!(renew(folder.path(), &account), Renewal::SignedOut));
        assert_eq!(fake.asked("/token").len(), 1, "an ended sign-in asks nobody");
        assert!(sign_ins(folder.path()).vault().read().unwrap().get(&account).is_some(), "the account stays known");
    }
}

#[test]
fn a_401_is_answered_with_one_new_token() {
    let fake = Fake::start(|asked, _| match asked.bearer.as_deref() {
        Some("access-1") => Answer::Json(200, json!({"ok": true})),
        Some(_) => Answer::Json(401, json!({})),
        None => granted("1"),
    });
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let call = gatepass_client::Call::get(format!("{}/api", fake.issuer).parse().unwrap());
    let reply = block_on(sign_ins(folder.path()).call(&account, call)).unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!((fake.asked("/api").len(), fake.asked("/token").len()), (2, 1));
}

#[test]
fn a_life_shorter_than_asked_for_is_refreshed_once_and_then_used() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(|_, _| granted("1"));
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let long = Some(Duration::from_secs(7200));
    assert_eq!(block_on(sign_ins(folder.path()).bearer(&account, long)).unwrap().token().expose(), "access-1");
}

#[test]
fn a_refresh_that_could_not_be_kept_is_not_begun() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let account = signed_in(folder.path(), &fake.issuer, -5);
    std::fs::create_dir(folder.path().join("vault.new")).unwrap();
    assert!(block_on(sign_ins(folder.path()).bearer(&account, None)).is_err());
    assert_eq!(fake.asked("/token").len(), 0);
    assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-0".into())));
}

/// Whoever stops waiting takes nothing with them: at a server that does not repeat itself the answer is all there is.
#[test]
fn a_refresh_that_nobody_waits_for_any_more_is_kept_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(|_, count| match count {
        0 => Answer::Late(Duration::from_millis(300), Box::new(granted("1"))),
        _ => refused("invalid_grant"),
    });
    let account = signed_in(folder.path(), &fake.issuer, -5);
    block_on(async {
        let sign_ins = sign_ins(folder.path());
        let impatient = tokio::time::timeout(Duration::from_millis(100), sign_ins.bearer(&account, None));
        assert!(impatient.await.is_err());
        assert_eq!(sign_ins.bearer(&account, None).await.unwrap().token().expose(), "access-1");
    });
    assert_eq!(stored(folder.path(), &account), Some(("access-1".into(), "refresh-1".into())));
}

/// A connection that breaks off after the server has acted: the same again, at once, brings the same answer.
#[test]
fn an_answer_that_broke_off_is_asked_for_once_more() {
    let fake = Fake::start(|_, count| if count == 0 { Answer::Drop } else { granted("1") });
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, -5);
    assert!(matches!(renew(folder.path(), &account), Renewal::Refreshed(_)));
    let presented: Vec<String> = fake.asked("/token").iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(presented, ["refresh-0", "refresh-0"]);
}

#[test]
fn signing_out_tells_the_server_first_and_keeps_the_sign_in_when_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let fake =
        Fake::start(|_, count| if count == 0 { Answer::Json(503, json!({})) } else { Answer::Json(200, json!({})) });
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    assert!(block_on(sign_ins(folder.path()).sign_out(&account)).is_err());
    assert!(stored(folder.path(), &account).is_some());
    assert_eq!(block_on(sign_ins(folder.path()).sign_out(&account)).unwrap(), SignedOut::Revoked);
    assert_eq!(fake.asked("/revoke")[1].form["token"], "refresh-0");
    assert!(sign_ins(folder.path()).vault().read().unwrap().sign_ins.is_empty());
    assert_eq!(block_on(sign_ins(folder.path()).sign_out(&account)).unwrap(), SignedOut::Already);
}

const CHILD: &str = "GATEPASS_TEST_CHILD";

/// What the child processes of the tests below do: print a good access token.
#[test]
fn child_process() {
    let Ok(home) = std::env::var(CHILD) else { return };
    let (sign_ins, home) = (sign_ins(Path::new(&home)), PathBuf::from(&home));
    let account = sign_ins.vault().read().unwrap().default.unwrap();
    match block_on(sign_ins.bearer(&account, None)) {
        Ok(bearer) => {
            std::fs::write(home.join(format!("{}.out", std::process::id())), bearer.token().expose()).unwrap()
        }
        Err(error) => panic!("{error}"),
    }
}

fn child(home: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process"])
        .env(CHILD, home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn forty_processes_with_an_expired_token_refresh_it_once() {
    let fake =
        Fake::start(|_, count| Answer::Late(Duration::from_millis(200), Box::new(granted(&format!("{}", count + 1)))));
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let children: Vec<Child> = (0..40).map(|_| child(folder.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fake.asked("/token").len(), 1);
    assert_eq!(stored(folder.path(), &account), Some(("access-1".into(), "refresh-1".into())));
    let tokens: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "out")))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(tokens, vec!["access-1"; 40]);
}

#[test]
fn a_process_killed_in_the_middle_of_a_refresh_leaves_it_to_the_next() {
    let fake = Fake::start(|_, count| match count {
        0 => Answer::Late(Duration::from_secs(1), Box::new(granted("1"))),
        _ => granted("1"),
    });
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let mut killed = child(folder.path());
    while fake.asked("/token").is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-0".into())));
    let bearer = block_on(sign_ins(folder.path()).bearer(&account, None)).unwrap();
    assert_eq!(bearer.token().expose(), "access-1");
    let presented: Vec<String> = fake.asked("/token").iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(presented, ["refresh-0", "refresh-0"], "the same token again, which the server answers the same");
}

/// `ulimit -f 0` makes every write of the child fail as a full disk does.
#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_byte_loses_no_sign_in() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact child_process"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    assert_eq!(fake.asked("/token").len(), 0, "the refresh was not begun");
    assert_eq!(stored(folder.path(), &account), Some(("access-0".into(), "refresh-0".into())));
}
