//! What the migrator promises, the same on both engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use gatepass_db::{Error, Migration, MigrationError, params};
use support::{INSERT, Place, SCHEMA, id, on_both_engines};
use tokio::task::JoinSet;

fn broken(result: Result<(), Error>) -> MigrationError {
    match result {
        Err(Error::Migration(error)) => error,
        other => panic!("{other:?}"),
    }
}

const THIRD: Migration =
    Migration { number: 3, name: "tags", sql: "create table tag (name text not null primary key)", postgres: None };

on_both_engines! {
    async fn missing_steps_run_once_and_in_order(place: &Place) {
        let db = place.open().await;
        db.migrate(&SCHEMA[..1]).await.unwrap();
        db.migrate(SCHEMA).await.unwrap();
        db.migrate(SCHEMA).await.unwrap();
        let numbers: Vec<i64> = db.query("select number from schema_migration order by number", vec![]).await.unwrap();
        assert_eq!(numbers, [1, 2]);
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
    }

    async fn an_edited_step_is_refused(place: &Place) {
        let db = place.with_tables().await;
        let edited = Migration { sql: "create table item (id blob)", ..SCHEMA[0] };
        let error = broken(db.migrate(&[edited, SCHEMA[1]]).await);
        assert!(matches!(error, MigrationError::Drift { number: 1, .. }), "{error}");
    }

    async fn a_newer_database_is_refused(place: &Place) {
        let db = place.with_tables().await;
        let error = broken(db.migrate(&SCHEMA[..1]).await);
        assert!(matches!(error, MigrationError::Newer { database: 2, program: 1 }), "{error}");
    }

    async fn a_gap_in_the_list_is_refused(place: &Place) {
        let db = place.open().await;
        let error = broken(db.migrate(&[SCHEMA[0], THIRD]).await);
        assert!(matches!(error, MigrationError::Gap { expected: 2, found: 3 }), "{error}");
    }

    async fn a_failing_step_leaves_nothing(place: &Place) {
        let db = place.with_tables().await;
        let sql = "create table tag (name text not null primary key); insert into nowhere values (1)";
        let error = broken(db.migrate(&[SCHEMA[0], SCHEMA[1], Migration { sql, ..THIRD }]).await);
        assert!(matches!(error, MigrationError::Failed { number: 3, .. }), "{error}");
        assert!(db.query::<String>("select name from tag", vec![]).await.is_err());
        db.migrate(&[SCHEMA[0], SCHEMA[1], THIRD]).await.unwrap();
    }

    async fn a_step_may_have_a_text_of_its_own_for_postgres(place: &Place) {
        let db = place.open().await;
        let own = Migration {
            number: 1,
            name: "own",
            sql: "create table t (x blob) ; insert into t values (x'01')",
            postgres: Some("create table t (x bytea) ; insert into t values ('\\x01')"),
        };
        db.migrate(&[own]).await.unwrap();
        assert_eq!(db.query::<Vec<u8>>("select x from t", vec![]).await.unwrap(), [[1]]);
    }

    async fn ten_migrators_at_once_run_each_step_once(place: &Place) {
        let mut migrators = JoinSet::new();
        for _ in 0..10 {
            let url = place.url();
            migrators.spawn(async move {
                let db = gatepass_db::Db::open(&url, &gatepass_db::Options::default()).await.unwrap();
                db.migrate(SCHEMA).await
            });
        }
        for result in migrators.join_all().await {
            result.unwrap();
        }
    }
}

#[tokio::test]
async fn a_step_on_sqlite_may_rebuild_a_table_but_not_orphan_rows() {
    let place = Place::sqlite();
    let db = place.with_tables().await;
    db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
    db.execute("insert into note values ($1, $2, $3)", params![1, id(1), "kept"]).await.unwrap();
    let rebuild =
        "create table item2 (id blob not null primary key, name text not null, size bigint not null) without rowid;
        insert into item2 select id, name, size from item; drop table item; alter table item2 rename to item";
    let orphan = Migration { sql: "delete from item", ..THIRD };
    assert!(db.migrate(&[SCHEMA[0], SCHEMA[1], orphan]).await.is_err());
    db.migrate(&[SCHEMA[0], SCHEMA[1], Migration { sql: rebuild, ..THIRD }]).await.unwrap();
    assert_eq!(db.query::<String>("select body from note", vec![]).await.unwrap(), ["kept"]);
}
