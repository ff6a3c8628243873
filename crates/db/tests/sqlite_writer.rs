//! What SQLite's writer promises beyond the facade.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use std::time::{Duration, Instant};

use gatepass_db::{Db, Error, FromRow, Options, Outcome, Row, Stmt, params};
use support::{INSERT, NAMES, Place, SCHEMA, USE, id};
use tokio::task::JoinSet;

/// Holds the write lock as another process would.
fn lock(place: &Place) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    other
}

async fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never happened");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn insert(number: u8, name: &str) -> Stmt {
    Stmt::new(INSERT, params![id(number), name, 0]).touching(1)
}

#[tokio::test]
async fn jobs_of_one_group_do_not_touch_one_another() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    let other = lock(&place);
    let mut jobs = JoinSet::new();
    for number in 0..50_u8 {
        let db = db.clone();
        jobs.spawn(async move {
            let second = match number % 5 {
                // Fails after its first statement has changed something, in three different ways.
                0 => insert(number, "the same key"),
                1 => Stmt::new("insert into nowhere values (1)", vec![]),
                2 => Stmt::new(USE, params![id(250), 1]).touching(1),
                _ => Stmt::new(USE, params![id(number), 1]).touching(1),
            };
            (number, db.batch(vec![insert(number, &format!("{number:02}")), second]).await)
        });
    }
    until(|| db.stats().queue_depth == 50).await;
    other.execute_batch("rollback").unwrap();
    for (number, outcome) in jobs.join_all().await {
        match number % 5 {
            0 => assert!(matches!(outcome, Err(Error::Unique { .. }))),
            1 => assert!(matches!(outcome, Err(Error::Statement { .. }))),
            2 => assert_eq!(outcome.unwrap(), Outcome::Stale),
            _ => assert_eq!(outcome.unwrap(), Outcome::Done),
        }
    }
    let stored: Vec<String> = db.query(NAMES, vec![]).await.unwrap();
    let expected: Vec<String> = (0..50).filter(|number| number % 5 > 2).map(|number| format!("{number:02}")).collect();
    assert_eq!(stored, expected);
    assert!(db.stats().largest_group >= 25, "{:?}", db.stats());
}

#[tokio::test]
async fn a_panicking_job_is_undone_and_the_writer_lives_on() {
    struct Panics;
    impl FromRow for Panics {
        fn from_row(_: &Row<'_>) -> Result<Self, Error> {
            panic!("as the test wants it")
        }
    }
    let place = Place::sqlite();
    let db = place.with_tables().await;
    let sql = "insert into item (id, name, size) values ($1, $2, $3) returning id";
    assert!(db.write::<Panics>(sql, params![id(1), "one", 1]).await.is_err());
    db.check().await.unwrap();
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_write_whose_rows_cannot_be_read_is_undone() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    let sql = "insert into item (id, name, size) values ($1, $2, $3) returning name";
    assert!(db.write::<i64>(sql, params![id(1), "one", 1]).await.is_err());
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let place = Place::sqlite();
    let db = place.open_with(&Options { queue: 10, ..Options::default() }).await;
    db.migrate(SCHEMA).await.unwrap();
    let other = lock(&place);
    let mut jobs = JoinSet::new();
    for number in 0..30_u8 {
        let db = db.clone();
        jobs.spawn(async move { db.batch(vec![insert(number, &format!("{number}"))]).await });
    }
    let mut busy = 0;
    while busy < 20 {
        assert!(matches!(jobs.join_next().await.unwrap().unwrap(), Err(Error::Busy { .. })));
        busy += 1;
    }
    other.execute_batch("rollback").unwrap();
    for outcome in jobs.join_all().await {
        assert_eq!(outcome.unwrap(), Outcome::Done);
    }
}

#[tokio::test]
async fn another_process_with_the_lock_is_waited_for_but_not_for_ever() {
    let place = Place::sqlite();
    let db = place.open_with(&Options { wait: Duration::from_millis(300), ..Options::default() }).await;
    db.migrate(SCHEMA).await.unwrap();

    let other = lock(&place);
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.batch(vec![insert(1, "patient")]).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.execute_batch("rollback").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::Done);

    other.execute_batch("begin immediate").unwrap();
    let start = Instant::now();
    assert!(matches!(db.batch(vec![insert(2, "refused")]).await, Err(Error::Busy { .. })));
    assert!(start.elapsed() < Duration::from_secs(3));
    // Reading does not wait for a writer.
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap(), ["patient"]);
    other.execute_batch("rollback").unwrap();
    db.check().await.unwrap();
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    let other = lock(&place);
    let mut jobs = JoinSet::new();
    for number in 0..20_u8 {
        let db = db.clone();
        jobs.spawn(async move { db.batch(vec![insert(number, &format!("{number}"))]).await });
    }
    until(|| db.stats().queue_depth == 20).await;
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close().await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    other.execute_batch("rollback").unwrap();
    drop(other);
    closing.await.unwrap();
    for outcome in jobs.join_all().await {
        assert_eq!(outcome.unwrap(), Outcome::Done);
    }
    db.close().await;
    assert!(matches!(db.batch(vec![insert(99, "late")]).await, Err(Error::Unavailable { .. })));
    let log = place.path().with_extension("db-wal");
    assert_eq!(log.metadata().map_or(0, |log| log.len()), 0, "the log was emptied into the file");
}

#[tokio::test]
async fn two_open_databases_on_one_file_see_each_other() {
    let place = Place::sqlite();
    let (one, two) = (place.with_tables().await, place.open().await);
    let mut writers = JoinSet::new();
    for number in 0..100_u8 {
        let db: Db = if number % 2 == 0 { one.clone() } else { two.clone() };
        writers.spawn(async move { db.batch(vec![insert(number, &format!("{number}"))]).await });
    }
    for outcome in writers.join_all().await {
        assert_eq!(outcome.unwrap(), Outcome::Done);
    }
    assert_eq!(one.query::<String>(NAMES, vec![]).await.unwrap().len(), 100);
}

#[tokio::test]
async fn reads_refuse_to_write() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    assert!(db.query::<()>("delete from item", vec![]).await.is_err());
    assert!(db.query_opt::<()>("delete from item", vec![]).await.is_err());
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended() {
    let place = Place::sqlite();
    let db = place.open_with(&Options { statement: Duration::from_millis(100), ..Options::default() }).await;
    let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
    let start = Instant::now();
    let ended = db.query::<i64>(endless, vec![]).await;
    assert!(matches!(ended, Err(Error::Busy { .. })), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(db.query::<i64>("select 1", vec![]).await.unwrap(), [1]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::sqlite();
    let db = place.with_tables().await;
    db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
    for extension in ["db", "db-wal", "db-shm"] {
        let mode = place.path().with_extension(extension).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{extension}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let place = Place::sqlite();
    std::fs::write(place.path(), "certainly not a database, but long enough to be looked at by SQLite".repeat(20))
        .unwrap();
    let error = Db::open(&place.url(), &Options::default()).await.err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    let nowhere = gatepass_db::DatabaseUrl::sqlite("/nowhere/at/all.db");
    let error = Db::open(&nowhere, &Options::default()).await.err().unwrap();
    let why = "the database cannot be used: /nowhere/at/all.db cannot be made (No such file or directory (os error 2)); \
               make the folder /nowhere/at first, or name another file";
    #[cfg(unix)]
    assert_eq!(error.to_string(), why);
}

/// `.cargo/config.toml` says how SQLite is compiled.
#[tokio::test]
async fn sqlite_is_compiled_as_it_is_said() {
    let db = Place::sqlite().open().await;
    let options: Vec<String> = db.query("select compile_options from pragma_compile_options", vec![]).await.unwrap();
    for wanted in ["DQS=0", "DEFAULT_MEMSTATUS=0", "OMIT_LOAD_EXTENSION"] {
        assert!(options.iter().any(|option| option == wanted), "{wanted} is not among {options:?}");
    }
    assert!(!options.iter().any(|option| option.starts_with("ENABLE_FTS")), "{options:?}");
}
