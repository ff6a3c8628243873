//! Pushed requests (RFC 9126): what is pushed, what is shown, and what happens when it does not work.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{ClientAuthentication, Environment, Event, Person, SignInError, SignInRequest, Ways};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use support::{Answer, Asked, Fake, granted, html, metadata, refused, sign_ins};
use tokio::sync::mpsc;

const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:abc";

/// A server that takes pushed requests; `more` is added to its metadata.
fn pushing(more: Value, script: impl Fn(&Asked, &str, usize) -> Answer + Send + Sync + 'static) -> Fake {
    Fake::start_raw(move |asked, issuer, count| {
        if asked.path != "/.well-known/oauth-authorization-server" {
            return script(asked, issuer, count);
        }
        let mut document = metadata(issuer);
        document["authorization_endpoint"] = json!(format!("{issuer}/authorize?tenant=1"));
        document["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/par"));
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        Answer::Json(200, document)
    })
}

/// A sign-in under way.
struct UnderWay {
    events: mpsc::UnboundedReceiver<Event>,
    outcome: tokio::task::JoinHandle<Result<gatepass_client::Account, SignInError>>,
    _folder: tempfile::TempDir,
}

fn begin(fake: &Fake, change: impl FnOnce(&mut SignInRequest)) -> UnderWay {
    begin_by(fake, Ways::Browser, change)
}

fn begin_by(fake: &Fake, ways: Ways, change: impl FnOnce(&mut SignInRequest)) -> UnderWay {
    let folder = tempfile::tempdir().unwrap();
    let mut request = SignInRequest::new(fake.issuer.parse().unwrap(), "cli".parse().unwrap());
    change(&mut request);
    let (told, events) = mpsc::unbounded_channel();
    let sign_ins = sign_ins(folder.path());
    let outcome = tokio::spawn(async move {
        let tell = move |event| drop(told.send(event));
        let environment = Environment { display: true, terminal: true, ..Environment::default() };
        sign_ins.sign_in(&request, Person { ways: Some(ways), ..Person::new(environment, &tell) }).await
    });
    UnderWay { events, outcome, _folder: folder }
}

impl UnderWay {
    async fn url(&mut self) -> String {
        match self.events.recv().await.unwrap() {
            Event::Url(url) | Event::UrlRenewed(url) => url,
            other => panic!("{other:?}"),
        }
    }
}

fn query(url: &str) -> HashMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn pushed(more: Value) -> Answer {
    let mut answer = json!({"request_uri": REFERENCE, "expires_in": 90});
    for (name, value) in more.as_object().unwrap() {
        answer[name] = value.clone();
    }
    Answer::Json(201, answer)
}

async fn answer(redirect_uri: &str, state: &str, issuer: &str) {
    let url = format!("{redirect_uri}?code=right-code&state={state}&iss={issuer}");
    let address = redirect_uri.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let request = format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", url.split_once(&address).unwrap().1);
    tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        assert!(page.contains("You can close this window"), "{page}");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_pushed_is_the_whole_request_and_what_is_shown_is_the_reference() {
    let fake = pushing(json!({}), |asked, _, _| if asked.path == "/par" { pushed(json!({})) } else { granted("1") });
    let mut under_way = begin(&fake, |request| request.resource = Some("https://api.example".parse().unwrap()));
    let url = under_way.url().await;
    let shown = query(&url);
    assert!(url.starts_with(&format!("{}/authorize?", fake.issuer)), "{url}");
    assert_eq!(
        (shown["tenant"].as_str(), shown["client_id"].as_str(), shown["request_uri"].as_str(), shown.len()),
        ("1", "cli", REFERENCE, 3)
    );
    let form = fake.asked("/par")[0].form.clone();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "cli"),
        ("resource", "https://api.example"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(form[name], value, "{name}");
    }
    assert!(!form.contains_key("tenant") && form.contains_key("code_challenge") && form.contains_key("nonce"));
    answer(&form["redirect_uri"], &form["state"], &fake.issuer).await;
    under_way.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_proves_itself_in_a_header_is_named_in_the_form_once() {
    let fake = pushing(json!({}), |_, _, _| pushed(json!({})));
    let secret = || "hush-hush".into();
    for (authentication, posted) in [
        (ClientAuthentication::ClientSecretBasic { secret: secret() }, false),
        (ClientAuthentication::ClientSecretPost { secret: secret() }, true),
    ] {
        let mut under_way = begin(&fake, |request| request.authentication = authentication);
        under_way.url().await;
        let asked = fake.asked("/par").pop().unwrap();
        assert_eq!((asked.form["client_id"].as_str(), asked.form.contains_key("client_secret")), ("cli", posted));
        assert_eq!(asked.headers.contains_key("authorization"), !posted);
        under_way.outcome.abort();
    }
}

#[tokio::test]
async fn a_short_link_is_shown_if_it_is_the_servers_own() {
    let script = |link: fn(&str) -> String| {
        move |asked: &Asked, issuer: &str, _: usize| match asked.path.as_str() {
            "/par" => pushed(json!({"sign_in_uri": link(issuer)})),
            _ => granted("1"),
        }
    };
    let good = pushing(json!({}), script(|issuer| format!("{issuer}/l/WDJB-MJHT")));
    let mut under_way = begin(&good, |_| ());
    assert_eq!(under_way.url().await, format!("{}/l/WDJB-MJHT", good.issuer));
    under_way.outcome.abort();

    let bad: [fn(&str) -> String; 7] = [
        |_| "https://evil.example/l/WDJB-MJHT".into(),
        |_| "http://127.0.0.1:1/l/WDJB-MJHT".into(),
        |_| "javascript:alert(1)".into(),
        |issuer| issuer.replace("http://", "http://user@"),
        |issuer| format!("{issuer}.evil.example/l"),
        |issuer| format!("{issuer}/{}", "x".repeat(400)),
        |_| "\u{1b}]8;;http://evil.example".into(),
    ];
    for link in bad {
        let fake = pushing(json!({}), script(link));
        let mut under_way = begin(&fake, |_| ());
        let url = under_way.url().await;
        assert_eq!(query(&url)["request_uri"], REFERENCE, "{}", link(&fake.issuer));
        under_way.outcome.abort();
    }
}

#[tokio::test]
async fn a_push_that_fails_leaves_the_plain_address_unless_pushing_is_demanded() {
    type Make = fn() -> Answer;
    let failures: [(&str, Make); 9] = [
        ("refused", || refused("invalid_request")),
        ("500", || Answer::Json(500, json!({}))),
        ("drop", || Answer::Drop),
        ("stall", || Answer::Stall(Duration::from_secs(3))),
        ("html", || html(200, "<h1>Welcome to the hotel</h1>")),
        ("redirect", || Answer::Redirect("http://127.0.0.1:1/par".into())),
        ("no reference", || Answer::Json(201, json!({"expires_in": 90}))),
        ("empty", || pushed(json!({"request_uri": ""}))),
        ("control characters", || pushed(json!({"request_uri": "urn:x\r\ny"}))),
    ];
    for (name, failure) in failures {
        let fake = pushing(json!({}), move |_, _, _| failure());
        let mut under_way = begin(&fake, |_| ());
        let shown = query(&under_way.url().await);
        assert!(shown.contains_key("code_challenge") && !shown.contains_key("request_uri"), "{name}");
        under_way.outcome.abort();

        let strict = pushing(json!({"require_pushed_authorization_requests": true}), move |_, _, _| failure());
        let error = begin(&strict, |_| ()).outcome.await.unwrap().unwrap_err();
        assert!(matches!(error, SignInError::NotPushed(_)), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn the_address_comes_before_the_code_however_long_the_push_takes() {
    let fake = pushing(json!({}), |asked, _, _| match asked.path.as_str() {
        "/par" => Answer::Late(Duration::from_millis(300), Box::new(pushed(json!({})))),
        "/device" => Answer::Json(
            200,
            json!({"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example/device",
                   "expires_in": 60, "interval": 30}),
        ),
        _ => refused("authorization_pending"),
    });
    let mut under_way = begin_by(&fake, Ways::BrowserAndDevice, |_| ());
    assert!(under_way.url().await.contains("request_uri"));
    assert!(matches!(under_way.events.recv().await.unwrap(), Event::Code(_)));
    under_way.outcome.abort();
}

#[tokio::test]
async fn an_endpoint_that_a_secret_must_not_go_to_is_no_endpoint() {
    for bad in ["http://a.example/par", "file:///etc/passwd", "javascript:alert(1)"] {
        let fake = pushing(json!({"pushed_authorization_request_endpoint": bad}), |_, _, _| pushed(json!({})));
        let error = begin(&fake, |_| ()).outcome.await.unwrap().unwrap_err();
        assert!(matches!(error, SignInError::Discovery(_)), "{bad}: {error:?}");
    }
}

#[tokio::test]
async fn a_link_that_ends_is_followed_by_another_and_the_first_still_brings_the_answer() {
    let fake = pushing(json!({}), |asked, issuer, count| match asked.path.as_str() {
        "/par" => pushed(json!({"expires_in": "5", "sign_in_uri": format!("{issuer}/l/WDJB-MJH{count}")})),
        _ => granted("1"),
    });
    let started = Instant::now();
    let mut under_way = begin(&fake, |_| ());
    let (first, second) = (under_way.url().await, under_way.url().await);
    assert!(first.ends_with('0') && second.ends_with('1') && started.elapsed() >= Duration::from_secs(5));
    let forms: Vec<_> = fake.asked("/par").into_iter().map(|asked| asked.form).collect();
    assert_eq!(forms[0], forms[1], "the same request");
    answer(&forms[0]["redirect_uri"], &forms[0]["state"], &fake.issuer).await;
    under_way.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reference_that_ends_gives_way_to_the_address_that_does_not() {
    let fake = pushing(json!({}), |_, _, _| pushed(json!({"expires_in": 0})));
    let mut under_way = begin(&fake, |_| ());
    let (first, second) = (query(&under_way.url().await), query(&under_way.url().await));
    assert_eq!(first["request_uri"], REFERENCE);
    assert!(second.contains_key("code_challenge"), "{second:?}");
    assert_eq!(fake.asked("/par").len(), 1);
    under_way.outcome.abort();
}
