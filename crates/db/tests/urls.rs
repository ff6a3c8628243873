//! Which database URLs are understood, and how they are printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

use std::{io::Read, net::TcpListener, path::Path, sync::mpsc, thread, time::Duration};

use gatepass_db::{DatabaseUrl, Db, Options};

#[test]
fn a_sqlite_url_is_a_path() {
    for (text, path) in [("sqlite:///var/lib/g.db", "/var/lib/g.db"), ("sqlite://data/g.db", "data/g.db")] {
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(url.sqlite_path(), Some(Path::new(path)));
        assert_eq!(url.to_string(), text);
    }
}

#[test]
fn a_postgres_url_is_printed_without_its_password() {
    for (text, printed) in [
        ("postgres://ann:hunter2@db.example:5433/gate?sslmode=verify-full", "postgres://ann@db.example:5433/gate"),
        ("postgresql://ann:hunter2@a,b/gate?connect_timeout=3", "postgres://ann@a:5432,b:5432/gate"),
        ("postgres://ann@db/gate?password=hunter2", "postgres://ann@db:5432/gate"),
    ] {
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), printed);
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    for (text, reason) in [
        ("gate.db", "no scheme"),
        ("mysql://db/gate", "neither sqlite nor postgres"),
        ("sqlite://", "no file name"),
        ("sqlite:///folder/", "no file name"),
        ("sqlite://:memory:", "in memory"),
        ("sqlite:///g.db?mode=ro", "no options"),
        ("postgres:///gate", "no host"),
        ("postgres://db", "no database name"),
        ("postgres://ann:hunter2@db:port/gate", "its parts"),
        ("postgres://ann:hunter2@db/gate?sslmode=sometimes", "sslmode"),
        ("postgres://ann:hunter2@db/gate?sslrootcert=/ca.pem&sslmode=prefer", "sslrootcert asks for TLS"),
        ("postgres://ann:hunter2@db/gate?sslmode=disable&sslrootcert=system", "sslrootcert asks for TLS"),
        ("postgres://ann:hunter2@db/gate?sslrootcert=", "no file"),
    ] {
        let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// What a connection begins with, after its length: the wish for TLS, or the protocol's version and then the user.
const TLS_WISH: u32 = 80_877_103;
const VERSION_3: u32 = 196_608;

/// The first word that a server at `port` hears when the URL is used.
async fn first_word(url: &str) -> Option<u32> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url.replace("PORT", &listener.local_addr().unwrap().port().to_string());
    let (sender, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut head = [0; 8];
        let (mut stream, _) = listener.accept().unwrap();
        let word = stream.read_exact(&mut head).ok().map(|()| u32::from_be_bytes(head[4..].try_into().unwrap()));
        let _ = sender.send(word);
    });
    if let Ok(db) = Db::open(&url.parse().unwrap(), &Options::default()).await {
        assert!(db.check().await.is_err(), "nobody answers there");
    }
    heard.recv_timeout(Duration::from_secs(5)).unwrap()
}

/// `0.0.0.0` comes out on this machine, and is not its loopback address.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn without_sslmode_only_a_server_on_this_machine_is_spoken_to_in_the_clear() {
    for (url, word) in [
        ("postgres://u:p@localhost:PORT/n", VERSION_3),
        ("postgres://u:p@/n?hostaddr=127.0.0.1&port=PORT", VERSION_3),
        ("postgres://u:p@localhost:PORT/n?hostaddr=127.0.0.1", VERSION_3),
        ("postgres://u:p@0.0.0.0:PORT/n", TLS_WISH),
        ("postgres://u:p@/n?hostaddr=0.0.0.0&port=PORT", TLS_WISH),
        ("postgres://u:p@localhost:PORT/n?hostaddr=0.0.0.0", TLS_WISH),
        ("postgres://u:p@%2Ftmp:PORT/n?hostaddr=0.0.0.0", TLS_WISH),
        ("postgres://u:p@/n?hostaddr=0.0.0.0&port=PORT&sslmode=disable", VERSION_3),
    ] {
        assert_eq!(first_word(url).await, Some(word), "{url}");
    }
}
