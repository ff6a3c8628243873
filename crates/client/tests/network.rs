//! Trust and proxies against a real TLS listener and real proxies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

#[path = "network/place.rs"]
mod place;

use gatepass_client::{
    Call, Failure, Network, Transport, Unreachable, WebUrl, failure::ProxyTrouble, transport::Timeouts, trust::Distrust,
};
use place::{Authority, Door, Proxy, Wants};
use std::{path::Path, time::Duration};

const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(5), whole: Duration::from_secs(10) };

fn network(ca_file: Option<&Path>, proxy: Option<&str>) -> Network {
    Network { ca_file: ca_file.map(Path::to_owned), proxy: proxy.map(|proxy| proxy.parse().unwrap()), no_proxy: None }
}

async fn ask(network: Network, url: &str) -> Result<u16, Failure> {
    let (transport, url) = (Transport::with(TIMEOUTS, network), url.parse().unwrap());
    let reply = transport.send(Call::get(WebUrl::clone(&url))).await?;
    assert_eq!(transport.certificate_of(&url).unwrap().issuer, "CN=Test Authority");
    Ok(reply.status)
}

fn distrust(outcome: Result<u16, Failure>) -> (Distrust, String) {
    let failure = outcome.unwrap_err();
    let text = failure.to_string();
    match failure {
        Failure::Unreachable { why: Unreachable::Untrusted(untrusted), .. } => (untrusted.reason, text),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unknown_authority_is_named_and_one_from_a_file_is_trusted() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let door = Door::open(authority.sign("localhost", (2020, 2100)));
    let (reason, text) = distrust(ask(network(None, None), &door.url("localhost")).await);
    assert_eq!(reason, Distrust::UnknownAuthority);
    assert_eq!(
        text,
        format!(
            "localhost:{} cannot be reached: its certificate (CN=localhost, issued by CN=Test Authority) comes from an \
             unknown authority",
            door.port
        )
    );
    let file = authority.write(folder.path());
    assert_eq!(ask(network(Some(&file), None), &door.url("localhost")).await, Ok(200));
    let (reason, _) =
        distrust(ask(network(Some(&Authority::new().write(folder.path())), None), &door.url("localhost")).await);
    assert_ne!(reason, Distrust::WrongHost, "another authority of the same name does not help");
}

#[tokio::test]
async fn a_certificate_out_of_its_time_or_for_another_host_is_told_so() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let file = authority.write(folder.path());
    for (name, years, reason, part) in [
        ("localhost", (2020, 2021), Distrust::Expired, "expired at 2021-01-01T00:00:00Z"),
        ("localhost", (2099, 2100), Distrust::NotYetValid, "is not valid before 2099-01-01T00:00:00Z"),
        ("auth.example", (2020, 2100), Distrust::WrongHost, "is for another host: auth.example"),
    ] {
        let door = Door::open(authority.sign(name, years));
        let (found, text) = distrust(ask(network(Some(&file), None), &door.url("localhost")).await);
        assert_eq!(found, reason, "{text}");
        assert!(text.contains(part) && text.contains("issued by CN=Test Authority"), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for (bytes, part) in [
        (&b""[..], "it holds no certificate in PEM"),
        (b"hello", "it holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", "no PEM"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let failure = ask(network(Some(&file), None), "https://localhost:1/").await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable { why: Unreachable::Settings(_), .. }), "{failure:?}");
        assert!(failure.to_string().contains("ca.pem") && failure.to_string().contains(part), "{failure}");
    }
    let failure = ask(network(Some(&folder.path().join("none.pem")), None), "https://localhost:1/").await.unwrap_err();
    assert!(failure.to_string().contains("cannot be read"), "{failure}");
    let failure = ask(network(Some(folder.path()), None), "https://localhost:1/").await.unwrap_err();
    assert!(failure.to_string().contains("it is a folder"), "{failure}");
}

#[tokio::test]
async fn requests_to_other_machines_pass_the_proxy_and_those_to_this_one_do_not() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let file = authority.write(folder.path());
    let (far, near) =
        (Door::open(authority.sign("auth.test", (2020, 2100))), Door::open(authority.sign("localhost", (2020, 2100))));
    let proxy = Proxy::open(Wants::Nothing, far.port);
    assert_eq!(ask(network(Some(&file), Some(&proxy.url(""))), "https://auth.test/x").await, Ok(200));
    assert_eq!(proxy.asked(), ["CONNECT auth.test:443"], "and nothing of the request but where to");
    assert_eq!(ask(network(Some(&file), Some(&proxy.url(""))), &near.url("localhost")).await, Ok(200));
    assert_eq!(proxy.asked().len(), 1);
    let without = Network { no_proxy: Some(".test".into()), ..network(Some(&file), Some(&proxy.url(""))) };
    assert!(ask(without, "https://auth.test/x").await.is_err(), "the name is known to the proxy alone");
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn socks_proxies_are_spoken_to() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let door = Door::open(authority.sign("auth.test", (2020, 2100)));
    let proxy = Proxy::open(Wants::Socks, door.port);
    let file = authority.write(folder.path());
    let url = proxy.url("").replace("http", "socks5h");
    assert_eq!(ask(network(Some(&file), Some(&url)), "https://auth.test/x").await, Ok(200));
    assert_eq!(proxy.asked(), ["SOCKS auth.test:443"]);
}

#[tokio::test]
async fn what_a_proxy_does_instead_is_told_without_its_password() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let door = Door::open(authority.sign("auth.test", (2020, 2100)));
    let file = authority.write(folder.path());
    let (guarded, refusing) =
        (Proxy::open(Wants::Password("ada", "hunter2"), door.port), Proxy::open(Wants::Nobody, door.port));
    assert_eq!(ask(network(Some(&file), Some(&guarded.url("ada:hunter2@"))), "https://auth.test/").await, Ok(200));
    let dead = format!("http://ada:hunter2@127.0.0.1:{}", place::dead_port());
    for (proxy, expected) in [
        (guarded.url(""), ProxyTrouble::WantsPassword),
        (guarded.url("ada:hunter3@"), ProxyTrouble::WrongPassword),
        (refusing.url("ada:hunter2@"), ProxyTrouble::Refused),
        (dead, ProxyTrouble::Away),
    ] {
        let failure = ask(network(Some(&file), Some(&proxy)), "https://auth.test/").await.unwrap_err();
        let Failure::Unreachable { why: Unreachable::Proxy { why, .. }, .. } = &failure else { panic!("{failure:?}") };
        assert_eq!(*why, expected);
        assert!(
            failure.to_string().starts_with("auth.test cannot be reached: the proxy http://127.0.0.1:"),
            "{failure}"
        );
        assert!(!format!("{failure} {failure:?}").contains("hunter"), "{failure:?}");
    }
}
