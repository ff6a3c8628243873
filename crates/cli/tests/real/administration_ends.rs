//! `gatepass admin revoke` while the server runs.

use crate::support::{Person, Place, Server};
use gatepass_testkit::{
    Answer, Pkce, REDIRECT_URI, RegisteredClient, USER,
    authority::Store,
    keys::{PlainToken, TokenId, token::RefreshToken},
    tokio,
};
use serde_json::json;
use std::time::{Duration, Instant};

on_both_engines!(what_an_operator_ends_is_over, what_is_not_there_is_refused);

/// A person's tokens at a client.
async fn tokens(server: &Server, person: &Person, client: &RegisteredClient) -> Answer {
    let pkce = Pkce::new();
    let code = person.allow(client, &pkce, "openid account offline_access").await;
    let tokens = server.redeem(client, &code, &pkce).await;
    assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
    tokens
}

/// The grant has ended.
async fn is_over(server: &Server, client: &RegisteredClient, tokens: &Answer) {
    assert_eq!(server.refresh(client, &tokens.text("refresh_token")).await.error(), "invalid_grant");
}

/// Its access token too, within a second or so: another process ended it.
async fn opens_nothing(server: &Server, tokens: &Answer) {
    let until = Instant::now() + Duration::from_secs(20);
    while server.whoami(&tokens.text("access_token")).await.status != 401 {
        assert!(Instant::now() < until, "the access token is still accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As people write it.
fn uuid(id: TokenId) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(id.0));
    let part = |from: usize, to: usize| &digits[from..to];
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

async fn what_an_operator_ends_is_over(place: Place) {
    let server = place.serve_with_user();
    let add = |name: &str| {
        place.add_client(&[
            "--confidential",
            "--name",
            name,
            "--redirect-uri",
            REDIRECT_URI,
            "--scope",
            "openid account offline_access",
        ])
    };
    let (web, other) = (add("Web"), add("Other"));
    let person = Person::signed_in(&server).await;
    let kept = tokens(&server, &person, &other).await;

    let one = tokens(&server, &person, &web).await;
    let grant = uuid(PlainToken::<RefreshToken>::parse(&one.text("refresh_token")).unwrap().id());
    assert_eq!(place.admin(&["revoke", "--grant", &grant]).done(), "1 ended\n");
    is_over(&server, &web, &one).await;
    assert_eq!(place.admin(&["revoke", "--grant", &grant.replace('-', "")]).done(), "0 ended\n", "it is over already");

    let two = tokens(&server, &person, &web).await;
    assert_eq!(place.admin(&["revoke", "--client", &web.id, "--json"]).json(), json!({ "ended": 1 }));
    is_over(&server, &web, &two).await;
    assert_eq!(server.whoami(&kept.text("access_token")).await.status, 200, "another client keeps what it has");

    let store = Store::open(&place.database_url()).await.unwrap();
    let sessions: Vec<[u8; 16]> = store.db().query("select id from session", vec![]).await.unwrap();
    store.close().await;
    assert_eq!(sessions.len(), 1);
    assert_eq!(place.admin(&["revoke", "--session", &uuid(TokenId(sessions[0]))]).done(), "1 ended\n");
    is_over(&server, &other, &kept).await;
    assert_eq!(person.open("/").await.heading(), "Sign in to gatepass");

    let again = Person::signed_in(&server).await;
    let three = tokens(&server, &again, &web).await;
    assert_eq!(place.admin(&["revoke", "--user", "ADA@example.com"]).done(), "1 ended\n");
    is_over(&server, &web, &three).await;
    assert_eq!(again.open("/").await.heading(), "Sign in to gatepass");
    Person::signed_in(&server).await;
    for tokens in [&one, &two, &kept, &three] {
        opens_nothing(&server, tokens).await;
    }

    let told = place
        .admin(&["audit", "--kind", "everything_ended", "--kind", "grant_revoked", "--kind", "session_ended"])
        .done();
    assert_eq!(told.matches("operator").count(), 4, "{told}");
}

async fn what_is_not_there_is_refused(place: Place) {
    let server = place.serve_with_user();
    let person = Person::signed_in(&server).await;
    let nobodys = "01234567-89ab-7def-8123-456789abcdef";
    let refused = |arguments: &[&str], code| place.admin(&[&["revoke"], arguments].concat()).failed(code);
    let said = refused(&["--user", "nobody@example.com"], 5);
    assert!(
        said.contains("there is no account for nobody@example.com") && said.ends_with("  gatepass admin user list\n"),
        "{said}"
    );
    let said = refused(&["--client", "unknown"], 5);
    assert!(said.contains("there is no client unknown") && said.ends_with("  gatepass admin client list\n"), "{said}");
    assert!(refused(&["--grant", nobodys], 5).contains("there is no such grant"));
    assert!(refused(&["--session", nobodys], 5).contains("there is no such session"));
    refused(&[], 2);
    refused(&["--user", USER, "--client", "web"], 2);
    for no_uuid in ["", "1", "not-a-uuid", "+1234567-89ab-7def-8123-456789abcdef", &nobodys[1..]] {
        refused(&["--grant", no_uuid], 2);
        refused(&["--session", no_uuid], 2);
    }
    assert_eq!(person.open("/").await.heading(), "You are signed in", "a refusal ends nothing");
}
