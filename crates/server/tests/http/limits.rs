//! What can be done too often is bounded, answered with 429 and a time, and told.

use crate::audit::events;
use gatepass_oauth::{ClientCredentials, ErrorCode, PresentedProof, Secret};
use gatepass_testkit::{
    Answer, Engine, Options, Pkce, REDIRECT_URI, RegisteredClient, TestServer, USER,
    authority::{Caller, EventKind, Failure, sign_in::SignedIn},
    keys::{Entropy, ProofKey, dpop::Wanted},
    on_both_engines, tokio,
};
use std::time::Duration;

async fn start(server: &TestServer) -> Answer {
    server.post_public("/device_authorization", &[]).await
}

fn from(address: &str) -> Caller {
    Caller { address: address.into(), user_agent: String::new(), certificate: None }
}

/// The fields of a form.
type Fields = &'static [(&'static str, &'static str)];

on_both_engines! {
    async fn device_starts_of_one_address_are_bounded(server: TestServer) {
        for _ in 0..120 {
            assert_eq!(start(&server).await.status, 200);
        }
        let bounded = start(&server).await;
        assert_eq!(bounded.status, 429);
        assert_eq!(bounded.headers["retry-after"], "600");
        assert_eq!(start(&server).await.status, 429);
        let alarms = events(&server, EventKind::Throttled, 1).await;
        assert_eq!(alarms.len(), 1, "once per window");
        assert_eq!((alarms[0].detail.as_str(), alarms[0].address.as_str()), ("device-start-address", "127.0.0.1"));
        server.advance(Duration::from_secs(600));
        assert_eq!(start(&server).await.status, 200);
    }

    async fn another_node_knows_the_limit_too(server: TestServer) {
        for _ in 0..120 {
            assert_eq!(start(&server).await.status, 200);
        }
        let (database, clock) = server.stop().await;
        let options = Options { empty: true, ..Options::default() };
        let other = TestServer::on(database, clock, options).await;
        let mut passed = 0;
        while start(&other).await.status == 200 {
            passed += 1;
        }
        assert!(passed <= 15, "an eighth of the limit at most: {passed}");
    }

    async fn nodes_that_run_side_by_side_share_what_they_count(server: TestServer) {
        let nodes = [server.authority().clone(), server.node().await];
        let mut outcomes = Vec::new();
        for nth in 0..12 {
            let caller = from(&format!("192.0.2.{nth}"));
            let signed_in = nodes[nth % 2].sign_in(USER, "wrong password".to_owned().into(), &caller).await;
            outcomes.push(matches!(signed_in, Ok(SignedIn::Wrong)));
        }
        assert_eq!(outcomes, [&[true; 10][..], &[false; 2]].concat(), "passwords of one account");

        let client = server.client().await;
        let proof = |secret: &str| ClientCredentials {
            client_id: client.id.parse().unwrap(),
            proof: PresentedProof::Basic(Secret::from(secret)),
        };
        let (right, wrong) = (proof(&client.secret), proof("wrong"));
        let mut refused = 0;
        let over = loop {
            // Twenty from each address, which is less than an address may.
            let caller = from(&format!("198.51.100.{}", refused / 20));
            match nodes[refused % 2].authenticate_client(&wrong, &caller).await {
                Err(Failure::Protocol(error)) if error.code == ErrorCode::InvalidClient => refused += 1,
                other => break other,
            }
        };
        assert!(matches!(over, Err(Failure::TooMany(_))));
        assert!((600..=750).contains(&refused), "an eighth of the limit more for each node at most: {refused}");
        let alarms = events(&server, EventKind::Guessing, 2).await;
        let told: Vec<_> = alarms.iter().map(|row| (row.detail.as_str(), row.client_id.as_deref())).collect();
        assert!(told.contains(&("client-secret-client", Some(client.id.as_str()))), "{told:?}");
        for node in &nodes {
            let caller = from("203.0.113.9");
            assert!(node.authenticate_client(&right, &caller).await.is_ok(), "who knows the secret is not kept out");
        }
        server.advance(Duration::from_secs(60));
        let again = nodes[1].authenticate_client(&wrong, &from("203.0.113.9")).await;
        assert!(matches!(again, Err(Failure::Protocol(_))));
    }

    async fn a_storm_of_polls_is_refused_before_it_is_looked_up(server: TestServer) {
        let code = start(&server).await.text("device_code");
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let mut answers = Vec::new();
        for _ in 0..70 {
            answers.push(server.post_public("/token", &[("grant_type", grant), ("device_code", &code)]).await);
        }
        assert_eq!(answers[0].error(), "authorization_pending");
        assert_eq!(answers[1].error(), "slow_down");
        let last = answers.last().unwrap();
        assert_eq!(last.status, 429);
        assert!(last.headers.contains_key("retry-after"));
        assert_eq!(events(&server, EventKind::PollingStorm, 1).await.len(), 1);
        server.advance(Duration::from_secs(70));
        let later = server.post_public("/token", &[("grant_type", grant), ("device_code", &code)]).await;
        assert_eq!(later.error(), "authorization_pending", "it may go on when it has calmed down");
    }

    async fn polls_of_one_address_are_bounded_whatever_they_are_told(server: TestServer) {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let poll = async |code: &str| server.post_public("/token", &[("grant_type", grant), ("device_code", code)]).await;
        for _ in 0..30 {
            let code = start(&server).await.text("device_code");
            for _ in 0..40 {
                assert!(["authorization_pending", "slow_down"].contains(&poll(&code).await.error().as_str()));
            }
        }
        let code = start(&server).await.text("device_code");
        let bounded = poll(&code).await;
        assert_eq!(bounded.status, 429);
        assert!(bounded.headers.contains_key("retry-after"));
        assert_eq!(events(&server, EventKind::Throttled, 1).await[0].detail, "device-poll-address");
        server.advance(Duration::from_secs(60));
        assert_eq!(poll(&code).await.error(), "authorization_pending");
    }

    async fn wrong_proofs_of_one_address_are_bounded_whosever_they_are(server: TestServer) {
        let mut last = Vec::new();
        for _ in 0..5 {
            let wrong = RegisteredClient { secret: "wrong".into(), ..server.client().await };
            for _ in 0..25 {
                last.push(server.post("/token", &wrong, &[("grant_type", "client_credentials")]).await.status.as_u16());
            }
        }
        assert_eq!((last[119], last[120], last[124]), (401, 429, 429));
        let right = server.client().await;
        assert_eq!(server.post("/token", &right, &[("grant_type", "client_credentials")]).await.status, 200);
    }

    async fn pushed_requests_of_one_address_are_bounded(server: TestServer) {
        let (client, pkce) = (server.client().await, Pkce::new());
        let form = [
            ("response_type", "code"), ("redirect_uri", REDIRECT_URI), ("scope", "openid"),
            ("code_challenge", pkce.challenge.as_str()), ("code_challenge_method", "S256"),
        ];
        for _ in 0..1200 {
            assert_eq!(server.post("/par", &client, &form).await.status, 201);
        }
        let bounded = server.post("/par", &client, &form).await;
        assert_eq!(bounded.status, 429);
        assert_eq!(bounded.headers["retry-after"], "600");
        server.advance(Duration::from_secs(600));
        assert_eq!(server.post("/par", &client, &form).await.status, 201);
    }

    async fn junk_of_one_address_is_bounded(server: TestServer) {
        for _ in 0..600 {
            let answer = server.post_public("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
            assert_eq!(answer.error(), "invalid_grant");
        }
        let bounded = server.post_public("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        assert_eq!(bounded.status, 429);
        let client = server.client().await;
        let grant = [("grant_type", "client_credentials"), ("token", "x")];
        for path in ["/token", "/device_authorization", "/par", "/revoke", "/introspect"] {
            let answer = server.post(path, &client, &grant).await;
            assert_eq!(answer.status, 429, "{path}: nothing is done for that address");
            assert!(answer.headers.contains_key("retry-after"));
        }
        server.advance(Duration::from_secs(60));
        assert_eq!(server.post("/token", &client, &grant).await.status, 200);
    }

    async fn what_comes_to_nothing_counts_at_every_client_endpoint(server: TestServer) {
        let client = server.client().await;
        let junk: [(&str, Fields, &str); 5] = [
            ("/token", &[("grant_type", "client_credentials"), ("resource", "https://unknown.example")], "invalid_target"),
            ("/device_authorization", &[("scope", "nonsense")], "invalid_scope"),
            ("/par", &[], "invalid_request"),
            ("/revoke", &[], "invalid_request"),
            ("/introspect", &[], "invalid_request"),
        ];
        for (path, form, error) in junk {
            for _ in 0..120 {
                assert_eq!(server.post(path, &client, form).await.error(), error, "{path}");
            }
        }
        assert_eq!(server.post("/revoke", &client, &[]).await.status, 429);
    }

    async fn a_flood_of_bad_proofs_leaves_one_row(server: TestServer) {
        let body = [("grant_type", "client_credentials"), ("client_id", "gatepass-cli")];
        let answer = async || {
            Answer::of(server.http().post(server.path("/token")).header("dpop", "x").form(&body)).await
        };
        for _ in 0..600 {
            assert_eq!(answer().await.error(), "invalid_dpop_proof");
        }
        assert_eq!(answer().await.status, 429);
        assert_eq!(counted(&server, EventKind::DpopRefused), 601);
        assert_eq!(events(&server, EventKind::DpopRefused, 1).await.len(), 1);
        server.advance(Duration::from_secs(60));
        assert_eq!(answer().await.error(), "invalid_dpop_proof");
        let told = events(&server, EventKind::DpopRefused, 2).await;
        assert_eq!(told.len(), 2, "once in a while it is told again");
        assert!(told[1].detail.ends_with("; 600 more before this"), "{}", told[1].detail);
    }

    async fn what_one_client_does_hides_nothing_of_another(server: TestServer) {
        let (one, other) = (server.client().await, server.client().await);
        let ask = [("grant_type", "client_credentials")];
        for client in [&one, &other] {
            let wrong = RegisteredClient { secret: "wrong".into(), ..client.clone() };
            for _ in 0..5 {
                assert_eq!(server.post("/token", &wrong, &ask).await.error(), "invalid_client");
            }
            server.advance(Duration::from_millis(1));
        }
        let refused = events(&server, EventKind::ClientRefused, 2).await;
        let clients: Vec<_> = refused.iter().map(|event| event.client_id.as_deref()).collect();
        assert_eq!(clients, [Some(one.id.as_str()), Some(other.id.as_str())]);
    }

    async fn what_one_key_does_hides_nothing_of_another(server: TestServer) {
        let client = server.client().await;
        for _ in 0..2 {
            let (key, nonce, url) = (ProofKey::ephemeral().unwrap(), server.authority().dpop_nonce(), server.path("/token"));
            let wanted = Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token: None };
            let proof = key.prove(&wanted, &server.clock, &Entropy::system()).unwrap();
            for status in [200, 400, 400] {
                let request = server.http().post(&url).form(&[("grant_type", "client_credentials")]).header("dpop", proof.expose());
                assert_eq!(Answer::of(request.basic_auth(&client.id, Some(&client.secret))).await.status, status);
            }
        }
        let replayed = events(&server, EventKind::DpopReplayed, 2).await;
        assert_eq!(replayed.len(), 2);
        assert!(replayed.iter().all(|event| event.client_id.as_deref() == Some(client.id.as_str())));
        assert_ne!(replayed[0].detail, replayed[1].detail);
    }

    async fn ever_new_keys_make_no_more_events_than_a_network_may(server: TestServer) {
        let client = server.client().await;
        for _ in 0..40 {
            let (key, nonce, url) = (ProofKey::ephemeral().unwrap(), server.authority().dpop_nonce(), server.path("/token"));
            let wanted = Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token: None };
            let proof = key.prove(&wanted, &server.clock, &Entropy::system()).unwrap();
            for status in [200, 400] {
                let request = server.http().post(&url).form(&[("grant_type", "client_credentials")]).header("dpop", proof.expose());
                assert_eq!(Answer::of(request.basic_auth(&client.id, Some(&client.secret))).await.status, status);
            }
        }
        assert_eq!(counted(&server, EventKind::DpopReplayed), 40);
        assert_eq!(events(&server, EventKind::DpopReplayed, 30).await.len(), 30);
    }

    async fn registrations_that_come_to_nothing_are_bounded(server: TestServer) {
        let url = server.path("/register");
        let send = async |body: &'static str| {
            Answer::of(server.http().post(&url).header("content-type", "application/json").body(body)).await
        };
        let managed = async || Answer::of(server.http().get(format!("{url}/x")).bearer_auth("x")).await;
        for _ in 0..200 {
            assert_eq!(send("{").await.error(), "invalid_client_metadata");
            assert_eq!(send(r#"{"redirect_uris":["nonsense"]}"#).await.error(), "invalid_redirect_uri");
            let refused = managed().await;
            assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_token"));
        }
        assert_eq!(send("{").await.status, 429);
        assert_eq!(managed().await.status, 429);
        assert_eq!(events(&server, EventKind::RequestRefused, 3).await.len(), 3, "one of each error");
    }

    async fn a_flood_of_bad_assertions_leaves_one_row(server: TestServer) {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "x")];
        for _ in 0..20 {
            assert_eq!(Answer::of(server.http().post(server.path("/token")).form(&form)).await.error(), "invalid_grant");
        }
        assert_eq!(counted(&server, EventKind::AssertionRefused), 20);
        assert_eq!(events(&server, EventKind::AssertionRefused, 1).await.len(), 1);
    }
}

fn counted(server: &TestServer, kind: EventKind) -> u64 {
    server.authority().tally().events().find(|(known, _)| *known == kind).unwrap().1
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_operator_sets_and_lifts_limits() {
    let settings = "[limits]\ndevice_start_address = \"off\"\ndevice_start_client = \"130/10m\"\n";
    let options = Options { settings: Some(settings.into()), ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    for _ in 0..130 {
        assert_eq!(start(&server).await.status, 200);
    }
    assert_eq!(start(&server).await.status, 429);
}
