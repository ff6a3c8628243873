//! An answer that was sent survives the end of the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use gatepass_db::{DatabaseUrl, Db, Options, params};
use support::{INSERT, Place, id};
use tokio::task::JoinSet;

/// Names the database of the child process.
const CHILD: &str = "GATEPASS_DB_TEST_CHILD";

/// The test runs itself again, as the process that is killed.
#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(DatabaseUrl::sqlite(path)).await;
    }
    for round in 0..3 {
        let place = Place::sqlite();
        place.with_tables().await.close().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_answered_survives_kill_9", "--nocapture"])
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answered = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(name) = line.unwrap().strip_prefix("stored ") {
                answered.push(name.to_owned());
            }
            if answered.len() == 100 + round * 37 {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(answered.len() >= 100);
        let db = place.open().await;
        for name in answered {
            let found = db.query_opt::<()>("select 1 from item where name = $1", params![name.as_str()]).await.unwrap();
            assert_eq!(found, Some(()), "{name} was answered and is lost");
        }
    }
}

/// Writes, saying which writes were answered.
#[expect(clippy::print_stdout, reason = "the test that started it reads along")]
async fn write_until_killed(url: DatabaseUrl) {
    let db = Db::open(&url, &Options::default()).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..8_u8 {
        let db = db.clone();
        writers.spawn(async move {
            for number in 0..1_000_000_i64 {
                let name = format!("{writer}-{number}");
                let mut key = id(writer);
                key[..8].copy_from_slice(&number.to_be_bytes());
                db.execute(INSERT, params![key, name.as_str(), number]).await.unwrap();
                println!("stored {name}");
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn a_database_dropped_without_closing_opens_again() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
    drop(db);
    let db = place.open().await;
    assert_eq!(db.query::<i64>("select size from item", vec![]).await.unwrap(), [1]);
}
