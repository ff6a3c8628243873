//! What a batch promises, the same on both engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use gatepass_db::{Db, Error, Options, Outcome, Stmt, params};
use support::{INSERT, NAMES, Place, USE, id, on_both_engines};
use tokio::task::JoinSet;

fn insert(number: u8, name: &str) -> Stmt {
    Stmt::new(INSERT, params![id(number), name, i64::from(number)]).touching(1)
}

/// A note on an item that the same batch inserts.
fn note(number: u8) -> Stmt {
    Stmt::new("insert into note values ($1, $2, $3)", params![i64::from(number), id(number), "a note"])
}

async fn names(db: &Db) -> Vec<String> {
    db.query(NAMES, vec![]).await.unwrap()
}

on_both_engines! {
    async fn all_statements_are_stored(place: &Place) {
        let db = place.with_tables().await;
        let note = Stmt::new("insert into note values ($1, $2, $3)", params![1, id(1), "first"]);
        assert_eq!(db.batch(vec![insert(1, "one"), note, insert(2, "two")]).await.unwrap(), Outcome::Done);
        assert_eq!(names(&db).await, ["one", "two"]);
        assert_eq!(db.batch(vec![]).await.unwrap(), Outcome::Done);
    }

    async fn a_row_count_that_does_not_fit_undoes_all(place: &Place) {
        let db = place.with_tables().await;
        let nobody = Stmt::new(USE, params![id(9), 5]).touching(1);
        let outcome = db.batch(vec![insert(1, "one"), nobody, insert(2, "two")]).await.unwrap();
        assert_eq!(outcome, Outcome::Stale);
        assert_eq!(names(&db).await, Vec::<String>::new());
        assert_eq!(db.batch(vec![insert(1, "one")]).await.unwrap(), Outcome::Done);
    }

    async fn an_error_undoes_all(place: &Place) {
        let db = place.with_tables().await;
        let taken = db.batch(vec![insert(1, "one"), insert(2, "one")]).await;
        assert!(matches!(taken, Err(Error::Unique { .. })), "{taken:?}");
        let broken = db.batch(vec![insert(1, "one"), Stmt::new("insert into nowhere values (1)", vec![])]).await;
        assert!(matches!(broken, Err(Error::Statement { .. })), "{broken:?}");
        assert_eq!(names(&db).await, Vec::<String>::new());
    }

    async fn a_long_batch_is_one_transaction(place: &Place) {
        let db = place.with_tables().await;
        let mut statements: Vec<Stmt> = (1..=100).map(|number| insert(number, &format!("{number:03}"))).collect();
        statements.push(insert(1, "again"));
        assert!(db.batch(statements.clone()).await.is_err());
        assert_eq!(names(&db).await.len(), 0);
        statements.pop();
        statements.push(Stmt::new(USE, params![id(1), 1]).touching(2));
        assert_eq!(db.batch(statements.clone()).await.unwrap(), Outcome::Stale);
        statements.pop();
        assert_eq!(db.batch(statements).await.unwrap(), Outcome::Done);
        assert_eq!(names(&db).await.len(), 100);
    }

    async fn of_a_hundred_redeemers_one_wins(place: &Place) {
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
        let mut redeemers = JoinSet::new();
        for number in 0..100_u8 {
            let db = db.clone();
            redeemers.spawn(async move {
                let redeem = Stmt::new(USE, params![id(1), i64::from(number)]).touching(1);
                db.batch(vec![redeem, insert(100 + number, &format!("won by {number}"))]).await.unwrap()
            });
        }
        let outcomes = redeemers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 1);
        assert_eq!(names(&db).await.len(), 2);
    }

    async fn two_hundred_writers_at_once_are_all_stored(place: &Place) {
        let db = place.with_tables().await;
        let mut writers = JoinSet::new();
        for number in 0..200_u8 {
            let db = db.clone();
            writers.spawn(async move {
                db.batch(vec![insert(number, &format!("{number}")), note(number).touching(1)]).await
            });
        }
        for outcome in writers.join_all().await {
            assert_eq!(outcome.unwrap(), Outcome::Done);
        }
        assert_eq!(names(&db).await.len(), 200);
        assert_eq!(db.stats().queue_depth, 0);
        assert!(db.stats().jobs >= 200);
    }

    /// The writers lock the same two rows in opposite order, which PostgreSQL ends by failing one of them.
    async fn colliding_batches_are_tried_again(place: &Place) {
        let db = place.with_tables().await;
        let _ = db.batch(vec![insert(1, "one"), insert(2, "two")]).await.unwrap();
        const GROW: &str = "update item set size = size + 1 where id = $1";
        let mut writers = JoinSet::new();
        for number in 0..4 {
            let db = db.clone();
            let (first, second) = if number % 2 == 0 { (1, 2) } else { (2, 1) };
            writers.spawn(async move {
                let grow = |number| Stmt::new(GROW, params![id(number)]).touching(1);
                db.batch(vec![grow(first), grow(second)]).await
            });
        }
        for outcome in writers.join_all().await {
            assert_eq!(outcome.unwrap(), Outcome::Done);
        }
        let sizes: Vec<i64> = db.query("select size from item order by size", vec![]).await.unwrap();
        assert_eq!(sizes, [5, 6]);
    }

    async fn who_stops_waiting_leaves_nothing_half_done(place: &Place) {
        let db = place.open_with(&Options { pool: 2, ..Options::default() }).await;
        db.migrate(support::SCHEMA).await.unwrap();
        for number in 0..100_u8 {
            let statements = vec![insert(number, &format!("{number}")), note(number)];
            let patience = std::time::Duration::from_micros(u64::from(number) * 20);
            let _ = tokio::time::timeout(patience, db.batch(statements)).await;
        }
        db.check().await.unwrap();
        assert_eq!(db.batch(vec![insert(200, "last")]).await.unwrap(), Outcome::Done);
        const HALF: &str = "select name from item where name <> $1 and not exists (select 1 from note where note.item = item.id)";
        assert_eq!(db.query::<String>(HALF, params!["last"]).await.unwrap(), Vec::<String>::new());
    }
}
