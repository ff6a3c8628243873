//! What the PostgreSQL side promises when connections die or take long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use gatepass_db::{Db, Error, Options, Outcome, Stmt, params};
use support::{INSERT, NAMES, Place, id, run_sql};
use tokio::task::JoinSet;

const KILL_OTHERS: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()";

/// Waits until they are gone.
const UNTIL_ALONE: &str = "do $$ begin
    while exists (select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) loop
        perform pg_sleep(0.01);
        perform pg_stat_clear_snapshot();
    end loop;
end $$";

/// The URL of the test's database, for a connection of the test's own.
fn raw_url(place: &Place) -> String {
    let server = std::env::var("GATEPASS_TEST_POSTGRES").unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    match place {
        Place::Postgres { name, .. } => format!("{server}/{name}"),
        Place::Sqlite(_) => panic!("not PostgreSQL"),
    }
}

#[tokio::test]
async fn a_connection_found_dead_is_replaced_without_an_error() {
    let place = Place::postgres().await;
    let db = place.with_tables().await;
    for round in 0..10_u8 {
        run_sql(&raw_url(&place), KILL_OTHERS).await;
        let insert = Stmt::new(INSERT, params![id(round), format!("{round}"), 0]);
        assert_eq!(db.batch(vec![insert]).await.unwrap(), Outcome::Done);
        run_sql(&raw_url(&place), KILL_OTHERS).await;
        assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap().len(), usize::from(round) + 1);
        run_sql(&raw_url(&place), KILL_OTHERS).await;
        assert!(db.query_opt::<String>(NAMES, vec![]).await.unwrap().is_some());
    }
    place.remove().await;
}

#[tokio::test]
async fn look_ups_share_a_connection() {
    let place = Place::postgres().await;
    let db = place.open_with(&Options { readers: 1, ..Options::default() }).await;
    let backend = "select pg_backend_pid()::bigint";
    let first: Option<i64> = db.query_opt(backend, vec![]).await.unwrap();
    let together = futures_util::future::join_all((0..50).map(|_| db.query_opt::<i64>(backend, vec![]))).await;
    assert!(together.into_iter().all(|found| found.unwrap() == first));
    assert_ne!(db.write::<i64>(backend, vec![]).await.unwrap().first().copied(), first, "what commits does not");
    db.close().await;
    let refused = db.query_opt::<i64>(backend, vec![]).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    place.remove().await;
}

#[tokio::test]
async fn look_ups_that_all_come_at_once_make_few_connections() {
    let place = Place::postgres().await;
    let db = place.open_with(&Options { readers: 1, pool: 4, ..Options::default() }).await;
    for _ in 0..2 {
        let backend = "select pg_backend_pid()::bigint";
        let together = futures_util::future::join_all((0..200).map(|_| db.query_opt::<i64>(backend, vec![]))).await;
        let backends: BTreeSet<_> = together.into_iter().map(Result::unwrap).collect();
        assert!(backends.len() <= 5, "{backends:?}");
        // All die, and nobody here is told.
        run_sql(&raw_url(&place), KILL_OTHERS).await;
        run_sql(&raw_url(&place), UNTIL_ALONE).await;
    }
    place.remove().await;
}

#[tokio::test]
async fn a_look_up_that_takes_long_does_not_hold_up_all_others() {
    let place = Place::postgres().await;
    let db = place.open_with(&Options { readers: 1, ..Options::default() }).await;
    assert_eq!(db.query_opt::<i64>("select 1", vec![]).await.unwrap(), Some(1));
    let start = Instant::now();
    let slow = tokio::spawn({
        let db = db.clone();
        async move { db.query_opt::<i64>("select 1::bigint from pg_sleep(5)", vec![]).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut behind = JoinSet::new();
    for _ in 0..100 {
        let db = db.clone();
        behind.spawn(async move { db.query_opt::<i64>("select 1", vec![]).await });
    }
    db.check().await.unwrap();
    assert!(behind.join_all().await.iter().all(|found| matches!(found, Ok(Some(1)))));
    assert!(start.elapsed() < Duration::from_secs(4), "they waited for it: {:?}", start.elapsed());
    assert_eq!(slow.await.unwrap().unwrap(), Some(1));
    place.remove().await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let place = Place::postgres().await;
    let db = place.open_with(&Options { statement: Duration::from_millis(200), ..Options::default() }).await;
    let start = Instant::now();
    let ended = db.query::<()>("select 1 from pg_sleep(30)", vec![]).await;
    assert!(matches!(ended, Err(Error::Busy { .. })), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    db.check().await.unwrap();
    place.remove().await;
}

#[tokio::test]
async fn an_exhausted_pool_is_waited_for_but_not_for_ever() {
    let place = Place::postgres().await;
    let options = Options { pool: 1, wait: Duration::from_millis(200), ..Options::default() };
    let db = place.open_with(&options).await;
    let slow = tokio::spawn({
        let db = db.clone();
        async move { db.query::<()>("select 1 from pg_sleep(1)", vec![]).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = db.query::<i64>("select 1", vec![]).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    assert_eq!(slow.await.unwrap().unwrap().len(), 1);
    place.remove().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_the_password() {
    let url = "postgres://someone:hunter2@127.0.0.1:1/nothing".parse().unwrap();
    let error = Db::open(&url, &Options::default()).await.err().unwrap();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(!format!("{error} {error:?} {url} {url:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_commit_that_breaks_a_deferred_rule_is_an_error_and_not_uncertain() {
    let place = Place::postgres().await;
    let db = place.with_tables().await;
    run_sql(
        &raw_url(&place),
        "alter table note drop constraint note_item_fkey,
         add foreign key (item) references item (id) deferrable initially deferred",
    )
    .await;
    let orphan = Stmt::new("insert into note values ($1, $2, $3)", params![1, id(9), "?"]).touching(1);
    let refused = db.batch(vec![orphan]).await;
    assert!(matches!(refused, Err(Error::Integrity { .. })), "{refused:?}");
    place.remove().await;
}

#[tokio::test]
async fn a_required_tls_is_never_left_out() {
    let place = Place::postgres().await;
    let url = format!("{}?sslmode=require", raw_url(&place)).parse().unwrap();
    assert!(Db::open(&url, &Options::default()).await.is_err(), "the tests' server speaks no TLS");
    let url = format!("{}?sslmode=prefer", raw_url(&place)).parse().unwrap();
    Db::open(&url, &Options::default()).await.unwrap().check().await.unwrap();
    place.remove().await;
}
