//! Which database URLs are understood, and how they are printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

use std::path::Path;

use gatepass_db::DatabaseUrl;

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
    ] {
        let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
