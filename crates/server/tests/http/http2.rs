//! HTTP/2 by hand: what a client can do that no library would.

use crate::{
    grants::key,
    mutual_tls::{Authority, Shown, params, registered_by_subject, with_tls},
};
use axum::body::Bytes;
use gatepass_testkit::{
    Engine, Limits, Options, TestServer,
    authority::{
        EventKind,
        trust::{NewTrust, Repeats, StandsFor},
    },
    tokio::{self, net::TcpStream, task::JoinHandle, time},
};
use h2::{
    Ping, PingPong, Reason, SendStream,
    client::{ResponseFuture, SendRequest},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tokio_rustls::TlsConnector;

const FORM: &str = "application/x-www-form-urlencoded";

/// A connection.
struct Wire {
    url: String,
    requests: SendRequest<Bytes>,
    pings: PingPong,
    driving: JoinHandle<Result<(), h2::Error>>,
}

impl Wire {
    async fn to(server: &TestServer, folder: &Path, shown: Option<&Shown>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => config.with_no_client_auth(),
            Some(Shown { der, key, .. }) => {
                let key = PrivatePkcs8KeyDer::from(key.serialize_der());
                config.with_client_auth_cert(vec![der.clone().into()], key.into()).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(server.url.strip_prefix("https://").unwrap()).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (requests, mut connection) = h2::client::handshake(stream).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        Self { url: server.url.clone(), requests, pings, driving: tokio::spawn(connection) }
    }

    /// Begins a `POST` of a form; its body may follow.
    async fn post(&mut self, path: &str, body: &str, is_all: bool) -> (ResponseFuture, SendStream<Bytes>) {
        self.requests = self.requests.clone().ready().await.unwrap();
        let head = http::Request::post(format!("{}{path}", self.url)).header("content-type", FORM).body(()).unwrap();
        let (answer, mut stream) = self.requests.send_request(head, false).unwrap();
        stream.send_data(Bytes::copy_from_slice(body.as_bytes()), is_all).unwrap();
        (answer, stream)
    }

    /// The status and the JSON of an answer.
    async fn answer(answer: ResponseFuture) -> (u16, Value) {
        let (head, mut body) =
            time::timeout(Duration::from_secs(10), answer).await.expect("a hang").unwrap().into_parts();
        let mut bytes = Vec::new();
        while let Some(data) = body.data().await {
            bytes.extend_from_slice(&data.unwrap());
        }
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap())
    }

    async fn ask(&mut self, path: &str, body: &str) -> (u16, Value) {
        Self::answer(self.post(path, body, true).await.0).await
    }

    /// Until the server has ended the connection.
    async fn ends(self) {
        let _ = time::timeout(Duration::from_secs(10), self.driving).await.expect("the connection lives on").unwrap();
    }
}

async fn server(limits: Limits) -> (TestServer, tempfile::TempDir) {
    with_tls(Engine::Sqlite, &Authority::new(), Options { limits, ..Options::default() }).await
}

/// Whoever resets streams has not more than 64 requests worked for all the same: of three times as many, which all wait
/// for an issuer that is silent, 64 are taken up, and the next one waits for the first of them.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn what_is_taken_back_makes_no_room_before_it_has_come_to_its_end() {
    let (server, folder) = server(Limits::default()).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", silent.local_addr().unwrap());
    server.authority().add_service("ci", "").await.unwrap();
    let trust = NewTrust {
        issuer: issuer.clone(),
        jwks: None,
        subject: "job".into(),
        audiences: Vec::new(),
        claims: BTreeMap::new(),
        stands_for: StandsFor::Service("ci".into()),
        scope: "account".parse().unwrap(),
        resource: None,
        lifetime: Duration::from_secs(60),
        repeats: Repeats::Refused,
    };
    server.authority().add_trust(trust).await.unwrap();
    let claims = json!({ "iss": issuer, "sub": "job", "aud": server.url, "exp": 1_790_000_100, "jti": "1" });
    let assertion = key().sign("JWT", &claims).unwrap();
    let body = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");

    let mut wire = Wire::to(&server, folder.path(), None).await;
    assert_eq!(wire.ask("/token", "").await.0, 401);
    assert_eq!(wire.requests.current_max_send_streams(), 64);
    for _ in 0..3 {
        let mut streams = Vec::new();
        for _ in 0..64 {
            streams.push(wire.post("/token", &body, true).await);
        }
        time::sleep(Duration::from_millis(100)).await;
        for (_, stream) in &mut streams {
            stream.send_reset(Reason::CANCEL);
        }
    }
    let (mut next, _stream) = wire.post("/token", "", true).await;
    assert!(time::timeout(Duration::from_millis(300), &mut next).await.is_err(), "there is no room");
    drop(silent);
    assert_eq!(Wire::answer(next).await.0, 401);
    let refused =
        || server.authority().tally().events().find(|(kind, _)| *kind == EventKind::AssertionRefused).unwrap().1;
    for _ in 0..100 {
        if refused() == 64 {
            break;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(refused(), 64, "what was begun came to its end, and no more was begun");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_connection_without_a_request_is_ended_whatever_it_pings() {
    let (server, folder) = server(Limits { quiet: Duration::from_millis(100), ..Limits::default() }).await;
    let mut wire = Wire::to(&server, folder.path(), None).await;
    assert_eq!(wire.ask("/token", "").await.0, 401);
    time::timeout(Duration::from_secs(10), async { while wire.pings.ping(Ping::opaque()).await.is_ok() {} })
        .await
        .expect("it is kept by its pings");
    wire.ends().await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn an_old_connection_takes_no_more_requests_and_ends_what_it_has() {
    let (server, folder) = server(Limits { age: Duration::from_millis(200), ..Limits::default() }).await;
    let mut wire = Wire::to(&server, folder.path(), None).await;
    let (answer, mut rest) = wire.post("/token", "grant_type=", false).await;
    time::timeout(Duration::from_secs(10), async {
        while wire.requests.clone().ready().await.is_ok() {
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it takes more");
    rest.send_data(Bytes::from_static(b"password&client_id=gatepass-cli"), true).unwrap();
    let (status, said) = Wire::answer(answer).await;
    assert_eq!((status, &said["error"]), (400, &json!("unsupported_grant_type")));
    wire.ends().await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn bodies_that_one_network_sends_have_their_bound_together() {
    let (server, folder) = server(Limits { bodies_of_one: 100_000, ..Limits::default() }).await;
    let (mut one, mut other) =
        (Wire::to(&server, folder.path(), None).await, Wire::to(&server, folder.path(), None).await);
    let half = "x".repeat(60_000);
    let ((first, mut held), (second, mut kept)) =
        (one.post("/token", &half, false).await, other.post("/token", &half, false).await);
    // Whichever comes second.
    let (status, said) = tokio::select! {
        said = Wire::answer(first) => said,
        said = Wire::answer(second) => said,
    };
    assert_eq!((status, &said["error"]), (503, &json!("temporarily_unavailable")));
    held.send_reset(Reason::CANCEL);
    kept.send_reset(Reason::CANCEL);
    for _ in 0..100 {
        if other.ask("/token", &half).await.0 != 503 {
            return;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the room was not given back");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_connection_outlives_its_certificate_by_a_minute_at_most() {
    let authority = Authority::new();
    let (server, folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    let mut brief = params("build");
    brief.not_after = rcgen::date_time_ymd(2026, 9, 22);
    let client = registered_by_subject(&server, "dn:CN=build").await;
    let mut wire = Wire::to(&server, folder.path(), Some(&authority.sign(&brief))).await;
    let ask = format!("grant_type=client_credentials&client_id={}", client.id);
    assert_eq!(wire.ask("/token", &ask).await.0, 200);
    server.advance(Duration::from_secs(24 * 60 * 60));
    let (status, said) = wire.ask("/token", &ask).await;
    assert_eq!((status, &said["error"]), (401, &json!("invalid_client")));
}
