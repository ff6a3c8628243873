//! Sign-ins that are bound to a key (RFC 9449), against a server that checks every proof and one that plays tricks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{
    AccountId, Call, Clock, DpopKey, Entropy, Environment, Event, Home, KeyBinding, KeySources, Person, Reason,
    Renewal, SignIn, SignInError, SignInRequest, SignIns, Transient, Transport, Vault, Ways, oauth::TokenType,
};
use gatepass_keys::dpop::{Expected, InvalidProof, Proof, verify};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{Answer, Asked, Fake, granted, metadata, refused, signed_in, stored};

const HOUR: Duration = Duration::from_secs(3600);

fn proof_of(asked: &Asked, issuer: &str, token: Option<&str>) -> Result<Proof, InvalidProof> {
    let url = format!("{issuer}{}", asked.path);
    let proof = asked.headers.get("dpop").map_or("", String::as_str);
    verify(proof, &Expected { method: &asked.method, url: &url, access_token: token, now: Clock::System.now() })
}

/// An answer with headers.
fn with_headers(status: u16, headers: &[(&str, String)], body: &Value) -> Answer {
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.to_string();
    Answer::Raw(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn wants_nonce(nonce: &str) -> Answer {
    with_headers(400, &[("DPoP-Nonce", nonce.into())], &json!({"error": "use_dpop_nonce"}))
}

/// The server's time, as it stands in every answer of an honest server.
fn date() -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(Clock::System.now().0.try_into().unwrap()))
}

/// A server with DPoP, which answers everything but its metadata by `script`.
fn offering(script: impl Fn(&Asked, &str, usize) -> Answer + Send + Sync + 'static) -> Fake {
    Fake::start_raw(move |asked, issuer, count| {
        if asked.path != "/.well-known/oauth-authorization-server" {
            return script(asked, issuer, count);
        }
        let mut document = metadata(issuer);
        document["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/par"));
        document["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
        document["dpop_signing_alg_values_supported"] = json!(["RS256", "ES256"]);
        Answer::Json(200, document)
    })
}

fn with_clock(home: &Path, clock: Clock) -> SignIns {
    let sources = KeySources { no_keyring: true, ..KeySources::default() };
    let vault = Vault::new(Home::at(home), sources, clock.clone(), Entropy::system());
    SignIns::new(vault, Transport::new(), clock, Entropy::system())
}

fn usual(home: &Path) -> SignIns {
    with_clock(home, Clock::System)
}

fn request(issuer: &str, client: &str) -> SignInRequest {
    SignInRequest::new(issuer.parse().unwrap(), client.parse().unwrap())
}

/// Signs in by browser at a server that pushes: the browser is played by whoever sees the pushed request.
async fn sign_in(
    sign_ins: &SignIns,
    fake: &Fake,
    request: &SignInRequest,
) -> Result<gatepass_client::Account, SignInError> {
    let tell = |event| {
        if let Event::Url(_) = event {
            let form = fake.asked("/par").pop().unwrap().form;
            let (uri, state, issuer) = (form["redirect_uri"].clone(), form["state"].clone(), fake.issuer.clone());
            std::thread::spawn(move || {
                use std::io::Write;
                let address = uri.strip_prefix("http://").unwrap().split('/').next().unwrap();
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                let path = format!("/callback?code=right-code&state={state}&iss={issuer}");
                write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            });
        }
    };
    let environment = Environment { display: true, terminal: true, ..Environment::default() };
    sign_ins.sign_in(request, Person { ways: Some(Ways::Browser), ..Person::new(environment, &tell) }).await
}

fn pushed() -> Answer {
    Answer::Json(201, json!({"request_uri": "urn:x", "expires_in": 90}))
}

/// What the sign-in of [`signed_in`] becomes when it has a key, and a token of this type.
fn bind(home: &Path, account: &AccountId, token_type: TokenType) -> DpopKey {
    let key = DpopKey::generate().unwrap();
    let kept = key.clone();
    let change = |sign_in: &mut SignIn| {
        sign_in.dpop_key = Some(kept);
        sign_in.tokens.as_mut().unwrap().token_type = token_type;
    };
    usual(home).vault().update(|contents| change(contents.get_mut(account).unwrap())).unwrap();
    key
}

#[tokio::test]
async fn one_key_is_named_shown_and_proven_at_every_step_and_kept_with_the_sign_in() {
    let fake = offering(|asked, issuer, count| {
        let proof = proof_of(asked, issuer, None).unwrap();
        match (asked.path.as_str(), count) {
            ("/par", 0) => {
                assert_eq!(proof.confirmation.to_string(), format!("jkt:{}", asked.form["dpop_jkt"]));
                pushed()
            }
            _ => granted(&count.to_string()),
        }
    });
    let home = tempfile::tempdir().unwrap();
    let account = sign_in(&usual(home.path()), &fake, &request(&fake.issuer, "gatepass-cli")).await.unwrap();
    let kept = |home: &Path| usual(home).vault().read().unwrap().get(&account.id()).unwrap().clone();
    let thumbprint = kept(home.path()).dpop_key.unwrap().thumbprint().unwrap().to_owned();
    assert_eq!(fake.asked("/par")[0].form["dpop_jkt"], thumbprint);
    // Another process, which has nothing but the vault.
    assert!(matches!(
        usual(home.path()).renew(&account.id(), Reason::TooShort(HOUR * 2)).await,
        Ok(Renewal::Refreshed(_))
    ));
    assert_eq!(kept(home.path()).dpop_key.unwrap().thumbprint().unwrap(), thumbprint);
    let proofs = ["/par", "/token"].map(|path| fake.asked(path)).concat();
    let proofs: Vec<Proof> = proofs.iter().map(|asked| proof_of(asked, &fake.issuer, None).unwrap()).collect();
    assert!(proofs.iter().all(|proof| proof.confirmation.to_string() == format!("jkt:{thumbprint}")));
    assert_eq!(proofs.iter().map(|proof| proof.once.0).collect::<HashSet<_>>().len(), 3, "each proof is another");
    let _ = usual(home.path()).sign_out(&account.id()).await;
    assert!(!fake.asked("/revoke")[0].headers.contains_key("dpop"), "to end a token takes no key");
}

#[tokio::test]
async fn other_programs_and_those_who_say_no_are_not_bound_and_whoever_says_yes_is() {
    let fake = offering(|asked, _, _| if asked.path == "/par" { pushed() } else { granted("1") });
    let table = [
        ("cli", KeyBinding::OwnSignIns, false),
        ("gatepass-cli", KeyBinding::Never, false),
        ("cli", KeyBinding::Always, true),
    ];
    for (client, key_binding, bound) in table {
        let home = tempfile::tempdir().unwrap();
        let request = SignInRequest { key_binding, ..request(&fake.issuer, client) };
        let account = sign_in(&usual(home.path()), &fake, &request).await.unwrap();
        let asked = fake.asked("/token").pop().unwrap();
        assert_eq!(asked.headers.contains_key("dpop"), bound, "{client} {key_binding:?}");
        assert_eq!(fake.asked("/par").pop().unwrap().form.contains_key("dpop_jkt"), bound);
        assert_eq!(usual(home.path()).vault().read().unwrap().get(&account.id()).unwrap().dpop_key.is_some(), bound);
    }
    let plain = offering(|asked, _, _| match asked.path.as_str() {
        "/par" => pushed(),
        _ => Answer::Json(200, json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600})),
    });
    let home = tempfile::tempdir().unwrap();
    let demanding = SignInRequest { key_binding: KeyBinding::Always, ..request(&plain.issuer, "cli") };
    let error = sign_in(&usual(home.path()), &plain, &demanding).await.unwrap_err();
    assert!(matches!(error, SignInError::NotBound), "{error:?}");
    assert!(usual(home.path()).vault().read().unwrap().sign_ins.is_empty());
    let without = Fake::start(|_, _| granted("1"));
    let home = tempfile::tempdir().unwrap();
    let request = SignInRequest { key_binding: KeyBinding::Always, ..request(&without.issuer, "cli") };
    let error = sign_in(&usual(home.path()), &without, &request).await.unwrap_err();
    assert!(matches!(error, SignInError::NoKeyBinding), "{error:?}");
}

#[tokio::test]
async fn a_nonce_is_fetched_once_and_remembered() {
    // Every answer brings the next nonce, and the one before is no longer good.
    let fake = offering(|asked, issuer, count| {
        let shown = proof_of(asked, issuer, None).unwrap().nonce;
        let (last, next) = (count.checked_sub(1).map(|before| format!("n{before}")), format!("n{count}"));
        if last.is_none() || shown != last {
            return wants_nonce(&next);
        }
        with_headers(
            200,
            &[("DPoP-Nonce", next)],
            &json!({"access_token": format!("access-{count}"), "token_type": "Bearer", "refresh_token": "r"}),
        )
    });
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, -5);
    bind(home.path(), &account, TokenType::Bearer);
    let sign_ins = usual(home.path());
    for asked in [2, 3] {
        let used = sign_ins.fresh_bearer(&account, None).unwrap();
        let renewal = match &used {
            Some(bearer) => sign_ins.renew(&account, Reason::Unauthorized(bearer)).await,
            None => sign_ins.renew(&account, Reason::Age).await,
        };
        assert!(matches!(renewal, Ok(Renewal::Refreshed(_))), "{renewal:?}");
        assert_eq!(fake.asked("/token").len(), asked, "the second refresh has the nonce");
    }
    let proofs: HashSet<_> =
        fake.asked("/token").iter().map(|asked| proof_of(asked, &fake.issuer, None).unwrap().once.0).collect();
    assert_eq!(proofs.len(), 3, "what is sent again has a proof of its own");
}

#[tokio::test]
async fn a_server_that_is_never_content_is_asked_a_bounded_number_of_times_and_ends_nothing() {
    type Make = fn(usize) -> Answer;
    let tricks: [(&str, Make, usize); 5] = [
        ("another nonce each time", |count| wants_nonce(&format!("n{count}")), 2),
        ("no nonce at all", |_| refused("use_dpop_nonce"), 1),
        ("a nonce that is none", |_| wants_nonce("a b"), 1),
        ("no proof is good", |_| refused("invalid_dpop_proof"), 1),
        (
            "a clock that runs wild",
            |count| {
                let date = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2094 08:49:37 GMT"][count % 2];
                with_headers(400, &[("Date", date.into())], &json!({"error": "invalid_dpop_proof"}))
            },
            2,
        ),
    ];
    for (name, trick, times) in tricks {
        let fake = offering(move |_, _, count| trick(count));
        let home = tempfile::tempdir().unwrap();
        let account = signed_in(home.path(), &fake.issuer, -5);
        bind(home.path(), &account, TokenType::Bearer);
        match usual(home.path()).renew(&account, Reason::Age).await.unwrap() {
            Renewal::Transient { cause: Transient::Server(_), .. } => {}
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(fake.asked("/token").len(), times, "{name}");
        assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-0".into())), "{name}");
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_signs_in_and_refreshes_by_the_servers_time() {
    let now = Clock::System.now();
    for clock in [Clock::settable(now.minus(HOUR)), Clock::settable(now.plus(HOUR))] {
        let fake = offering(|asked, issuer, _| {
            let date = [("Date", date())];
            match proof_of(asked, issuer, None) {
                Err(InvalidProof::Time) => with_headers(400, &date, &json!({"error": "invalid_dpop_proof"})),
                Err(other) => panic!("{other}"),
                Ok(_) if asked.path == "/par" => pushed(),
                Ok(proof) if proof.nonce.is_none() => wants_nonce("n1"),
                Ok(_) => granted("1"),
            }
        });
        let home = tempfile::tempdir().unwrap();
        let sign_ins = with_clock(home.path(), clock.clone());
        let account = sign_in(&sign_ins, &fake, &request(&fake.issuer, "gatepass-cli")).await.unwrap();
        assert_eq!(
            (fake.asked("/par").len(), fake.asked("/token").len()),
            (2, 2),
            "learned once, at the first refusal"
        );
        let other_process = with_clock(home.path(), clock.clone());
        let renewal = other_process.renew(&account.id(), Reason::TooShort(HOUR * 2)).await;
        assert!(matches!(renewal, Ok(Renewal::Refreshed(_))), "{renewal:?}");
        // Somebody sets the clock right, or wrong the other way, while the process runs.
        clock.advance(HOUR * 2);
        let bearer = other_process.fresh_bearer(&account.id(), None).unwrap();
        let reason = bearer.as_ref().map_or(Reason::Age, Reason::Unauthorized);
        let renewal = other_process.renew(&account.id(), reason).await;
        assert!(matches!(renewal, Ok(Renewal::Refreshed(_))), "{renewal:?}");
    }
}

#[tokio::test]
async fn a_bound_token_goes_with_a_proof_for_it_and_the_resource_may_want_its_nonce_and_a_new_token() {
    let challenge = |error: &str| ("WWW-Authenticate", format!("DPoP error=\"{error}\", algs=\"ES256\""));
    let fake = offering(move |asked, issuer, _| {
        let token = asked.headers.get("authorization").and_then(|text| text.strip_prefix("DPoP "));
        let Some(token) = token else {
            proof_of(asked, issuer, None).unwrap();
            return Answer::Json(
                200,
                json!({"access_token": "access-1", "token_type": "DPoP", "refresh_token": "r", "expires_in": 3600}),
            );
        };
        let proof = proof_of(asked, issuer, Some(token)).unwrap();
        match (proof.nonce.as_deref(), token) {
            (Some("n1"), "access-1") => Answer::Json(200, json!({"ok": true})),
            (Some("n1"), _) => with_headers(401, &[challenge("invalid_token")], &json!({})),
            _ => with_headers(401, &[challenge("use_dpop_nonce"), ("DPoP-Nonce", "n1".into())], &json!({})),
        }
    });
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    bind(home.path(), &account, TokenType::Dpop);
    let sign_ins = usual(home.path());
    let call = || Call::get(format!("{}/api?q=1", fake.issuer).parse().unwrap());
    assert_eq!(sign_ins.call(&account, call()).await.unwrap().status, 200);
    assert_eq!((fake.asked("/api").len(), fake.asked("/token").len()), (3, 1), "nonce, refresh, done");
    assert_eq!(sign_ins.call(&account, call()).await.unwrap().status, 200);
    assert_eq!(fake.asked("/api").len(), 4);
    let bearer = sign_ins.fresh_bearer(&account, None).unwrap().unwrap();
    assert_eq!(bearer.scheme(), "DPoP");
}

#[tokio::test]
async fn who_signed_in_is_asked_with_a_proof_where_the_token_is_bound() {
    for (token_type, scheme) in [("DPoP", "DPoP"), ("Bearer", "Bearer")] {
        let fake = offering(move |asked, issuer, _| match asked.path.as_str() {
            "/par" => pushed(),
            "/userinfo" => {
                assert_eq!(asked.headers["authorization"], format!("{scheme} access"));
                assert_eq!(proof_of(asked, issuer, Some("access")).is_ok(), scheme == "DPoP");
                Answer::Json(200, json!({"sub": "u1", "email": "ada@example.com"}))
            }
            _ => Answer::Json(200, json!({"access_token": "access", "token_type": token_type})),
        });
        let home = tempfile::tempdir().unwrap();
        let account = sign_in(&usual(home.path()), &fake, &request(&fake.issuer, "gatepass-cli")).await.unwrap();
        assert_eq!(account.email.as_deref(), Some("ada@example.com"));
        assert_eq!(fake.asked("/userinfo").len(), 1);
    }
}

#[tokio::test]
async fn headers_for_another_http_client_authorize_one_request() {
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), "http://127.0.0.1:1", 3000);
    let url: url::Url = "https://api.example/notes?q=1".parse().unwrap();
    let headers = || {
        let bearer = usual(home.path()).fresh_bearer(&account, None).unwrap().unwrap();
        bearer.headers("PUT", &url, Some("n"), &Clock::System, &Entropy::system()).unwrap()
    };
    let plain = headers();
    assert_eq!((plain.len(), plain[0].0, plain[0].1.expose()), (1, "authorization", "Bearer access-0"));
    let key = bind(home.path(), &account, TokenType::Dpop);
    let bound = headers();
    assert_eq!((bound[0].1.expose(), bound[1].0), ("DPoP access-0", "dpop"));
    let now = Clock::System.now();
    let expected = Expected { method: "PUT", url: "https://api.example/notes", access_token: Some("access-0"), now };
    let proof = verify(bound[1].1.expose(), &expected).unwrap();
    assert_eq!(proof.nonce.as_deref(), Some("n"));
    assert_eq!(proof.confirmation.to_string(), format!("jkt:{}", key.thumbprint().unwrap()));
    assert!(!format!("{bound:?}").contains("access-0"));
    let sign_ins = usual(home.path());
    sign_ins.transport().memory().set_nonce(&url, "remembered");
    let bearer = sign_ins.fresh_bearer(&account, None).unwrap().unwrap();
    let headers = sign_ins.authorize(&bearer, "PUT", &url).await.unwrap().headers;
    assert_eq!(verify(headers[1].1.expose(), &expected).unwrap().nonce.as_deref(), Some("remembered"));
}

#[tokio::test]
async fn a_sign_in_from_before_goes_on_without_a_key() {
    let fake = offering(|_, _, _| granted("1"));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, -5);
    let kept = usual(home.path()).vault().read().unwrap().get(&account).unwrap().clone();
    let mut written = serde_json::to_value(&kept).unwrap();
    assert!(written.get("dpop_key").is_none());
    written["tokens"].as_object_mut().unwrap().remove("token_type");
    let read: SignIn = serde_json::from_value(written).unwrap();
    assert_eq!(read.tokens.unwrap().token_type, TokenType::Bearer);
    usual(home.path()).bearer(&account, None).await.unwrap();
    assert!(!fake.asked("/token")[0].headers.contains_key("dpop"));
}

#[tokio::test]
async fn a_bound_token_for_no_proof_is_not_believed_and_a_damaged_key_loses_nothing() {
    let fake = offering(|_, _, _| Answer::Json(200, json!({"access_token": "a", "token_type": "DPoP"})));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, -5);
    let renewal = usual(home.path()).renew(&account, Reason::Age).await.unwrap();
    assert!(matches!(renewal, Renewal::Transient { .. }), "{renewal:?}");
    let damaged: DpopKey = serde_json::from_str("\"AAAA\"").unwrap();
    usual(home.path()).vault().update(|contents| contents.get_mut(&account).unwrap().dpop_key = Some(damaged)).unwrap();
    let renewal = usual(home.path()).renew(&account, Reason::Age).await.unwrap();
    assert!(matches!(renewal, Renewal::Transient { .. }), "{renewal:?}");
    assert_eq!(fake.asked("/token").len(), 1, "without a proof nothing was sent");
    assert!(stored(home.path(), &account).is_some());
}

#[tokio::test]
async fn a_device_shows_its_key_when_it_starts_and_with_every_poll() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let keys = Arc::clone(&seen);
    let fake = offering(move |asked, issuer, count| {
        let proof = proof_of(asked, issuer, None).unwrap();
        keys.lock().unwrap().insert(proof.confirmation.to_string());
        match (asked.path.as_str(), count, proof.nonce) {
            ("/device", ..) => Answer::Json(
                200,
                json!({"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example/device",
                       "expires_in": 60, "interval": 1}),
            ),
            (_, _, None) => wants_nonce("n1"),
            (_, 1, _) => refused("authorization_pending"),
            _ => granted("1"),
        }
    });
    let home = tempfile::tempdir().unwrap();
    let tell = |_| ();
    let person = Person { ways: Some(Ways::Device), ..Person::new(Environment::default(), &tell) };
    usual(home.path()).sign_in(&request(&fake.issuer, "gatepass-cli"), person).await.unwrap();
    assert_eq!((seen.lock().unwrap().len(), fake.asked("/token").len()), (1, 3));
}
