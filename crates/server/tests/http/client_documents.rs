//! Clients whose identifier is the URL of their metadata document.

use crate::grants::{register, resource};
use crate::site::{Reply, Site, policy, server};
use gatepass_oauth::TokenFormat;
use gatepass_testkit::{
    Answer, Browser, Engine, Options, Page, Pkce, RegisteredClient, TestServer, USER,
    authority::{
        ClientPolicy, EventKind, Store,
        add_resource::Offered,
        end::{EndRefused, EndTarget},
    },
    tokio,
};
use serde_json::{Value, json};
use std::time::Duration;

const BOTH: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn client(id: &str) -> RegisteredClient {
    RegisteredClient { id: id.to_owned(), secret: String::new() }
}

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

/// What the browser meets when this client sends it.
async fn ask(server: &TestServer, browser: &Browser, id: &str) -> Page {
    browser.open(&server.authorize_path(&client(id), &Pkce::new(), &[("scope", "openid")])).await
}

async fn is_known(server: &TestServer, browser: &Browser, id: &str) -> bool {
    let page = ask(server, browser, id).await;
    assert!(page.status == 200 || page.heading() == "This program is not known here", "{}", page.html);
    page.status == 200
}

async fn form(server: &TestServer, form: &[(&str, &str)]) -> Answer {
    Answer::of(server.http().post(server.path("/token")).form(form)).await
}

async fn tokens(server: &TestServer, browser: &Browser, id: &str) -> Answer {
    let pkce = Pkce::new();
    let code = server.code(browser, &client(id), &pkce, &[("scope", "openid")]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("code", code.as_str()),
        ("redirect_uri", gatepass_testkit::REDIRECT_URI),
        ("code_verifier", pkce.verifier.as_str()),
    ];
    form(server, &fields).await
}

async fn refresh(server: &TestServer, id: &str, tokens: &Answer) -> Answer {
    let token = tokens.text("refresh_token");
    form(server, &[("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", &token)]).await
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_person_signs_in_to_a_client_that_nobody_registered() {
    for engine in BOTH {
        let (site, server) = (Site::start().await, server(engine, policy()).await);
        let browser = signed_in(&server).await;
        let id = site.publishes("/client.json");
        let page = ask(&server, &browser, &id).await;
        assert_eq!(page.heading(), "Allow Desk tool?");
        assert!(page.html.contains("<code>localhost</code>"), "the page shows who stands for it: {}", page.html);
        assert!(!page.html.contains("logo.png"), "nothing of the client's is embedded");
        let first = tokens(&server, &browser, &id).await;
        assert_eq!(first.status, 200, "{}", first.json);
        assert_eq!(refresh(&server, &id, &first).await.status, 200);
        assert!(site.asked().iter().all(|head| !head.contains("logo")), "the logo is never fetched");
        assert_eq!(site.asked().len(), 1, "one document was fetched for all of it");
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn documents_that_break_a_rule_are_refused() {
    let (site, server) = (Site::start().await, server(Engine::Sqlite, policy()).await);
    let browser = signed_in(&server).await;
    let change = |path: &str, name: &str, value: Value| {
        let mut document = site.document(path);
        document[name] = value;
        Reply::json(&document)
    };
    let good = |path: &str| Reply::json(&site.document(path));
    let mut private = json!(crate::grants::key().public());
    private["d"] = json!("AAAA");
    let mut of_private = site.document("/private");
    of_private["token_endpoint_auth_method"] = json!("private_key_jwt");
    of_private["jwks"] = json!({ "keys": [private] });
    let table: Vec<(&str, Reply)> = vec![
        ("/other-id", change("/other-id", "client_id", json!(site.id("/other")))),
        ("/slash-id", change("/slash-id", "client_id", json!(site.id("/slash-id/")))),
        ("/no-id", change("/no-id", "client_id", Value::Null)),
        ("/secret", change("/secret", "client_secret", json!("x"))),
        ("/secret-null", change("/secret-null", "client_secret", Value::Null)),
        ("/secret-until", change("/secret-until", "client_secret_expires_at", json!(0))),
        ("/basic", change("/basic", "token_endpoint_auth_method", json!("client_secret_basic"))),
        ("/post", change("/post", "token_endpoint_auth_method", json!("client_secret_post"))),
        ("/jwt", change("/jwt", "token_endpoint_auth_method", json!("client_secret_jwt"))),
        ("/no-keys", change("/no-keys", "token_endpoint_auth_method", json!("private_key_jwt"))),
        ("/private", Reply::json(&of_private)),
        ("/no-uris", change("/no-uris", "redirect_uris", json!([]))),
        ("/bad-uri", change("/bad-uri", "redirect_uris", json!(["javascript:alert(1)"]))),
        ("/plain-uri", change("/plain-uri", "redirect_uris", json!(["http://app.example/cb"]))),
        ("/inside", change("/inside", "jwks_uri", json!("https://169.254.169.254/keys"))),
        ("/machine", change("/machine", "grant_types", json!(["client_credentials"]))),
        ("/list", Reply { body: "[]".into(), ..good("/list") }),
        ("/broken", Reply { body: "{".into(), ..good("/broken") }),
        ("/html", good("/html").with("content-type", "text/html")),
        ("/large", change("/large", "padding", json!("x".repeat(6000)))),
        ("/slow", Reply { delay: Duration::from_secs(20), ..good("/slow") }),
        ("/redirect", Reply { status: 302, ..good("/redirect") }.with("location", &site.publishes("/elsewhere"))),
        ("/created", Reply { status: 201, ..good("/created") }),
        ("/partial", Reply { status: 206, ..good("/partial") }),
        ("/gone", Reply::status(410)),
        ("/down", Reply::status(503)),
        ("/unchanged", Reply::status(304)),
    ];
    for (path, reply) in table {
        site.answers(path, reply);
        assert!(!is_known(&server, &browser, &site.id(path)).await, "{path}");
        let id = site.id(path);
        let fields = [("grant_type", "refresh_token"), ("client_id", id.as_str()), ("refresh_token", "x")];
        assert_eq!(form(&server, &fields).await.error(), "invalid_client", "{path}");
    }
    assert!(site.asked().iter().all(|head| !head.contains("/elsewhere")), "no redirect was followed");
    assert!(is_known(&server, &browser, &site.publishes("/good")).await);
    let plus_json = site.id("/plus");
    site.answers("/plus", good("/plus").with("content-type", "application/oauth-client+json; charset=utf-8"));
    assert!(is_known(&server, &browser, &plus_json).await);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_strangers_identifier_leads_nowhere_inside() {
    let site = Site::start().await;
    // Without the hosts that tests may name.
    let server = server(Engine::Sqlite, ClientPolicy::default()).await;
    let browser = signed_in(&server).await;
    let secure = site.publishes("/c").replace("http://", "https://");
    for id in [
        site.id("/c").as_str(),
        secure.as_str(),
        "https://127.0.0.1/c",
        "https://[::1]/c",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f000001/c",
        "https://2130706433/c",
        "https://10.0.0.1/c",
        "https://localhost/c",
        "https://app.example/a/../c",
        "https://app.example",
        "https://u:p@app.example/c",
        "https://app.example/c#f",
        "ftp://app.example/c",
        "file:///etc/passwd",
        "javascript://x",
    ] {
        assert!(!is_known(&server, &browser, id).await, "{id}");
    }
    assert_eq!(site.asked(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_document_is_asked_for_as_often_as_its_site_says() {
    let (site, server) = (Site::start().await, server(Engine::Sqlite, policy()).await);
    let browser = signed_in(&server).await;
    let table =
        [("max-age=3600", 3600), ("max-age=1", 30), ("no-store", 30), ("no-cache", 30), ("max-age=9999999", 86_400)];
    for (index, (control, seconds)) in table.into_iter().enumerate() {
        let path = format!("/{index}");
        site.answers(&path, Reply::json(&site.document(&path)).with("cache-control", control));
        let asked = || site.asked().iter().filter(|head| head.starts_with(&format!("get {path} "))).count();
        assert!(is_known(&server, &browser, &site.id(&path)).await);
        server.advance(Duration::from_secs(seconds - 1));
        assert!(is_known(&server, &browser, &site.id(&path)).await);
        assert_eq!(asked(), 1, "{control}");
        server.advance(Duration::from_secs(2));
        assert!(is_known(&server, &browser, &site.id(&path)).await);
        assert_eq!(asked(), 2, "{control}");
    }
}

async fn an_unchanged_document_is_not_sent_again_and_a_changed_one_counts(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, policy()).await);
    let browser = signed_in(&server).await;
    let id = site.id("/c");
    let good = Reply::json(&site.document("/c")).with("etag", "\"v1\"").with("cache-control", "max-age=60");
    site.answers("/c", good.clone());
    assert!(is_known(&server, &browser, &id).await);
    site.answers("/c", Reply { status: 304, ..good }.with("cache-control", "max-age=600"));
    server.advance(Duration::from_secs(61));
    assert!(is_known(&server, &browser, &id).await);
    assert!(site.asked()[1].contains("if-none-match: \"v1\""), "{:?}", site.asked());
    server.advance(Duration::from_secs(500));
    assert!(is_known(&server, &browser, &id).await);
    assert_eq!(site.asked().len(), 2, "the answer that nothing has changed says how long");
    let mut other = site.document("/c");
    other["redirect_uris"] = json!(["https://other.example/cb"]);
    site.answers("/c", Reply::json(&other));
    server.advance(Duration::from_secs(200));
    let page = ask(&server, &browser, &id).await;
    assert!(page.html.contains("the redirect_uri is not registered"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_sign_in_outlives_its_site_and_a_restart_but_not_a_no() {
    for engine in BOTH {
        let (site, server) = (Site::start().await, server(engine, policy()).await);
        let browser = signed_in(&server).await;
        let id = site.publishes("/c");
        let first = tokens(&server, &browser, &id).await;
        site.answers("/c", Reply::status(503));
        let public_url = Some(server.url.clone());
        let (database, clock) = server.stop().await;
        let server = TestServer::on(
            database,
            clock,
            Options { clients: policy(), public_url, empty: true, ..Options::default() },
        )
        .await;
        server.advance(Duration::from_secs(24 * 60 * 60));
        let second = refresh(&server, &id, &first).await;
        assert_eq!(second.status, 200, "the site is down, the sign-in goes on: {}", second.json);
        assert_eq!(site.asked().len(), 2);
        let third = refresh(&server, &id, &second).await;
        assert_eq!((third.status.as_u16(), site.asked().len()), (200, 2), "a site that is down has its rest");
        server.advance(Duration::from_secs(7 * 24 * 60 * 60));
        let long_down = refresh(&server, &id, &third).await;
        assert_eq!((long_down.status.as_u16(), long_down.error().as_str()), (503, "temporarily_unavailable"));
        site.publishes("/c");
        server.advance(Duration::from_secs(11));
        let fourth = refresh(&server, &id, &third).await;
        assert_eq!(fourth.status, 200, "the site is back: {}", fourth.json);
        site.answers("/c", Reply::status(404));
        server.advance(Duration::from_secs(24 * 60 * 60));
        assert_eq!(refresh(&server, &id, &fourth).await.error(), "invalid_client", "the site says no");
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_document_that_was_broken_is_read_again_whatever_its_site_says() {
    let (site, server) = (Site::start().await, server(Engine::Sqlite, policy()).await);
    let browser = signed_in(&server).await;
    let broken = Reply { body: "{".into(), ..Reply::json(&site.document("/c")) };
    site.answers("/c", broken.with("cache-control", "max-age=3600"));
    assert!(!is_known(&server, &browser, &site.id("/c")).await);
    let id = site.publishes("/c");
    server.advance(Duration::from_secs(11));
    assert!(is_known(&server, &browser, &id).await);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_document_that_nobody_uses_goes_with_what_people_allowed_it() {
    for engine in BOTH {
        let (site, server) = (Site::start().await, server(engine, policy()).await);
        let browser = signed_in(&server).await;
        let id = site.publishes("/client.json");
        assert_eq!(tokens(&server, &browser, &id).await.status, 200);
        let store = Store::open(&server.database.database_url()).await.unwrap();
        let consents = async || {
            let sql = "select count(*) from consent where client_id like 'http%'";
            store.db().query::<i64>(sql, vec![]).await.unwrap()[0]
        };
        assert_eq!(consents().await, 1);
        server.advance(Duration::from_secs(200 * 24 * 60 * 60));
        let reaped = server.authority().reap_registrations(100).await.unwrap();
        assert_eq!(reaped, [("client", 0), ("client_document", 1)]);
        assert!(server.authority().tally().swept().any(|count| count == ("client_document", 1)));
        assert_eq!(consents().await, 0);
        store.close().await;
    }
}

async fn what_must_not_be_stored_is_not(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, policy()).await);
    let browser = signed_in(&server).await;
    site.answers("/c", Reply::json(&site.document("/c")).with("cache-control", "no-store"));
    let first = tokens(&server, &browser, &site.id("/c")).await;
    site.answers("/c", Reply::status(503));
    let (database, clock) = server.stop().await;
    let server =
        TestServer::on(database, clock, Options { clients: policy(), empty: true, ..Options::default() }).await;
    assert_eq!(refresh(&server, &site.id("/c"), &first).await.error(), "invalid_client");
}

async fn many_who_come_at_once_are_one_request(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, policy()).await);
    let id = site.id("/c");
    site.answers("/c", Reply { delay: Duration::from_millis(300), ..Reply::json(&site.document("/c")) });
    let all = (0..50).map(|_| {
        let request = server.http().get(server.path(&server.authorize_path(&client(&id), &Pkce::new(), &[])));
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    for answer in all.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 200, "the sign-in page");
    }
    assert_eq!(site.asked().len(), 1);
}

async fn one_address_has_only_so_many_documents_fetched(engine: Engine) {
    let site = Site::start().await;
    let server = server(engine, ClientPolicy { documents_per_hour: 3, ..policy() }).await;
    let browser = signed_in(&server).await;
    for index in 0..3 {
        assert!(is_known(&server, &browser, &site.publishes(&format!("/{index}"))).await);
    }
    assert_eq!(ask(&server, &browser, &site.publishes("/3")).await.status, 429);
    let alarms = crate::audit::events(&server, EventKind::Throttled, 1).await;
    assert_eq!((alarms[0].detail.as_str(), alarms[0].address.as_str()), ("document", "127.0.0.1"));
    assert!(is_known(&server, &browser, &site.id("/0")).await, "what is known goes on");
    assert_eq!(site.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_operator_says_whose_documents_count() {
    let site = Site::start().await;
    let table = [
        (ClientPolicy { trusted_domains: vec!["localhost".into()], ..policy() }, true),
        (ClientPolicy { trusted_domains: vec!["example.com".into()], ..policy() }, false),
        (ClientPolicy { denied_domains: vec!["localhost".into()], ..policy() }, false),
        (ClientPolicy { denied_domains: vec!["app.example".into()], ..policy() }, false),
        (ClientPolicy { metadata_documents: false, ..policy() }, false),
    ];
    for (clients, known) in table {
        let offered = clients.metadata_documents;
        let server = server(Engine::Sqlite, clients).await;
        let browser = signed_in(&server).await;
        assert_eq!(is_known(&server, &browser, &site.publishes("/c")).await, known);
        let metadata = Answer::of(server.http().get(server.path("/.well-known/oauth-authorization-server"))).await;
        assert_eq!(metadata.json["client_id_metadata_document_supported"] == true, offered);
    }
}

async fn a_loopback_client_is_asked_about_each_time_with_a_warning(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, policy()).await);
    let browser = signed_in(&server).await;
    let mut document = site.document("/c");
    document["redirect_uris"] = json!(["http://localhost/callback"]);
    site.answers("/c", Reply::json(&document));
    for _ in 0..2 {
        let path = server.authorize_path(&client(&site.id("/c")), &Pkce::new(), &[("scope", "openid")]);
        let path = path.replace("https%3A%2F%2Fapp.example%2Fcb", "http%3A%2F%2Flocalhost%3A49152%2Fcallback");
        let page = browser.open(&path).await;
        assert!(page.html.contains("Any program on this machine can use this name"), "{}", page.html);
        let back = browser.submit(&page.form(), &[("answer", "allow")]).await;
        assert!(back.left_for.as_ref().unwrap().starts_with("http://localhost:49152/callback?code="));
    }
    let remote = site.publishes("/web");
    tokens(&server, &browser, &remote).await;
    assert!(ask(&server, &browser, &remote).await.left_for.is_some(), "a yes to an https address is remembered");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn what_a_vanished_client_has_can_be_ended() {
    for engine in BOTH {
        let (site, server) = (Site::start().await, server(engine, policy()).await);
        let browser = signed_in(&server).await;
        let id = site.publishes("/client.json");
        let tokens = tokens(&server, &browser, &id).await;
        site.answers("/client.json", Reply::status(404));
        server.advance(Duration::from_secs(48 * 3600));
        assert_eq!(refresh(&server, &id, &tokens).await.error(), "invalid_client");
        let target = EndTarget::Client(id.parse().unwrap());
        assert_eq!(server.authority().end(&target).await.unwrap(), 1);
        assert!(matches!(server.authority().end(&target).await, Err(EndRefused::Unknown(_))), "nothing is left");
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn an_access_token_for_the_clients_own_address_is_no_id_token_hint() {
    for engine in BOTH {
        let (site, server) = (Site::start().await, server(engine, policy()).await);
        let browser = signed_in(&server).await;
        let id = site.publishes("/client.json");
        let mut own = resource(&id, TokenFormat::Jwt);
        own.offered = Offered::ToAll;
        register(&server, own).await;
        let pkce = Pkce::new();
        let code = server.code(&browser, &client(&id), &pkce, &[("scope", "openid"), ("resource", &id)]).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &id),
            ("code", &code),
            ("redirect_uri", gatepass_testkit::REDIRECT_URI),
            ("code_verifier", &pkce.verifier),
        ];
        let tokens = form(&server, &fields).await;
        for (name, good) in [("id_token", true), ("access_token", false)] {
            let extra = [("scope", "openid"), ("prompt", "consent"), ("id_token_hint", &tokens.text(name))];
            let page = browser.open(&server.authorize_path(&client(&id), &Pkce::new(), &extra)).await;
            assert_eq!(page.heading() == "Allow Desk tool?", good, "{name}: {}", page.html);
            let logout = browser.open(&format!("/logout?id_token_hint={}&client_id=another", tokens.text(name))).await;
            assert_eq!(logout.status == 400, good, "{name}: {}", logout.html);
        }
    }
}

on_both!(an_unchanged_document_is_not_sent_again_and_a_changed_one_counts);
on_both!(what_must_not_be_stored_is_not);
on_both!(many_who_come_at_once_are_one_request);
on_both!(one_address_has_only_so_many_documents_fetched);
on_both!(a_loopback_client_is_asked_about_each_time_with_a_warning);
