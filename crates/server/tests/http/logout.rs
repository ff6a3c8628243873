//! `GET /logout`, `POST /logout` for clients, and what other clients hear of it.

use gatepass_oauth::{ClientMetadata, GrantType, Params, UtcMillis};
use gatepass_testkit::{
    Browser, Pkce, RegisteredClient, TestServer, USER,
    authority::{
        Caller, Store,
        authorize::{ConsentAnswer, Next, Visit},
        end::EndTarget,
        key_ring::TakeOver,
    },
    keys::{Algorithm, jose, jws},
    on_both_engines, tokio,
};
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

const AFTER: &str = "https://app.example/out?x=1";

async fn client_with(server: &TestServer, metadata: ClientMetadata) -> RegisteredClient {
    server.client_with(|new| new.metadata = metadata).await
}

async fn client(server: &TestServer) -> RegisteredClient {
    let metadata =
        ClientMetadata { post_logout_redirect_uris: vec![AFTER.parse().unwrap()], ..ClientMetadata::default() };
    client_with(server, metadata).await
}

/// A client's endpoint that takes notices and answers each with the next status, then with 200.
async fn listener(statuses: Vec<u16>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/backchannel", listener.local_addr().unwrap());
    let (heard, hears) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut statuses = statuses.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            let mut buffer = [0; 8192];
            while !text.contains("logout_token=") {
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let status = statuses.next().unwrap_or(200);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = heard.send(text).await;
        }
    });
    (uri, hears)
}

async fn next(hears: &mut mpsc::Receiver<String>) -> Option<String> {
    let text = timeout(Duration::from_secs(8), hears.recv()).await.ok()??;
    assert!(text.starts_with("POST /backchannel "), "{text}");
    assert!(text.to_lowercase().contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{text}");
    Some(text.split("logout_token=").nth(1).unwrap().to_owned())
}

async fn sign_in(
    server: &TestServer,
    browser: &Browser,
    client: &RegisteredClient,
    scope: &str,
) -> gatepass_testkit::Answer {
    let pkce = Pkce::new();
    let code = server.code(browser, client, &pkce, &[("scope", scope)]).await;
    server.redeem(client, &code, &pkce).await
}

/// Keeps a notice to a client that is due then.
async fn due_at(store: &Store, client: &RegisteredClient, number: u8, at: UtcMillis) {
    const NOTICE: &str = "insert into logout_notice (id, client_id, user_id, created_at, attempts, next_at)
     values ($1, $2, $3, $4, 0, $4)";
    let values = vec![[number; 16].into(), client.id.as_str().into(), [number; 16].into(), at.0.into()];
    store.db().execute(NOTICE, values).await.unwrap();
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

on_both_engines! {
    async fn a_hint_that_has_outlived_its_key_is_as_good_as_none(server: TestServer) {
        let (client, other, browser) = (client(&server).await, self::client(&server).await, Browser::at(&server));
        browser.sign_in(USER).await;
        let hint = sign_in(&server, &browser, &client, "openid").await.text("id_token");
        server.authority().rotate_keys(Algorithm::Es256, TakeOver::Now).await.unwrap();
        let sign_out = async |by: &RegisteredClient| {
            let after = encoded(AFTER);
            let query = format!("id_token_hint={hint}&client_id={}&post_logout_redirect_uri={after}", by.id);
            let page = browser.open(&format!("/logout?{query}")).await;
            assert_eq!(page.heading(), "Sign out?", "nobody can tell whose it is");
            browser.submit(&page.form(), &[("answer", "sign_out")]).await.left_for
        };
        assert_eq!(sign_out(&other).await, None, "another client's hint leads nowhere");
        browser.sign_in(USER).await;
        assert_eq!(sign_out(&client).await.as_deref(), Some(AFTER));
    }

    async fn an_id_token_of_this_session_signs_out_at_once(server: TestServer) {
        let (client, browser) = (client(&server).await, Browser::at(&server));
        browser.sign_in(USER).await;
        let hint = sign_in(&server, &browser, &client, "openid").await.text("id_token");
        let back = browser.open(&format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={}&state=a+b", encoded(AFTER))).await;
        assert_eq!(back.left_for.as_deref(), Some("https://app.example/out?x=1&state=a+b"));
        assert_eq!(browser.cookie_header(), "");
        assert_eq!(browser.open("/").await.heading(), "Sign in to gatepass");
    }

    async fn without_proof_the_person_is_asked(server: TestServer) {
        let (client, browser) = (client(&server).await, Browser::at(&server));
        browser.sign_in(USER).await;
        let path = format!("/logout?client_id={}&post_logout_redirect_uri={}&state=s", client.id, encoded(AFTER));
        let asked = browser.open(&path).await;
        assert_eq!(asked.heading(), "Sign out?");
        assert!(asked.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self' https:;"));
        let stays = browser.submit(&asked.form(), &[("answer", "stay")]).await;
        assert_eq!(stays.heading(), "You are signed in");
        let left = browser.submit(&asked.form(), &[("answer", "sign_out")]).await;
        assert_eq!(left.left_for.as_deref(), Some("https://app.example/out?x=1&state=s"));
        let nobody = browser.open(&path).await;
        assert_eq!(nobody.left_for.as_deref(), Some("https://app.example/out?x=1&state=s"), "there is nobody to ask");
        assert_eq!(browser.open("/logout").await.heading(), "You are signed out");
    }

    async fn an_id_token_of_another_session_is_no_proof(server: TestServer) {
        let (client, ada, elsewhere) = (client(&server).await, Browser::at(&server), Browser::at(&server));
        ada.sign_in(USER).await;
        elsewhere.sign_in(USER).await;
        let hint = sign_in(&server, &elsewhere, &client, "openid").await.text("id_token");
        assert_eq!(ada.open(&format!("/logout?id_token_hint={hint}")).await.heading(), "Sign out?");
        assert_eq!(ada.open("/logout?id_token_hint=eyJhbGciOiJub25lIn0.e30.").await.heading(), "Sign out?");
    }

    async fn no_redirect_leaves_for_a_uri_that_is_not_registered(server: TestServer) {
        let (client, other, browser) = (client(&server).await, server.client().await, Browser::at(&server));
        browser.sign_in(USER).await;
        let hint = sign_in(&server, &browser, &client, "openid").await.text("id_token");
        let uri = encoded(AFTER);
        for bad in [
            format!("post_logout_redirect_uri={uri}"),
            format!("client_id={}&post_logout_redirect_uri={uri}", other.id),
            format!("client_id=unknown&post_logout_redirect_uri={uri}"),
            format!("client_id={}&post_logout_redirect_uri={}", client.id, encoded("https://app.example/out")),
            format!("client_id={}&post_logout_redirect_uri={}", client.id, encoded("https://evil.example/")),
            format!("client_id={}&post_logout_redirect_uri={}", client.id, encoded("javascript:x")),
            format!("client_id={}&id_token_hint={hint}", other.id),
            format!("state={}", "s".repeat(3000)),
        ] {
            let page = browser.open(&format!("/logout?{bad}")).await;
            assert_eq!((page.status.as_u16(), page.left_for), (400, None), "{bad}");
        }
        assert_eq!(browser.open("/").await.heading(), "You are signed in");
    }

    async fn a_clients_form_is_asked_again_as_a_link_and_a_strangers_answer_changes_nothing(server: TestServer) {
        let (client, browser) = (client(&server).await, Browser::at(&server));
        browser.sign_in(USER).await;
        let post = |form: Vec<(&'static str, String)>| {
            let request = server.http().post(server.path("/logout")).header("origin", "https://evil.example");
            request.header("cookie", browser.cookie_header()).form(&form).send()
        };
        let again = post(vec![("client_id", client.id.clone())]).await.unwrap();
        assert_eq!((again.status().as_u16(), again.headers()["location"].to_str().unwrap()), (303, format!("/logout?client_id={}", client.id).as_str()));
        let user = browser.open(&format!("/logout?client_id={}", client.id)).await.form().fields[0].1.clone();
        let forged = post(vec![("answer", "sign_out".into()), ("logout_request", "x=1".into()), ("user", user)]).await.unwrap();
        assert_eq!(forged.status(), 403);
        assert_eq!(browser.open("/").await.heading(), "You are signed in");
    }

    async fn a_sign_out_ends_what_was_not_to_outlive_it(server: TestServer) {
        let (client, browser) = (client(&server).await, Browser::at(&server));
        let home = browser.sign_in(USER).await;
        let short = sign_in(&server, &browser, &client, "openid account").await;
        let long = sign_in(&server, &browser, &client, "openid account offline_access").await;
        assert_eq!(server.whoami(&short.text("access_token")).await.status, 200);
        browser.submit(&home.form(), &[]).await;
        assert_eq!(server.whoami(&short.text("access_token")).await.status, 401);
        assert_eq!(server.refresh(&client, &short.text("refresh_token")).await.error(), "invalid_grant");
        assert_eq!(server.refresh(&client, &long.text("refresh_token")).await.status, 200);
    }

    async fn who_has_signed_out_since_the_page_was_asked_for_gets_no_code(server: TestServer) {
        let client = client(&server).await;
        // Said once, the person's yes is known.
        assert_eq!(server.tokens(&client, &[("scope", "account")]).await.status, 200);
        let browser = Browser::at(&server);
        let home = browser.sign_in(USER).await;
        let cookies = browser.cookie_header();
        let cookie = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("gatepass=")).unwrap();
        let read_before = server.authority().session(cookie).await.unwrap().unwrap();
        let path = server.authorize_path(&client, &Pkce::new(), &[("scope", "account")]);
        let params = Params::parse(path.split_once('?').unwrap().1.as_bytes()).unwrap();
        let caller = Caller::default();
        let visit = Visit { session: Some(&read_before), answer: ConsentAnswer::NotAsked, caller: &caller };
        let next = server.authority().authorize(&params, visit).await.unwrap();
        assert!(matches!(next, Next::Redirect(_)), "{next:?}");
        browser.submit(&home.form(), &[]).await;
        let next = server.authority().authorize(&params, visit).await.unwrap();
        assert!(matches!(next, Next::SignIn { .. }), "{next:?}");
    }

    async fn another_sign_in_of_the_same_person_ends_nothing_and_keeps_the_session_s_name(server: TestServer) {
        let (client, browser) = (client(&server).await, Browser::at(&server));
        browser.sign_in(USER).await;
        let before = sign_in(&server, &browser, &client, "openid account").await;
        let home = browser.sign_in(USER).await;
        let after = sign_in(&server, &browser, &client, "openid account").await;
        assert_eq!(server.whoami(&before.text("access_token")).await.status, 200);
        let sid = |answer: &gatepass_testkit::Answer| {
            let claims: Value = jws::verify(&answer.text("id_token"), &server.authority().jwks()).unwrap();
            claims["sid"].as_str().unwrap().to_owned()
        };
        assert_eq!(sid(&before), sid(&after));
        browser.submit(&home.form(), &[]).await;
        assert_eq!(server.whoami(&before.text("access_token")).await.status, 401);
    }

    async fn clients_that_want_to_hear_are_told_of_a_sign_out(server: TestServer) {
        let (uri, mut hears) = listener(vec![]).await;
        let listens = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
        let (client, browser) = (client(&server).await, Browser::at(&server));
        let home = browser.sign_in(USER).await;
        let tokens = sign_in(&server, &browser, &listens, "openid offline_access").await;
        sign_in(&server, &browser, &client, "openid").await;
        let id: Value = jws::verify(&tokens.text("id_token"), &server.authority().jwks()).unwrap();
        browser.submit(&home.form(), &[]).await;
        let token = next(&mut hears).await.unwrap();
        let claims: Value = jws::verify(&token, &server.authority().jwks()).unwrap();
        for name in ["iss", "sub", "aud", "sid"] {
            assert_eq!(claims[name], id[name], "{name}");
        }
        assert_eq!(claims["events"], serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert_eq!((claims.get("nonce"), claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()), (None, 120));
        assert!(claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()));
        let cookie = browser.cookie_header();
        assert!(!token.contains("gps_") && cookie.is_empty());
        assert!(jose::unverified::<Value>(&token).unwrap().0.is_of_type("logout+jwt"));
        for (hint, status) in [(&tokens.text("id_token"), 400_u16), (&token, 200)] {
            let page = browser.open(&format!("/logout?id_token_hint={hint}&client_id={}", client.id)).await;
            assert_eq!(page.status, status, "only an ID token says to whom it was given: {}", page.html);
        }
    }

    async fn a_notice_that_was_not_taken_comes_again_with_the_same_name(server: TestServer) {
        let (uri, mut hears) = listener(vec![500]).await;
        let client = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
        let browser = Browser::at(&server);
        let home = browser.sign_in(USER).await;
        sign_in(&server, &browser, &client, "openid").await;
        browser.submit(&home.form(), &[]).await;
        let jti = |token: String| {
            let claims: Value = jws::verify(&token, &server.authority().jwks()).unwrap();
            claims["jti"].clone()
        };
        let first = jti(next(&mut hears).await.unwrap());
        server.advance(Duration::from_secs(11));
        server.authority().deliver_logout_notices().await.unwrap();
        assert_eq!(jti(next(&mut hears).await.unwrap()), first);
        // Whoever delivered it forgets it a moment after it was heard.
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.advance(Duration::from_secs(3600));
        assert_eq!(server.authority().deliver_logout_notices().await.unwrap(), 0, "it was heard");
    }

    async fn a_client_that_only_signs_people_in_is_told_without_a_grant_that_lives(server: TestServer) {
        let (uri, mut hears) = listener(vec![]).await;
        let client = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let tokens = sign_in(&server, &browser, &client, "openid").await;
        let id: Value = jws::verify(&tokens.text("id_token"), &server.authority().jwks()).unwrap();
        assert_eq!(server.post("/revoke", &client, &[("token", &tokens.text("refresh_token"))]).await.status, 200);
        // Another sign-in of the person takes the session's place.
        let home = browser.sign_in(USER).await;
        browser.submit(&home.form(), &[]).await;
        let told: Value = jws::verify(&next(&mut hears).await.unwrap(), &server.authority().jwks()).unwrap();
        assert_eq!((&told["sub"], &told["sid"]), (&id["sub"], &id["sid"]));
        let home = browser.sign_in(USER).await;
        browser.submit(&home.form(), &[]).await;
        assert_eq!(server.authority().deliver_logout_notices().await.unwrap(), 0, "of a session that it knows nothing of");

        // The operator's hand ends all sessions of a person.
        browser.sign_in(USER).await;
        let tokens = sign_in(&server, &browser, &client, "openid").await;
        server.post("/revoke", &client, &[("token", &tokens.text("refresh_token"))]).await;
        server.authority().end(&EndTarget::User(USER.into())).await.unwrap();
        assert!(next(&mut hears).await.is_some());
    }

    async fn who_wants_the_session_named_is_told_of_no_end_without_one(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let mut ears = Vec::new();
        for (wants_it, named) in [(true, vec![true]), (false, vec![false, true])] {
            let (uri, hears) = listener(vec![]).await;
            let metadata = ClientMetadata {
                backchannel_logout_uri: Some(uri),
                backchannel_logout_session_required: wants_it,
                ..ClientMetadata::default()
            };
            let client = client_with(&server, metadata).await;
            sign_in(&server, &browser, &client, "openid").await;
            // What a device was given is of no session.
            let device = server.post("/device_authorization", &client, &[("scope", "account")]).await;
            let page = browser.open(&device.text("verification_uri_complete")).await;
            browser.submit(&page.form(), &[("answer", "approve")]).await;
            let (grant, code) = (GrantType::DeviceCode.as_str(), device.text("device_code"));
            let tokens = server.post("/token", &client, &[("grant_type", grant), ("device_code", &code)]).await;
            assert_eq!(tokens.status, 200, "{}", tokens.json);
            ears.push((hears, named));
        }
        server.authority().end(&EndTarget::User(USER.into())).await.unwrap();
        for (hears, named) in &mut ears {
            let mut heard = Vec::new();
            for _ in named.iter() {
                let claims: Value = jws::verify(&next(hears).await.unwrap(), &server.authority().jwks()).unwrap();
                heard.push(claims.get("sid").is_some());
            }
            heard.sort_unstable();
            assert_eq!(&heard, named);
        }
        // Whoever delivered them forgets them a moment after they were heard; there are no others.
        let store = Store::open(&server.database.database_url()).await.unwrap();
        let later = server.authority().now().plus(Duration::from_secs(7200));
        let all_heard = async {
            while !store.due_logout_notices(later, 100, 100).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(8), all_heard).await.unwrap();
        store.close().await;
        assert!(ears.iter_mut().all(|(hears, _)| hears.try_recv().is_err()), "told of no more");
    }

    async fn who_does_not_answer_keeps_nobody_waiting_but_their_own(server: TestServer) {
        server.add_user("eve@example.com").await;
        // It takes connections and says nothing.
        let tarpit = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (uri, mut hears) = listener(vec![]).await;
        let (ada, eve) = (Browser::at(&server), Browser::at(&server));
        let (home, lair) = (ada.sign_in(USER).await, eve.sign_in("eve@example.com").await);
        for number in 0..20 {
            let uri = format!("http://{}/{number}", tarpit.local_addr().unwrap());
            let slow = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
            assert_eq!(sign_in(&server, &eve, &slow, "openid").await.status, 200);
        }
        let client = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
        sign_in(&server, &ada, &client, "openid").await;
        eve.submit(&lair.form(), &[]).await;
        server.advance(Duration::from_millis(1));
        ada.submit(&home.form(), &[]).await;
        let begun = tokio::time::Instant::now();
        assert!(next(&mut hears).await.is_some());
        assert!(begun.elapsed() < Duration::from_secs(4), "it waited for the slow ones");
    }

    async fn a_client_that_does_not_answer_is_left_alone_for_a_moment_and_given_up_in_time(server: TestServer) {
        let tarpit = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", tarpit.local_addr().unwrap());
        drop(tarpit);
        let client = client_with(&server, ClientMetadata { backchannel_logout_uri: Some(uri), ..ClientMetadata::default() }).await;
        let store = Store::open(&server.database.database_url()).await.unwrap();
        let now = server.authority().now();
        let later = now.plus(Duration::from_secs(100));
        for number in 0..20 {
            due_at(&store, &client, number, later).await;
        }
        assert_eq!(server.authority().deliver_logout_notices().await.unwrap(), 0);
        server.advance(Duration::from_secs(100));
        let tried = server.authority().deliver_logout_notices().await.unwrap();
        assert!(tried <= 8, "{tried} of one client at once");
        assert!(store.due_logout_notices(later, 100, 100).await.unwrap().is_empty(), "the others wait too");
        server.advance(Duration::from_secs(3600));
        for _ in 0..10 {
            server.authority().deliver_logout_notices().await.unwrap();
            server.advance(Duration::from_secs(11));
        }
        assert!(store.due_logout_notices(later.plus(Duration::from_secs(7200)), 100, 100).await.unwrap().is_empty(), "given up");
        store.close().await;
    }

    async fn a_device_outlives_the_browser_that_approved_it(server: TestServer) {
        let device = server.post_public("/device_authorization", &[("scope", "account")]).await;
        let browser = Browser::at(&server);
        let home = browser.sign_in(USER).await;
        let page = browser.open(&device.text("verification_uri_complete")).await;
        browser.submit(&page.form(), &[("answer", "approve")]).await;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let tokens = server.post_public("/token", &[("grant_type", grant), ("device_code", &device.text("device_code"))]).await;
        browser.submit(&home.form(), &[]).await;
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
    }
}
