//! An answer that was sent survives `kill -9` of the server the moment after.

use crate::support::{DEVICE_GRANT, Person, Place, Terminal, command_line};
use gatepass_testkit::{Pkce, USER};

const SCOPE: &str = "openid offline_access account";

on_both_engines!(
    tokens_survive,
    an_approved_device_survives,
    a_revocation_survives,
    a_sign_in_of_the_command_line_survives
);

async fn tokens_survive(place: Place) {
    let mut server = place.serve_with_user();
    let (client, person) = (command_line(), Person::signed_in(&server).await);
    for round in 0..3 {
        let pkce = Pkce::new();
        let code = person.allow(&client, &pkce, SCOPE).await;
        server.kill_and_restart(&place);
        let first = server.redeem(&client, &code, &pkce).await;
        server.kill_and_restart(&place);
        assert_eq!(server.whoami(&first.text("access_token")).await.json["result"]["email"], USER, "round {round}");
        let second = server.refresh(&client, &first.text("refresh_token")).await;
        server.kill_and_restart(&place);
        assert_eq!(server.whoami(&second.text("access_token")).await.status, 200, "round {round}");
        let third = server.refresh(&client, &second.text("refresh_token")).await;
        assert_eq!(third.status, 200, "round {round}: {}", third.json);
    }
}

async fn an_approved_device_survives(place: Place) {
    let mut server = place.serve_with_user();
    let client = command_line();
    let device = server.post("/device_authorization", &client, &[("scope", SCOPE)]).await;
    server.kill_and_restart(&place);
    let person = Person::signed_in(&server).await;
    server.kill_and_restart(&place);
    person.approve(&device.text("verification_uri_complete")).await;
    server.kill_and_restart(&place);
    let poll = [("grant_type", DEVICE_GRANT), ("device_code", &device.text("device_code"))];
    let tokens = server.post("/token", &client, &poll).await;
    server.kill_and_restart(&place);
    assert_eq!(server.whoami(&tokens.text("access_token")).await.json["result"]["email"], USER);
    assert_eq!(server.post("/token", &client, &poll).await.error(), "invalid_grant", "and is good once");
}

async fn a_revocation_survives(place: Place) {
    let mut server = place.serve_with_user();
    let (client, pkce) = (command_line(), Pkce::new());
    let code = Person::signed_in(&server).await.allow(&client, &pkce, SCOPE).await;
    let tokens = server.redeem(&client, &code, &pkce).await;
    let refresh_token = tokens.text("refresh_token");
    assert_eq!(server.post("/revoke", &client, &[("token", &refresh_token)]).await.status, 200);
    server.kill_and_restart(&place);
    assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401);
    assert_eq!(server.refresh(&client, &refresh_token).await.error(), "invalid_grant");
}

async fn a_sign_in_of_the_command_line_survives(place: Place) {
    let mut server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    server.kill_and_restart(&place);
    terminal.run(&["whoami"]).done();
    let token = terminal.run(&["token", "--min-ttl", "2h"]).done();
    server.kill_and_restart(&place);
    terminal.whoami_with(&server, &token).done();
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    terminal.run(&["logout"]).done();
}
