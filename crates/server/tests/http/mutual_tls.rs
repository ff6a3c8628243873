//! Mutual TLS (RFC 8705): the server's own TLS, the certificate in a proxy's header, client authentication by
//! certificate, and tokens that are bound to one.

use crate::{
    grants::{API, register, resource},
    site::{Reply, Site},
};
use gatepass_oauth::{ClientAuthMethod, TokenFormat};
use gatepass_server::config::{Tls, TlsFiles};
use gatepass_testkit::{
    Answer, Engine, Options, RegisteredClient, TestServer,
    authority::{EventKind, certificate::public_key},
    keys::{ClientCertificate, JwkSet, jws},
    tokio,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{Client, Identity, RequestBuilder};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A certificate with its key.
pub(crate) struct Shown {
    pem: String,
    pub(crate) der: Vec<u8>,
    pub(crate) key: KeyPair,
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn self_signed(name: &str) -> Shown {
    let key = KeyPair::generate().unwrap();
    let made = params(name).self_signed(&key).unwrap();
    Shown { pem: made.pem(), der: made.der().to_vec(), key }
}

/// A certificate authority.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// One that this one has signed, and its certificate.
    fn intermediate(&self) -> (Self, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "between");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.signed_by(&key, &self.issuer).unwrap();
        (Self { pem: made.pem(), issuer: Issuer::new(params, key) }, made.der().to_vec())
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Shown { pem: made.pem(), der: made.der().to_vec(), key }
    }
}

fn write_server_certificate(folder: &Path, name: &str) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

/// A server that speaks TLS and trusts this authority.
pub(crate) async fn with_tls(engine: Engine, authority: &Authority, options: Options) -> (TestServer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write_server_certificate(folder.path(), "127.0.0.1");
    fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let tls = Tls {
        files: Some(TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") }),
        client_ca: Some(folder.path().join("ca.pem")),
        client_certificate_header: None,
    };
    (TestServer::with(engine, Options { tls, ..options }).await, folder)
}

/// A server behind a proxy that tells certificates in this header.
pub(crate) async fn behind_proxy(header: &str, trusted: &str, authority: &Authority) -> (TestServer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let tls = Tls {
        files: None,
        client_ca: Some(folder.path().join("ca.pem")),
        client_certificate_header: Some(header.parse().unwrap()),
    };
    let options = Options { tls, trusted_proxies: vec![trusted.to_owned()], ..Options::default() };
    (TestServer::with(Engine::Sqlite, options).await, folder)
}

pub(crate) fn http(shown: Option<&Shown>) -> Client {
    let builder = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
    let identity = |shown: &Shown| Identity::from_pem(format!("{}{}", shown.key.serialize_pem(), shown.pem).as_bytes());
    match shown {
        Some(shown) => builder.identity(identity(shown).unwrap()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

pub(crate) async fn registered_by_subject(server: &TestServer, subject: &str) -> RegisteredClient {
    server
        .client_with(|new| {
            new.auth_method = ClientAuthMethod::TlsClientAuth;
            let (kind, name) = subject.split_once(':').unwrap();
            let metadata = &mut new.metadata;
            match kind {
                "dn" => metadata.tls_client_auth_subject_dn = Some(name.into()),
                "dns" => metadata.tls_client_auth_san_dns = Some(name.into()),
                "uri" => metadata.tls_client_auth_san_uri = Some(name.into()),
                "ip" => metadata.tls_client_auth_san_ip = Some(name.into()),
                "email" => metadata.tls_client_auth_san_email = Some(name.into()),
                _ => panic!("{kind}"),
            }
        })
        .await
}

async fn registered_by_key(server: &TestServer, shown: &Shown) -> RegisteredClient {
    let key = public_key(&ClientCertificate::from_der(&shown.der)).unwrap();
    server
        .client_with(|new| {
            new.auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
            new.jwks = Some(JwkSet { keys: vec![key] });
        })
        .await
}

fn token_request(server: &TestServer, http: &Client, client: &RegisteredClient) -> RequestBuilder {
    http.post(server.path("/token")).form(&[GRANT, ("client_id", client.id.as_str()), ("scope", "account")])
}

fn whoami(server: &TestServer, http: &Client, token: &str) -> RequestBuilder {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    http.post(server.path("/api/v1/user/rpc")).bearer_auth(token).json(&body)
}

async fn both_methods_work_and_bind_their_tokens(engine: Engine) {
    let authority = Authority::new();
    let (server, _folder) = with_tls(engine, &authority, Options::default()).await;
    let (ours, renewed, other) =
        (authority.sign(&params("build")), authority.sign(&params("build")), authority.sign(&params("other")));
    let (lone, copy) = (self_signed("lone"), self_signed("build"));
    let by_dn = registered_by_subject(&server, "dn:CN=build").await;
    let by_dns = registered_by_subject(&server, "dns:build.example").await;
    let by_key = registered_by_key(&server, &lone).await;
    for (client, good, bad) in [
        (&by_dn, vec![&ours, &renewed], vec![&other, &copy]),
        (&by_dns, vec![&ours, &renewed], vec![&other, &copy]),
        (&by_key, vec![&lone], vec![&ours, &copy]),
    ] {
        for shown in &good {
            let tokens = Answer::of(token_request(&server, &http(Some(shown)), client)).await;
            assert_eq!(
                (tokens.status.as_u16(), &tokens.json["token_type"]),
                (200, &json!("Bearer")),
                "{}",
                tokens.json
            );
            let token = tokens.text("access_token");
            assert_eq!(Answer::of(whoami(&server, &http(Some(shown)), &token)).await.status, 200);
            for thief in [None, Some(&other), Some(&copy)] {
                let refused = Answer::of(whoami(&server, &http(thief), &token)).await;
                assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_token"));
            }
        }
        for shown in bad {
            let refused = Answer::of(token_request(&server, &http(Some(shown)), client)).await;
            assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_client"));
        }
        assert_eq!(Answer::of(token_request(&server, &http(None), client)).await.error(), "invalid_client");
    }
    let two = http(Some(&ours)).post(server.path("/token")).form(&[GRANT]).basic_auth(&by_dn.id, Some("secret"));
    assert_eq!(Answer::of(two).await.error(), "invalid_request", "one method per request");
    let document = Answer::of(http(None).get(server.path("/.well-known/oauth-authorization-server"))).await.json;
    assert!(document["issuer"].as_str().unwrap().starts_with("https://"));
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
    let methods = document["token_endpoint_auth_methods_supported"].to_string();
    assert!(methods.contains("\"tls_client_auth\"") && methods.contains("self_signed_tls_client_auth"), "{methods}");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn both_methods_work_and_bind_their_tokens_on_sqlite() {
    both_methods_work_and_bind_their_tokens(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn both_methods_work_and_bind_their_tokens_on_postgres() {
    both_methods_work_and_bind_their_tokens(Engine::Postgres).await;
}

/// RFC 8705 §3.1, §3.2.
async fn the_certificate_of_a_token_is_told_to_its_resource(engine: Engine) {
    let (server, _folder) = with_tls(engine, &Authority::new(), Options::default()).await;
    let asker = register(&server, resource(API, TokenFormat::Jwt)).await;
    let shown = self_signed("lone");
    let client = registered_by_key(&server, &shown).await;
    let form = [GRANT, ("client_id", client.id.as_str()), ("resource", API)];
    let tokens = Answer::of(http(Some(&shown)).post(server.path("/token")).form(&form)).await;
    let token = tokens.text("access_token");
    let confirmation = ClientCertificate::from_der(&shown.der).confirmation().to_string();
    let cnf = json!({ "x5t#S256": confirmation.strip_prefix("x5t#S256:").unwrap() });
    let claims: Value = jws::verify(&token, &server.authority().jwks()).unwrap();
    assert_eq!(claims["cnf"], cnf);
    let request = http(None).post(server.path("/introspect")).form(&[("token", &token)]);
    let said = Answer::of(request.basic_auth(&asker.id, Some(&asker.secret))).await.json;
    assert_eq!((&said["cnf"], said["token_type"].as_str()), (&cnf, Some("Bearer")));
}

async fn a_program_with_its_own_certificate_can_put_back_what_it_got(engine: Engine) {
    let (server, _folder) = with_tls(engine, &Authority::new(), Options::default()).await;
    let jwks = serde_json::json!({ "keys": [crate::grants::key().public()] });
    let metadata = serde_json::json!({
        "redirect_uris": [gatepass_testkit::REDIRECT_URI], "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": jwks,
    });
    let registered = Answer::of(http(None).post(server.path("/register")).json(&metadata)).await;
    assert_eq!(registered.status, 201, "{}", registered.json);
    assert_eq!(registered.json["jwks"], jwks);
    let own = server.path(&format!("/register/{}", registered.text("client_id")));
    let token = registered.text("registration_access_token");
    let mut read = Answer::of(http(None).get(&own).bearer_auth(&token)).await.json;
    for ours in ["registration_access_token", "registration_client_uri", "client_id_issued_at"] {
        read.as_object_mut().unwrap().remove(ours);
    }
    let put = Answer::of(http(None).put(&own).bearer_auth(&token).json(&read)).await;
    assert_eq!((put.status.as_u16(), &put.json["jwks"]), (200, &jwks), "{}", put.json);
}

async fn a_client_with_a_secret_can_have_its_tokens_bound_to_a_certificate(engine: Engine) {
    let (server, _folder) = with_tls(engine, &Authority::new(), Options::default()).await;
    let client = server.client_with(|new| new.metadata.tls_client_certificate_bound_access_tokens = true).await;
    let plain = server.client().await;
    let shown = self_signed("any");
    let ask = |client: &RegisteredClient, shown: Option<&Shown>| {
        let request = http(shown).post(server.path("/token")).form(&[GRANT, ("scope", "account")]);
        Answer::of(request.basic_auth(&client.id, Some(&client.secret)))
    };
    assert_eq!(ask(&client, None).await.error(), "invalid_request");
    let token = ask(&client, Some(&shown)).await.text("access_token");
    assert_eq!(Answer::of(whoami(&server, &http(Some(&shown)), &token)).await.status, 200);
    assert_eq!(Answer::of(whoami(&server, &http(None), &token)).await.status, 401);
    let free = ask(&plain, Some(&shown)).await.text("access_token");
    assert_eq!(Answer::of(whoami(&server, &http(None), &free)).await.status, 200, "who did not ask is not bound");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_certificate_that_is_over_or_for_servers_is_vouched_for_by_nobody() {
    let authority = Authority::new();
    let (server, _folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    let client = registered_by_subject(&server, "dn:CN=build").await;
    let mut over = params("build");
    over.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut for_servers = params("build");
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for bad in [over, for_servers] {
        let refused = Answer::of(token_request(&server, &http(Some(&authority.sign(&bad))), &client)).await;
        assert_eq!(refused.error(), "invalid_client");
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_header_tells_the_certificate_from_a_trusted_proxy_only() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let authority = Authority::new();
    let shown = authority.sign(&params("build"));
    let escaped = utf8_percent_encode(&shown.pem, NON_ALPHANUMERIC).to_string();
    let bytes = format!(":{}:", STANDARD.encode(&shown.der));
    for value in [&escaped, &bytes] {
        let (server, _folder) = behind_proxy("x-client-cert", "127.0.0.0/8", &authority).await;
        let client = registered_by_subject(&server, "dns:build.example").await;
        let plain = server.http();
        let good = Answer::of(token_request(&server, &plain, &client).header("x-client-cert", value)).await;
        let token = good.text("access_token");
        assert_eq!(Answer::of(whoami(&server, &plain, &token).header("x-client-cert", value)).await.status, 200);
        assert_eq!(Answer::of(whoami(&server, &plain, &token)).await.status, 401);
        let twice =
            token_request(&server, &plain, &client).header("x-client-cert", value).header("x-client-cert", value);
        assert_eq!(Answer::of(twice).await.error(), "invalid_client");
        for (name, value) in [("x-client-cert", "nonsense"), ("client-cert", value.as_str())] {
            let refused = Answer::of(token_request(&server, &plain, &client).header(name, value)).await;
            assert_eq!(refused.error(), "invalid_client", "{name}");
        }
        let (stranger, _folder) = behind_proxy("x-client-cert", "10.0.0.0/8", &authority).await;
        let client = registered_by_subject(&stranger, "dns:build.example").await;
        let refused = Answer::of(token_request(&stranger, &plain, &client).header("x-client-cert", value)).await;
        assert_eq!(refused.error(), "invalid_client", "from anybody else it counts for nothing");
    }
}

/// RFC 9440 §2.3: those that lead to the authority are told besides.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_proxy_tells_the_certificates_between_a_clients_and_the_authority() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let authority = Authority::new();
    let (between, chain) = authority.intermediate();
    let shown = between.sign(&params("build"));
    let (server, _folder) = behind_proxy("client-cert", "127.0.0.0/8", &authority).await;
    let client = registered_by_subject(&server, "dns:build.example").await;
    let bytes = |der: &[u8]| format!(":{}:", STANDARD.encode(der));
    let ask = |chain: Option<String>| {
        let request = token_request(&server, &server.http(), &client).header("client-cert", bytes(&shown.der));
        Answer::of(match chain {
            Some(chain) => request.header("client-cert-chain", chain),
            None => request,
        })
    };
    assert_eq!(ask(None).await.error(), "invalid_client");
    let stranger = Authority::new().intermediate().1;
    assert_eq!(ask(Some(bytes(&stranger))).await.error(), "invalid_client", "another's");
    assert_eq!(ask(Some(format!("{}, x", bytes(&chain)))).await.error(), "invalid_client", "nonsense");
    assert_eq!(ask(Some(bytes(&chain))).await.status, 200);
}

/// RFC 8705 §2.2.2: the keys may lie at an address, and change there.
async fn the_keys_of_self_signed_certificates_may_lie_at_an_address(engine: Engine) {
    let site = Site::start().await;
    let (server, _folder) = with_tls(engine, &Authority::new(), Options::default()).await;
    let (first, second) = (self_signed("first"), self_signed("second"));
    let publish = |shown: &Shown| {
        let key = public_key(&ClientCertificate::from_der(&shown.der)).unwrap();
        site.answers("/keys", Reply::json(&json!({ "keys": [key] })));
    };
    publish(&first);
    let client = server
        .client_with(|new| {
            new.auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
            new.metadata.jwks_uri = Some(site.id("/keys"));
        })
        .await;
    assert_eq!(Answer::of(token_request(&server, &http(None), &client)).await.error(), "invalid_client");
    assert_eq!(Answer::of(token_request(&server, &http(Some(&first)), &client)).await.status, 200);
    assert_eq!(Answer::of(token_request(&server, &http(Some(&second)), &client)).await.error(), "invalid_client");
    publish(&second);
    server.advance(Duration::from_secs(31));
    assert_eq!(Answer::of(token_request(&server, &http(Some(&second)), &client)).await.status, 200);
    assert_eq!(Answer::of(token_request(&server, &http(Some(&first)), &client)).await.error(), "invalid_client");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn without_certificates_the_methods_are_not_offered() {
    let server = TestServer::start(Engine::Sqlite).await;
    let document = Answer::of(server.http().get(server.path("/.well-known/oauth-authorization-server"))).await.json;
    assert_eq!(document.get("tls_client_certificate_bound_access_tokens"), None);
    assert!(!document["token_endpoint_auth_methods_supported"].to_string().contains("tls_client_auth"));
    let client = registered_by_subject(&server, "dns:build.example").await;
    assert_eq!(Answer::of(token_request(&server, &server.http(), &client)).await.error(), "invalid_client");
}

/// The certificate that the server shows.
async fn served(server: &TestServer) -> Vec<u8> {
    let http = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).tls_info(true).build().unwrap();
    let answer = http.get(server.path("/healthz")).send().await.unwrap();
    answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let (server, folder) = with_tls(Engine::Sqlite, &Authority::new(), Options::default()).await;
    let first = served(&server).await;
    let second = write_server_certificate(folder.path(), "localhost");
    assert_ne!(first, second);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while served(&server).await != second {
        assert!(tokio::time::Instant::now() < deadline, "the new certificate was not taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(served(&server).await, second, "the old one stays");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn plain_http_nonsense_and_silence_at_the_tls_port_are_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (server, _folder) = with_tls(Engine::Sqlite, &Authority::new(), Options::default()).await;
    let address = server.url.strip_prefix("https://").unwrap();
    for bytes in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"\x16\x03\x01\xff\xff nonsense", b""] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let cut = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await;
        let _ = cut.expect("a hang");
    }
    assert_eq!(http(None).get(server.path("/healthz")).send().await.unwrap().status(), 200);
}

/// A certificate is no secret: whoever shows it holds its key (RFC 8705 §2).
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn who_shows_a_certificate_without_its_key_is_not_let_in() {
    use rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs::{default_provider, sign::any_supported_type},
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject},
        sign::{CertifiedKey, SingleCertAndKey},
        version::{TLS12, TLS13},
    };
    use std::{io, sync::Arc};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::new();
    let (server, folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    let (ours, other) = (authority.sign(&params("build")), authority.sign(&params("other")));
    let address = server.url.strip_prefix("https://").unwrap();
    for (holder, is_let_in) in [(&ours, true), (&other, false)] {
        for version in [&TLS12, &TLS13] {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap()).unwrap();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(holder.key.serialize_der()));
            let shown = CertifiedKey::new(vec![ours.der.clone().into()], any_supported_type(&key).unwrap());
            let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
            let answer = async {
                let stream = tokio::net::TcpStream::connect(address).await?;
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
                let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await?;
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                Ok::<_, io::Error>(answer)
            };
            let answer = answer.await.unwrap_or_default();
            assert_eq!(answer.starts_with(b"HTTP/1.1 200"), is_let_in, "{version:?}: {answer:?}");
        }
    }
}

/// Several requests share one connection, and each keeps the certificate of it.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn http_2_is_spoken_over_tls_and_http_1_with_whoever_prefers_it() {
    let authority = Authority::new();
    let (server, _folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    let shown = self_signed("lone");
    let client = registered_by_key(&server, &shown).await;
    let asker = http(Some(&shown));
    let answers = (0..100).map(|_| {
        let request = token_request(&server, &asker, &client);
        tokio::spawn(async move { request.send().await.unwrap() })
    });
    for answer in answers.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    }
    let token = Answer::of(token_request(&server, &asker, &client)).await.text("access_token");
    assert_eq!(Answer::of(whoami(&server, &http(None), &token)).await.error(), "invalid_token");
    let older = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).http1_only().build().unwrap();
    let answer = older.get(server.path("/healthz")).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_11, 200));
}

/// A request that a client takes back comes to its end all the same.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn who_takes_requests_back_on_http_2_stops_nothing_and_nobody() {
    let authority = Authority::new();
    let (server, _folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    let shown = self_signed("lone");
    let client = registered_by_key(&server, &shown).await;
    let asker = http(Some(&shown));
    assert_eq!(asker.get(server.path("/healthz")).send().await.unwrap().version(), reqwest::Version::HTTP_2);
    let made = || server.authority().tally().events().find(|(kind, _)| *kind == EventKind::TokenIssued).unwrap().1;
    for _ in 0..50 {
        let request = token_request(&server, &asker, &client).timeout(Duration::from_millis(1));
        let _ = request.send().await;
    }
    let before = made();
    let answer = Answer::of(token_request(&server, &asker, &client)).await;
    assert_eq!(answer.status, 200);
    // Each of those that came in has both its token and its event, or neither.
    for _ in 0..100 {
        if made() > before && server.authority().tally().tokens.get() == made() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} tokens, {} events", server.authority().tally().tokens.get(), made());
}

on_both!(a_program_with_its_own_certificate_can_put_back_what_it_got);
on_both!(a_client_with_a_secret_can_have_its_tokens_bound_to_a_certificate);
on_both!(the_certificate_of_a_token_is_told_to_its_resource);
on_both!(the_keys_of_self_signed_certificates_may_lie_at_an_address);
