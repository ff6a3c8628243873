//! The ways of signing in, against a server that helps, hinders and lies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{
    Account, Environment, Event, Person, SignInError, SignInRequest, Ways,
    device::{DeviceError, poller::Ended},
    sign_in::attempt::BadAnswer,
};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use support::{Answer, Asked, Fake, granted, html, metadata, refused, sign_ins, stored};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

/// A sign-in under way: what it told, and a way to paste.
struct UnderWay {
    events: mpsc::UnboundedReceiver<Event>,
    paste: mpsc::Sender<String>,
    outcome: tokio::task::JoinHandle<Result<Account, SignInError>>,
    folder: tempfile::TempDir,
}

fn begin(issuer: &str, ways: Option<Ways>) -> UnderWay {
    let folder = tempfile::tempdir().unwrap();
    let mut request = SignInRequest::new(issuer.parse().unwrap(), "cli".parse().unwrap());
    request.device_name = Some("ada's laptop".into());
    let (told, events) = mpsc::unbounded_channel();
    let (paste, pasted) = mpsc::channel(4);
    let sign_ins = sign_ins(folder.path());
    let outcome = tokio::spawn(async move {
        let tell = move |event| drop(told.send(event));
        let environment = Environment { display: true, terminal: true, ..Environment::default() };
        let person = Person { ways, pasted: Some(pasted), ..Person::new(environment, &tell) };
        sign_ins.sign_in(&request, person).await
    });
    UnderWay { events, paste, outcome, folder }
}

impl UnderWay {
    /// The authorization URL's parameters.
    async fn page(&mut self) -> HashMap<String, String> {
        loop {
            if let Event::Url(url) = self.events.recv().await.unwrap() {
                return url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
            }
        }
    }

    async fn end(self) -> Result<(Account, tempfile::TempDir), SignInError> {
        self.outcome.await.unwrap().map(|account| (account, self.folder))
    }
}

async fn get(port_and_path: &str, head: &str) -> String {
    let (address, _) = port_and_path.split_once('/').unwrap_or((port_and_path, ""));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn visit(redirect_uri: &str, path: &str) -> String {
    let address = redirect_uri.strip_prefix("http://").unwrap().split('/').next().unwrap();
    get(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_browser_brings_the_answer_past_every_stranger() {
    let fake = Fake::start(|_, _| granted("1"));
    let mut under_way = begin(&fake.issuer, Some(Ways::Browser));
    let page = under_way.page().await;
    let (uri, state, iss) = (page["redirect_uri"].clone(), page["state"].clone(), encoded(&fake.issuer));
    let address = uri.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();

    assert!(visit(&uri, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
    assert!(get(&address, "\u{16}\u{3}\u{1}junk\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert!(
        get(&address, "GET /callback?code=x HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.starts_with("HTTP/1.1 400")
    );
    let silent = TcpStream::connect(&address).await.unwrap();
    assert!(visit(&uri, "/callback?code=stolen&state=guess").await.contains("Not from this sign-in"));
    assert!(visit(&uri, "/callback?error=access_denied&state=guess").await.contains("Not from this sign-in"));
    assert!(visit(&uri, "/callback").await.contains("Not from this sign-in"));

    // What is not known in an answer does not matter (RFC 6749 §4.1.2).
    let path = format!("/callback?code=right-code&state={state}&iss={iss}&session_state=x&scope=a");
    let answer = visit(&uri, &path).await;
    assert!(answer.contains("You can close this window"), "{answer}");
    drop(silent);
    let (account, folder) = under_way.end().await.unwrap();
    assert_eq!(stored(folder.path(), &account.id()).unwrap().0, "access-1");
    let form = &fake.asked("/token")[0].form;
    assert_eq!((form["code"].as_str(), form["redirect_uri"].as_str()), ("right-code", uri.as_str()));
    let verifier = gatepass_client::oauth::CodeVerifier::parse(&form["code_verifier"]).unwrap();
    assert_eq!(verifier.challenge().as_str(), page["code_challenge"]);
    assert!(TcpStream::connect(&address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn an_answer_of_another_server_ends_the_way() {
    let fake = Fake::start(|_, _| granted("1"));
    let mut under_way = begin(&fake.issuer, Some(Ways::Browser));
    let page = under_way.page().await;
    let path = format!("/callback?code=c0de00&state={}&iss=https%3A%2F%2Fevil.example", page["state"]);
    assert!(visit(&page["redirect_uri"], &path).await.contains("Not signed in"));
    assert!(matches!(under_way.end().await, Err(SignInError::BadAnswer(BadAnswer::WrongIssuer))));
    assert!(fake.asked("/token").is_empty());
}

#[tokio::test]
async fn a_pasted_address_or_code_does_as_well() {
    let fake = Fake::start(
        |asked, _| if asked.form["code"] == "right-code" { granted("1") } else { refused("invalid_grant") },
    );
    let mut under_way = begin(&fake.issuer, Some(Ways::Paste));
    let page = under_way.page().await;
    let whole = format!("{}?code=right-code&state={}", page["redirect_uri"], page["state"]);
    for (line, why) in [
        ("what?", "neither"),
        ("http://127.0.0.1:1/callback?code=right-code&state=other", "another sign-in"),
        ("wrong-code", "invalid_grant"),
        (whole.as_str(), "not come from the server"),
    ] {
        under_way.paste.send(line.into()).await.unwrap();
        match under_way.events.recv().await.unwrap() {
            Event::PasteRefused(text) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    under_way.paste.send(format!("{whole}&iss={}", encoded(&fake.issuer))).await.unwrap();
    assert!(under_way.end().await.is_ok());
}

#[tokio::test]
async fn input_that_ends_ends_only_a_sign_in_by_paste() {
    let fake = Fake::start(|_, _| granted("1"));
    let UnderWay { paste, outcome, folder: _folder, events: _events } = begin(&fake.issuer, Some(Ways::Paste));
    drop(paste);
    assert!(matches!(outcome.await.unwrap(), Err(SignInError::InputEnded)));
}

fn device(asked: &Asked, _: usize) -> Option<Answer> {
    (asked.path == "/device").then(|| {
        Answer::Json(
            200,
            json!({"device_code": "dev", "user_code": "WDJB-MJHT\u{1b}[2J", "verification_uri": "https://a.example/device",
                   "expires_in": 60, "interval": 0, "number_match": "42"}),
        )
    })
}

#[tokio::test]
async fn a_device_code_survives_a_bad_network_and_an_interval_of_nothing() {
    let fake = Fake::start(|asked, count| {
        device(asked, count).unwrap_or_else(|| match count {
            0 => refused("authorization_pending"),
            1 => Answer::Drop,
            2 => html(200, "<h1>Sign in to the hotel</h1>"),
            _ => granted("1"),
        })
    });
    let started = Instant::now();
    let mut under_way = begin(&fake.issuer, Some(Ways::Device));
    let code = loop {
        if let Event::Code(code) = under_way.events.recv().await.unwrap() {
            break code;
        }
    };
    assert_eq!(code.user_code, "WDJB-MJHT[2J", "no escape sequence reaches the screen");
    assert_eq!(code.number_match.as_deref(), Some("42"));
    assert!(under_way.end().await.is_ok());
    // 1.1 s, 1.1 s, then twice as long and four times as long after the two failures.
    assert!(started.elapsed() > Duration::from_secs(8), "an interval of nothing is no licence to flood");
    let (start, polls) = (&fake.asked("/device")[0].form, fake.asked("/token"));
    assert_eq!((start["device_name"].as_str(), start["number_match"].as_str()), ("ada's laptop", "true"));
    assert_eq!(polls.len(), 4);
    for poll in &polls {
        let verifier = gatepass_client::oauth::CodeVerifier::parse(&poll.form["code_verifier"]).unwrap();
        assert_eq!(verifier.challenge().as_str(), start["code_challenge"], "the polls are bound to the start");
        assert_eq!(poll.form["device_code"], "dev");
    }
}

#[tokio::test]
async fn a_no_ends_the_whole_race_and_other_ends_close_one_way() {
    let fake = Fake::start(|asked, count| device(asked, count).unwrap_or_else(|| refused("access_denied")));
    let under_way = begin(&fake.issuer, Some(Ways::BrowserAndDevice));
    assert!(matches!(under_way.end().await, Err(SignInError::Device(DeviceError::Ended(Ended::Denied)))));

    let fake =
        Fake::start(|asked, _| if asked.path == "/device" { refused("unauthorized_client") } else { granted("1") });
    let mut under_way = begin(&fake.issuer, Some(Ways::BrowserAndDevice));
    let page = under_way.page().await;
    let path = format!("/callback?code=c0de00&state={}&iss={}", page["state"], encoded(&fake.issuer));
    visit(&page["redirect_uri"], &path).await;
    assert!(under_way.end().await.is_ok());
}

/// Signs the same account in again and again; what was told besides the code.
async fn again(folder: &std::path::Path, issuer: &str) -> Vec<String> {
    let request = SignInRequest::new(issuer.parse().unwrap(), "cli".parse().unwrap());
    let told = Mutex::new(Vec::new());
    let tell = |event: Event| {
        if !matches!(event, Event::Code(_)) {
            told.lock().unwrap().push(event.to_string());
        }
    };
    let person = Person { ways: Some(Ways::Device), ..Person::new(Environment::default(), &tell) };
    let account = sign_ins(folder).sign_in(&request, person).await.unwrap();
    assert!(stored(folder, &account.id()).is_some());
    told.into_inner().unwrap()
}

#[tokio::test]
async fn the_sign_in_that_another_replaces_is_revoked_once_the_new_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_owned();
    let fake = Fake::start(move |asked, count| {
        device(asked, count).unwrap_or_else(|| match asked.path.as_str() {
            "/revoke" => {
                let contents = sign_ins(&home).vault().read().unwrap();
                let kept = contents.sign_ins[0].tokens.clone().unwrap().refresh_token.unwrap();
                assert_ne!(kept.expose(), asked.form["token"], "the new one is kept before");
                match count {
                    0 => Answer::Json(200, json!({})),
                    1 => Answer::Drop,
                    _ => Answer::Stall(Duration::from_secs(3)),
                }
            }
            // A server may give the same refresh token again.
            _ => granted(["a", "b", "b", "c", "d"][count]),
        })
    });
    let revoked = || -> Vec<String> { fake.asked("/revoke").iter().map(|asked| asked.form["token"].clone()).collect() };
    for expected in [&[][..], &["refresh-a"], &["refresh-a"]] {
        assert_eq!(again(folder.path(), &fake.issuer).await, Vec::<String>::new());
        assert_eq!(revoked(), expected);
    }
    for _ in ["dropped", "stalled"] {
        let told = again(folder.path(), &fake.issuer).await;
        assert!(told.len() == 1 && told[0].contains("older sign-in of this account was not revoked"), "{told:?}");
    }
    assert_eq!(revoked(), ["refresh-a", "refresh-b", "refresh-c"]);
}

/// Some servers end all that a person allowed a client with one refresh token of it, the new sign-in too.
#[tokio::test]
async fn where_a_revocation_may_end_the_new_sign_in_too_the_older_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start_raw(|asked, issuer, count| match asked.path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let mut document = metadata(issuer);
            document.as_object_mut().unwrap().remove("gatepass_separate_grants");
            Answer::Json(200, document)
        }
        _ => device(asked, count).unwrap_or_else(|| granted(["a", "b"][count])),
    });
    for _ in 0..2 {
        assert_eq!(again(folder.path(), &fake.issuer).await, Vec::<String>::new());
    }
    assert_eq!(fake.asked("/revoke").len(), 0);
}

#[tokio::test]
async fn the_surroundings_choose_when_nobody_does() {
    let fake = Fake::start(|asked, count| device(asked, count).unwrap_or_else(|| granted("1")));
    let mut under_way = begin(&fake.issuer, None);
    match under_way.events.recv().await.unwrap() {
        Event::Chosen(choice) => assert_eq!(choice.ways, Ways::BrowserAndDevice),
        other => panic!("{other:?}"),
    }
    assert!(under_way.end().await.is_ok());
}

#[tokio::test]
async fn a_server_that_lies_about_itself_gets_nothing() {
    type Make = fn(&str) -> Answer;
    let lies: [(&str, Make, &str); 9] = [
        ("another issuer", |_| Answer::Json(200, metadata("https://evil.example")), "must name itself exactly"),
        ("html", |_| html(200, "<html>"), "no metadata"),
        ("404", |_| html(404, ""), "no metadata"),
        ("redirect", |_| Answer::Redirect("https://evil.example/".into()), "no metadata"),
        ("huge", |_| html(200, &"x".repeat(2 * 1024 * 1024)), "longer than 1 MiB"),
        ("500", |_| html(500, ""), "status 500"),
        ("drop", |_| Answer::Drop, "cannot be reached"),
        ("stall", |_| Answer::Stall(Duration::from_secs(3)), "no answer in time"),
        (
            "an endpoint elsewhere",
            |issuer| {
                let mut document = metadata(issuer);
                document["token_endpoint"] = json!("http://evil.example/token");
                Answer::Json(200, document)
            },
            "no usable token_endpoint",
        ),
    ];
    for (name, lie, message) in lies {
        let fake = Fake::start_raw(move |_, issuer, _| lie(issuer));
        let error = begin(&fake.issuer, None).end().await.unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
        assert!(fake.asked("/token").is_empty() && fake.asked("/device").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn an_identity_for_another_client_is_not_kept() {
    let told = Arc::new(Mutex::new(String::new()));
    let issuer = Arc::clone(&told);
    let fake = Fake::start(move |asked, count| {
        device(asked, count).unwrap_or_else(|| {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            let claims = json!({"iss": *issuer.lock().unwrap(), "sub": "u1", "aud": "another"});
            let id_token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
            Answer::Json(200, json!({"access_token": "a", "token_type": "Bearer", "id_token": id_token}))
        })
    });
    told.lock().unwrap().clone_from(&fake.issuer);
    let under_way = begin(&fake.issuer, Some(Ways::Device));
    assert!(matches!(under_way.end().await, Err(SignInError::BadIdentity(_))));
}
