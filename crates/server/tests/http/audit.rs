//! What happened is kept: who, by which program, from where.

use gatepass_oauth::{ClientCredentials, PresentedProof, Secret, TokenFormat, UtcMillis};
use gatepass_testkit::{
    Answer, Browser, PASSWORD, Pkce, RegisteredClient, TestServer, USER,
    authority::{
        Asking, Authority, Caller, EventKind,
        end::EndTarget,
        key_ring::TakeOver,
        show_trail::{AuditFilter, AuditRow, TrailQuery, outcome},
        trust::{NewTrust, Repeats, StandsFor, trust_name},
    },
    keys::{Algorithm, JwkSet, PlainToken, TokenId, token::AccessToken},
    on_both_engines,
    tokio::{self, io::AsyncWriteExt},
};
use std::{collections::BTreeMap, time::Duration};

/// The events of a kind, once there are as many as expected; routine ones come a moment later.
pub(crate) async fn events(server: &TestServer, kind: EventKind, expected: usize) -> Vec<AuditRow> {
    let filter = AuditFilter { kinds: vec![kind.to_string()], ..AuditFilter::default() };
    let query = TrailQuery { since: UtcMillis(0), until: UtcMillis(1 << 47), filter, limit: 10_000 };
    for _ in 0..100 {
        let found = server.authority().trail(&query).await.unwrap();
        if found.len() >= expected {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{kind}: fewer than {expected}");
}

/// Gives a client a token of its own, and says which.
async fn issue(node: &Authority, client: &RegisteredClient) -> TokenId {
    let caller = Caller { address: "192.0.2.1".into(), user_agent: String::new(), certificate: None };
    let proof = PresentedProof::Basic(Secret::from(client.secret.as_str()));
    let credentials = ClientCredentials { client_id: client.id.parse().unwrap(), proof };
    let known = node.authenticate_client(&credentials, &caller).await.unwrap();
    let asking = Asking { client: &known, caller: &caller, confirmation: None };
    let token = node.client_credentials(asking, None, None).await.unwrap().access_token;
    PlainToken::<AccessToken>::parse(token.expose()).unwrap().id()
}

/// Sends a request of a client with a wrong secret and goes away at once.
async fn ask_and_leave(server: &TestServer, client: &RegisteredClient) {
    let body = format!("grant_type=client_credentials&client_id={}&client_secret=wrong", client.id);
    let head = "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut stream = tokio::net::TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}

on_both_engines! {
    async fn who_goes_away_at_once_leaves_a_trail_too(server: TestServer) {
        let client = server.client().await;
        for _ in 0..25 {
            ask_and_leave(&server, &client).await;
        }
        let refused = || server.authority().tally().events().find(|(kind, _)| *kind == EventKind::ClientRefused);
        for _ in 0..100 {
            if refused().is_some_and(|(_, count)| count == 25) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(refused().map(|(_, count)| count), Some(25));
        assert_eq!(events(&server, EventKind::ClientRefused, 1).await.len(), 1, "of a flood the first is kept");
    }

    async fn a_sign_in_leaves_its_whole_trail(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.status, 200);
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.status, 200);
        assert_eq!(server.post("/revoke", &client, &[("token", &tokens.text("refresh_token"))]).await.status, 200);
        let grant = [("grant_type", "client_credentials")];
        assert_eq!(server.post("/token", &client, &grant).await.status, 200);
        for kind in [
            EventKind::UserAdded, EventKind::ClientAdded, EventKind::SignedIn, EventKind::ConsentGiven,
            EventKind::CodeIssued, EventKind::CodeExchanged, EventKind::Refreshed, EventKind::RefreshRepeated,
            EventKind::GrantRevoked, EventKind::TokenIssued,
        ] {
            let found = events(&server, kind, 1).await;
            let [event] = found.as_slice() else { panic!("{kind}: {}", found.len()) };
            assert_eq!(event.at(), server.authority().now());
            let by_operator = matches!(kind, EventKind::UserAdded | EventKind::ClientAdded);
            assert_eq!(event.actor.as_deref(), by_operator.then_some("operator"), "{kind}");
            assert_eq!(event.address.is_empty(), by_operator, "{kind}");
            if !matches!(kind, EventKind::UserAdded | EventKind::SignedIn) {
                assert_eq!(event.client_id.as_deref(), Some(client.id.as_str()), "{kind}");
            }
        }
    }

    async fn a_writer_that_ends_unexpectedly_is_told_of_and_the_trail_goes_on(server: TestServer) {
        let (client, node) = (server.client().await, server.node().await);
        let writer = tokio::spawn({ let node = node.clone(); async move { node.write_trail(std::future::pending()).await } });
        // Without a writer each event is on the disk at once; with one it waits.
        let mut issued = 0;
        while node.audit_waiting() == 0 {
            issue(&node, &client).await;
            issued += 1;
        }
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
        let last = issue(&node, &client).await;
        let lost = usize::try_from(node.tally().audit_lost.get()).unwrap();
        assert!((1..=issued).contains(&lost), "what was not written is told of");
        let found = events(&server, EventKind::TokenIssued, issued + 1 - lost).await;
        assert!(found.iter().any(|event| event.subject == Some(last)), "who comes later writes for himself");
    }

    async fn the_trail_says_for_whom_a_token_is_and_which_it_is(server: TestServer) {
        let (client, key) = (server.client().await, crate::grants::key());
        let user = server.authority().find_user(USER).await.unwrap().unwrap().id;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        assert_eq!(server.post("/revoke", &client, &[("token", &tokens.text("access_token"))]).await.status, 200);
        server.advance(Duration::from_millis(1));
        let own = server.post("/token", &client, &[("grant_type", "client_credentials")]).await.text("access_token");
        assert_eq!(server.post("/revoke", &client, &[("token", &own)]).await.status, 200);
        let revoked = events(&server, EventKind::TokenRevoked, 2).await;
        assert_eq!(revoked.iter().map(|event| event.user_id).collect::<Vec<_>>(), [Some(user), None]);
        assert_eq!(events(&server, EventKind::TokenIssued, 1).await[0].subject, revoked[1].subject);
        assert!(revoked.iter().all(|event| event.subject.is_some()));

        server.authority().add_service("ci", "").await.unwrap();
        let trust = NewTrust {
            issuer: "https://token.example".into(), jwks: Some(JwkSet { keys: vec![key.public().clone()] }), subject: "x".into(),
            audiences: Vec::new(), claims: BTreeMap::new(), stands_for: StandsFor::Service("ci".into()),
            scope: "account".parse().unwrap(), resource: None, lifetime: Duration::from_secs(60), repeats: Repeats::Refused,
        };
        let trust = server.authority().add_trust(trust).await.unwrap();
        let expires = server.authority().now().seconds() + 60;
        let claims = serde_json::json!({ "iss": "https://token.example", "sub": "x", "aud": server.url, "exp": expires, "jti": "1" });
        let assertion = key.sign("JWT", &claims).unwrap();
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
        let token = server.post("/token", &client, &form).await.text("access_token");
        let accepted = &events(&server, EventKind::AssertionAccepted, 1).await[0];
        let (policy, issuer) = (trust_name(&trust), "https://token.example");
        assert_eq!(accepted.detail, format!("service account ci by trust policy {policy} of {issuer}"));
        assert_eq!(server.post("/token", &client, &form).await.error(), "invalid_grant");
        let refused = &events(&server, EventKind::AssertionRefused, 1).await[0];
        assert_eq!(refused.subject, Some(trust.id), "which policy it would have used");

        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        assert_eq!(server.post("/token", &client, &form).await.status, 200);
        assert_eq!(events(&server, EventKind::TokenExchanged, 1).await[0].detail, "service account ci");
    }

    async fn every_refusal_leaves_a_trail(server: TestServer) {
        let (client, other, browser) = (server.client().await, server.client().await, Browser::at(&server));
        browser.sign_in(USER).await;
        let pkce = Pkce::new();
        let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", "x"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let mut seen = 0;
        let mut told = async |by: &RegisteredClient, answer: Answer, error: &str, why: &str| {
            assert_eq!(answer.error(), error);
            seen += 1;
            let kept = events(&server, EventKind::RequestRefused, seen).await;
            let last = kept.last().unwrap();
            assert_eq!((kept.len(), last.client_id.as_deref()), (seen, Some(by.id.as_str())));
            assert!(last.detail.starts_with(error) && last.detail.contains(why), "{}", last.detail);
            server.advance(Duration::from_secs(60));
        };
        told(&other, server.redeem(&other, &code, &pkce).await, "invalid_grant", "another client's").await;
        let refused = server.post("/token", &other, &[("grant_type", "refresh_token"), ("refresh_token", &tokens.text("refresh_token"))]).await;
        told(&other, refused, "invalid_grant", "").await;
        let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
        told(&client, server.redeem(&client, &code, &Pkce::new()).await, "invalid_grant", "code_verifier").await;
        told(&client, server.post("/token", &client, &exchange).await, "invalid_request", "subject_token").await;
        told(&client, server.post("/par", &client, &[]).await, "invalid_request", "").await;
        told(&client, server.post("/device_authorization", &client, &[("scope", "nonsense")]).await, "invalid_scope", "").await;
        let wrong = server.post("/revoke", &other, &[("token", &tokens.text("access_token"))]).await;
        told(&other, wrong, "unauthorized_client", "another client's").await;

        let nobody = RegisteredClient { id: "nobody".into(), ..client.clone() };
        for (by, scope, known, error) in [
            (&client, "nonsense", true, "invalid_scope"), (&nobody, "account", false, "invalid_client"),
        ] {
            let path = server.path(&server.authorize_path(by, &pkce, &[("scope", scope)]));
            server.http().get(path).send().await.unwrap();
            let kept = events(&server, EventKind::RequestRefused, seen + 1).await;
            let last = kept.last().unwrap();
            assert_eq!(last.client_id.as_deref(), known.then_some(by.id.as_str()));
            assert!(last.detail.starts_with(error), "{}", last.detail);
            seen += 1;
            server.advance(Duration::from_secs(60));
        }
    }

    async fn a_token_that_the_servers_own_api_refuses_leaves_a_trail(server: TestServer) {
        let client = server.client().await;
        let narrow = server.tokens(&client, &[("scope", "openid")]).await.text("access_token");
        let wide = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        let own = server.post("/token", &client, &[("grant_type", "client_credentials")]).await.text("access_token");
        let mut seen = 0;
        let mut told = async |answer: Answer, status: u16, detail: &str, live: bool| {
            assert_eq!(answer.status, status, "{detail}");
            seen += 1;
            let kept = events(&server, EventKind::TokenRefused, seen).await;
            let last = kept.last().unwrap();
            assert_eq!((kept.len(), last.detail.as_str()), (seen, detail));
            assert_eq!(last.client_id.as_deref(), live.then_some(client.id.as_str()));
            assert_eq!((last.subject.is_some(), last.address.as_str()), (live, "127.0.0.1"));
            server.advance(Duration::from_secs(60));
        };
        told(server.whoami(&narrow).await, 403, "insufficient_scope; a live token", true).await;
        told(server.userinfo(&wide).await, 403, "insufficient_scope; a live token", true).await;
        told(server.userinfo(&own).await, 403, "insufficient_scope; a live token", true).await;
        server.post("/revoke", &client, &[("token", &wide)]).await;
        told(server.whoami(&wide).await, 401, "invalid_token; no live token", false).await;
        told(server.userinfo("junk").await, 401, "invalid_token; no live token", false).await;
        told(server.whoami("two words").await, 400, "invalid_request; no live token", false).await;
        assert_eq!(server.http().post(server.path("/api/v1/user/rpc")).send().await.unwrap().status(), 401);
        assert_eq!(events(&server, EventKind::TokenRefused, seen).await.len(), seen, "who shows nothing is denied nothing");
        assert_eq!(server.authority().tally().events().find(|(kind, _)| *kind == EventKind::TokenRefused).unwrap().1, 6);
    }

    async fn what_is_refused_is_kept_before_it_is_answered(server: TestServer) {
        let client = server.client().await;
        let wrong = RegisteredClient { secret: "wrong".into(), ..client.clone() };
        assert_eq!(server.post("/token", &wrong, &[("grant_type", "client_credentials")]).await.status, 401);
        server.advance(Duration::from_secs(60));
        let unknown = RegisteredClient { id: "nobody".into(), ..client.clone() };
        assert_eq!(server.post("/token", &unknown, &[("grant_type", "client_credentials")]).await.status, 401);
        let browser = Browser::at(&server);
        let page = browser.open("/login").await;
        browser.submit(&page.form(), &[("email", USER), ("password", "wrong password")]).await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        let second = server.refresh(&client, &tokens).await.text("refresh_token");
        server.refresh(&client, &second).await;
        assert_eq!(server.refresh(&client, &tokens).await.error(), "invalid_grant");
        let query = TrailQuery {
            since: UtcMillis(0), until: UtcMillis(1 << 47), filter: AuditFilter::default(), limit: 10_000,
        };
        let all = server.authority().trail(&query).await.unwrap();
        let of = |kind: EventKind| all.iter().filter(|event| event.kind == kind.as_str()).collect::<Vec<_>>();
        assert_eq!(of(EventKind::ClientRefused).len(), 2);
        assert_eq!(of(EventKind::SignInFailed).len(), 1);
        assert_eq!(of(EventKind::RefreshReused).len(), 1);
        assert!(of(EventKind::RefreshReused).iter().all(|event| outcome(&event.kind) == "refused"));
        assert!(all.iter().all(|event| !event.detail.contains(PASSWORD) && !event.detail.contains(&client.secret)));
    }

    async fn what_the_operator_does_has_the_operators_name(server: TestServer) {
        let authority = server.authority();
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        assert_eq!(tokens.status, 200);
        let session = events(&server, EventKind::SignedIn, 1).await[0].subject.unwrap();
        let grant = events(&server, EventKind::CodeExchanged, 1).await[0].subject.unwrap();
        authority.end(&EndTarget::Grant(grant)).await.unwrap();
        authority.end(&EndTarget::Session(session)).await.unwrap();
        authority.end(&EndTarget::User(USER.into())).await.unwrap();
        authority.end(&EndTarget::Client(client.id.parse().unwrap())).await.unwrap();
        authority.remove_client(&client.id.parse().unwrap()).await.unwrap();
        authority.rotate_keys(Algorithm::Es256, TakeOver::Now).await.unwrap();
        let api = crate::grants::resource("https://api.example", TokenFormat::Opaque);
        let uri = api.uri.clone();
        authority.add_resource(api).await.unwrap();
        authority.remove_resource(&uri).await.unwrap();
        authority.add_service("ci", "").await.unwrap();
        let trust = authority.add_trust(NewTrust {
            issuer: "https://token.example".into(), jwks: None, subject: "x".into(), audiences: Vec::new(),
            claims: BTreeMap::new(), stands_for: StandsFor::Service("ci".into()), scope: "account".parse().unwrap(),
            resource: None, lifetime: Duration::from_secs(60), repeats: Repeats::Refused,
        });
        let trust = trust.await.unwrap();
        authority.remove_trust(&trust_name(&trust)).await.unwrap();
        authority.disable_service("ci").await.unwrap();
        for (kind, detail) in [
            (EventKind::GrantRevoked, ""), (EventKind::SessionEnded, ""), (EventKind::EverythingEnded, "0 grants"),
            (EventKind::ClientDeleted, ""), (EventKind::ResourceAdded, "https://api.example"),
            (EventKind::ResourceRemoved, "https://api.example"), (EventKind::ServiceAdded, "ci"),
            (EventKind::TrustAdded, "https://token.example x"), (EventKind::TrustRemoved, &trust_name(&trust)),
            (EventKind::ServiceDisabled, "ci"),
        ] {
            let found = events(&server, kind, 1).await;
            assert!(found.iter().all(|event| event.actor.as_deref() == Some("operator")), "{kind}");
            assert_eq!(found[0].detail, detail, "{kind}");
        }
        let made = events(&server, EventKind::KeyMade, 2).await;
        let by_operator = made.iter().filter(|event| event.actor.is_some()).count();
        assert_eq!(by_operator, 1, "the first key is nobody's doing");
    }

    async fn a_listing_filters_and_shows_the_last_ones(server: TestServer) {
        let (one, other) = (server.client().await, server.client().await);
        let grant = [("grant_type", "client_credentials")];
        for _ in 0..4 {
            assert_eq!(server.post("/token", &one, &grant).await.status, 200);
            server.advance(Duration::from_secs(60));
        }
        assert_eq!(server.post("/token", &other, &grant).await.status, 200);
        events(&server, EventKind::TokenIssued, 5).await;
        let now = server.authority().now();
        let ask = |since: Duration, client: Option<&RegisteredClient>, limit| TrailQuery {
            since: now.minus(since),
            until: UtcMillis(1 << 47),
            filter: AuditFilter {
                kinds: vec!["token_issued".into(), "code_issued".into()],
                client_id: client.map(|client| client.id.clone()),
                ..AuditFilter::default()
            },
            limit,
        };
        let hour = Duration::from_secs(3600);
        let count = async |query: TrailQuery| server.authority().trail(&query).await.unwrap().len();
        assert_eq!(count(ask(hour, None, 100)).await, 5);
        assert_eq!(count(ask(hour, Some(&one), 100)).await, 4);
        assert_eq!(count(ask(Duration::from_secs(60), Some(&one), 100)).await, 1);
        let last = server.authority().trail(&ask(hour, None, 2)).await.unwrap();
        assert_eq!(last.iter().map(|event| event.at()).collect::<Vec<_>>(), [now.minus(Duration::from_secs(60)), now]);
        assert!(server.authority().find_user(USER).await.unwrap().is_some());
        let id = server.authority().find_user(USER).await.unwrap().unwrap().id.to_string();
        assert_eq!(server.authority().find_user(&id).await.unwrap().unwrap().email, USER);
    }

    async fn what_was_queued_is_written_at_the_end(server: TestServer) {
        let client = server.client().await;
        let grant = [("grant_type", "client_credentials")];
        for _ in 0..40 {
            assert_eq!(server.post("/token", &client, &grant).await.status, 200);
        }
        let (database, clock) = server.stop().await;
        let options = gatepass_testkit::Options { empty: true, ..Default::default() };
        let again = TestServer::on(database, clock, options).await;
        assert_eq!(events(&again, EventKind::TokenIssued, 40).await.len(), 40);
    }
}
