//! What the PostgreSQL side promises to writes that share a transaction.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use std::time::{Duration, Instant};

use gatepass_db::{Db, Error, Options, Outcome, Stmt, params};
use support::{INSERT, NAMES, Place, USE, id, run_sql};
use tokio::task::{JoinHandle, JoinSet};

/// A row as another program holds it, until this is ended.
struct Held(tokio_postgres::Client);

impl Held {
    async fn hold(place: &Place, sql: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(&place.raw_url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("begin; {sql}")).await.unwrap();
        Self(client)
    }

    async fn end(self) {
        self.0.batch_execute("rollback").await.unwrap();
    }
}

const GROW: &str = "update item set size = size + 1 where id = $1";

async fn insert(db: &Db, number: u8, name: &str) {
    db.execute(INSERT, params![id(number), name, 0]).await.unwrap();
}

fn spawn_insert(db: &Db, number: u8, name: String) -> JoinHandle<Result<u64, Error>> {
    let db = db.clone();
    tokio::spawn(async move { db.execute(INSERT, params![id(number), name, 0]).await })
}

/// Keeps the only lane busy for a moment (less than the lane's patience), so that what comes next gathers.
fn occupy(db: &Db) -> JoinHandle<Result<Vec<()>, Error>> {
    let db = db.clone();
    tokio::spawn(async move { db.write::<()>("select 1 from pg_sleep(0.07)", vec![]).await })
}

async fn one_lane(place: &Place) -> Db {
    let db = place.open_with(&Options { lanes: 1, ..Options::default() }).await;
    db.migrate(support::SCHEMA).await.unwrap();
    db
}

#[tokio::test]
async fn writes_that_wait_together_share_a_transaction() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let writers: Vec<_> = (0..100).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    busy.await.unwrap().unwrap();
    let stats = db.stats();
    assert_eq!((stats.jobs, stats.groups, stats.largest_group, stats.queue_depth), (101, 2, 100, 0));
    let transactions: Vec<i64> = db.query("select count(distinct xmin::text) from item", vec![]).await.unwrap();
    assert_eq!(transactions, [1], "a hundred rows of one transaction");
    place.remove().await;
}

#[tokio::test]
async fn each_of_a_group_gets_the_answer_that_it_would_have_got_alone() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    insert(&db, 1, "one").await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;

    let batch = |statements: Vec<Stmt>| {
        let db = db.clone();
        tokio::spawn(async move { db.batch(statements).await })
    };
    let good: Vec<_> = (10..30).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    let stale = batch(vec![Stmt::new(USE, params![id(9), 1]).touching(1), Stmt::new(INSERT, params![id(2), "two", 0])]);
    let taken = spawn_insert(&db, 3, "one".to_owned());
    let broken = batch(vec![Stmt::new("insert into nowhere values (1)", vec![])]);
    let orphan = batch(vec![Stmt::new("insert into note values ($1, $2, $3)", params![1, id(8), ""]).touching(1)]);
    let wrong_type = {
        let db = db.clone();
        tokio::spawn(async move { db.execute(GROW, params!["not an id"]).await })
    };
    let nobody = {
        let db = db.clone();
        tokio::spawn(async move { db.execute(GROW, params![id(7)]).await })
    };
    let returned = {
        let db = db.clone();
        tokio::spawn(async move {
            db.write::<(String, i64)>(
                "update item set size = size + 5 where id = $1 returning name, size",
                params![id(1)],
            )
            .await
        })
    };
    let used = batch(vec![Stmt::new(USE, params![id(1), 1]).touching(1)]);

    for writer in good {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    assert_eq!(stale.await.unwrap().unwrap(), Outcome::Stale);
    let taken = taken.await.unwrap();
    assert!(matches!(&taken, Err(Error::Unique { constraint }) if constraint == "item.name"), "{taken:?}");
    let broken = broken.await.unwrap();
    assert!(matches!(&broken, Err(Error::Statement { sql, .. }) if sql.contains("nowhere")), "{broken:?}");
    let orphan = orphan.await.unwrap();
    assert!(matches!(orphan, Err(Error::Integrity { .. })), "{orphan:?}");
    let wrong_type = wrong_type.await.unwrap();
    assert!(matches!(wrong_type, Err(Error::Statement { .. })), "{wrong_type:?}");
    assert_eq!(nobody.await.unwrap().unwrap(), 0);
    assert_eq!(returned.await.unwrap().unwrap(), [("one".to_owned(), 5)]);
    assert_eq!(used.await.unwrap().unwrap(), Outcome::Done);
    busy.await.unwrap().unwrap();
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap().len(), 21);
    place.remove().await;
}

#[tokio::test]
async fn one_stale_batch_does_not_part_the_others() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let stale = tokio::spawn({
        let db = db.clone();
        async move { db.batch(vec![Stmt::new(USE, params![id(99), 1]).touching(1)]).await }
    });
    let writers: Vec<_> = (0..20).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(stale.await.unwrap().unwrap(), Outcome::Stale);
    busy.await.unwrap().unwrap();
    let stats = db.stats();
    assert_eq!((stats.jobs, stats.groups, stats.largest_group), (22, 3, 20));
    place.remove().await;
}

#[tokio::test]
async fn a_wrong_value_beside_a_commit_is_not_taken_for_stored() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    // It is refused on this side, so the server never hears of it and commits the rest.
    let wrong = tokio::spawn({
        let db = db.clone();
        async move { db.batch(vec![Stmt::new(INSERT, params![7, "wrong", 0]).touching(1)]).await }
    });
    let right = spawn_insert(&db, 1, "right".to_owned());
    assert_eq!(right.await.unwrap().unwrap(), 1);
    let wrong = wrong.await.unwrap();
    assert!(matches!(wrong, Err(Error::Statement { .. })), "{wrong:?}");
    busy.await.unwrap().unwrap();
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap(), ["right"]);
    place.remove().await;
}

#[tokio::test]
async fn a_rule_that_is_checked_at_the_commit_fails_only_whoever_breaks_it() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    run_sql(
        &place.raw_url(),
        "alter table note drop constraint note_item_fkey,
         add foreign key (item) references item (id) deferrable initially deferred",
    )
    .await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let writers: Vec<_> = (0..10).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    let orphan = db.execute("insert into note values ($1, $2, $3)", params![1, id(99), "?"]).await;
    assert!(matches!(orphan, Err(Error::Integrity { .. })), "{orphan:?}");
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    busy.await.unwrap().unwrap();
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap().len(), 10);
    place.remove().await;
}

#[tokio::test]
async fn a_locked_row_holds_up_only_who_wants_it() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    insert(&db, 1, "one").await;
    let held = Held::hold(&place, "select from item for update").await;
    let blocked: Vec<_> = (0..3)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.execute(GROW, params![id(1)]).await })
        })
        .collect();
    let start = Instant::now();
    for round in 0..5_u8 {
        let writers: Vec<_> =
            (0..20).map(|number| spawn_insert(&db, 10 + round * 20 + number, format!("{round} {number}"))).collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(blocked.iter().all(|writer| !writer.is_finished()));
    held.end().await;
    for writer in blocked {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    place.remove().await;
}

#[tokio::test]
async fn who_stops_waiting_in_the_queue_harms_nobody() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    // Who runs at once gives back its lane.
    let gone = occupy(&db);
    tokio::task::yield_now().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let writers: Vec<_> = (0..60).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    tokio::task::yield_now().await;
    for writer in writers.iter().step_by(2) {
        writer.abort();
    }
    for writer in writers.into_iter().skip(1).step_by(2) {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    busy.await.unwrap().unwrap();
    assert_eq!(db.stats().queue_depth, 0);
    assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap().len(), 60, "what is queued is done");
    place.remove().await;
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let writers: Vec<_> = (0..50).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    tokio::task::yield_now().await;
    db.close().await;
    for writer in writers {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    busy.await.unwrap().unwrap();
    assert!(matches!(db.execute(INSERT, params![id(200), "late", 0]).await, Err(Error::Unavailable { .. })));
    assert!(matches!(db.query::<String>(NAMES, vec![]).await, Err(Error::Unavailable { .. })));
    db.close().await;
    assert_eq!(place.open().await.query::<String>(NAMES, vec![]).await.unwrap().len(), 50);
    place.remove().await;
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let place = Place::postgres().await;
    let db = place.open_with(&Options { lanes: 1, queue: 10, ..Options::default() }).await;
    db.migrate(support::SCHEMA).await.unwrap();
    let busy = occupy(&db);
    tokio::task::yield_now().await;
    let writers: Vec<_> = (0..15).map(|number| spawn_insert(&db, number, number.to_string())).collect();
    let mut refused = 0;
    for writer in writers {
        match writer.await.unwrap() {
            Ok(rows) => assert_eq!(rows, 1),
            Err(Error::Busy { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 5);
    busy.await.unwrap().unwrap();
    insert(&db, 100, "afterwards").await;
    place.remove().await;
}

/// Each name is written once. A group whose connection dies is answered `Uncertain` and never sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_connection_dies_is_uncertain_and_not_repeated() {
    let place = Place::postgres().await;
    let db = one_lane(&place).await;
    run_sql(
        &place.raw_url(),
        "create function slowly() returns trigger language plpgsql as
         $$ begin perform pg_sleep(0.002); return new; end $$;
         create trigger slowly before insert on item for each row execute function slowly()",
    )
    .await;
    let end = Instant::now() + Duration::from_secs(2);
    let mut writers = JoinSet::new();
    for writer in 0..24_u8 {
        let db = db.clone();
        writers.spawn(async move {
            let (mut stored, mut uncertain) = (Vec::new(), Vec::new());
            for number in 0_u64.. {
                if Instant::now() > end {
                    break;
                }
                let name = format!("{writer} {number}");
                let mut key = id(writer);
                key[8..].copy_from_slice(&number.to_be_bytes());
                match db.execute(INSERT, params![key, name.as_str(), 0]).await {
                    Ok(rows) => {
                        assert_eq!(rows, 1);
                        stored.push(name);
                    }
                    Err(Error::Uncertain { .. }) => uncertain.push(name),
                    Err(Error::Unavailable { .. }) => {}
                    // A second attempt would meet the first one's row.
                    Err(other) => panic!("{name}: {other}"),
                }
            }
            (stored, uncertain)
        });
    }
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        run_sql(&place.raw_url(), kill).await;
    }
    let (stored, uncertain): (Vec<_>, Vec<_>) = writers.join_all().await.into_iter().unzip();
    let names: std::collections::HashSet<String> =
        db.query::<String>(NAMES, vec![]).await.unwrap().into_iter().collect();
    for name in stored.concat() {
        assert!(names.contains(&name), "{name} was answered and is lost");
    }
    assert!(!uncertain.concat().is_empty(), "no group was hit");
    assert!(db.stats().largest_group > 1);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_want_the_same_rows_in_opposite_orders_both_get_them() {
    const ROWS: u8 = 6;
    const ROUNDS: u8 = 30;
    let place = Place::postgres().await;
    let nodes = [place.with_tables().await, place.open().await];
    for number in 0..ROWS {
        insert(&nodes[0], number, &number.to_string()).await;
    }
    let mut writers = JoinSet::new();
    for (node, db) in nodes.iter().enumerate() {
        for writer in 0..8_u8 {
            let db = db.clone();
            writers.spawn(async move {
                for round in 0..ROUNDS {
                    let first = (writer + round) % ROWS;
                    let second = (first + 1 + round % (ROWS - 1)) % ROWS;
                    let pair = if node == 0 { [first, second] } else { [second, first] };
                    let grow = |number| Stmt::new(GROW, params![id(number)]).touching(1);
                    assert_eq!(db.batch(pair.map(grow).to_vec()).await.unwrap(), Outcome::Done);
                    db.execute(GROW, params![id(first)]).await.unwrap();
                }
            });
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let total: Vec<i64> = nodes[1].query("select sum(size)::bigint from item", vec![]).await.unwrap();
    assert_eq!(total, [i64::from(ROUNDS) * 2 * 8 * 3]);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_redeemers_on_two_nodes_one_wins() {
    let place = Place::postgres().await;
    let nodes = [place.with_tables().await, place.open().await];
    for row in 0..5_u8 {
        insert(&nodes[0], row, &row.to_string()).await;
        let mut redeemers = JoinSet::new();
        for number in 0..100_u8 {
            let db = nodes[usize::from(number % 2)].clone();
            redeemers.spawn(async move {
                let redeem = Stmt::new(USE, params![id(row), i64::from(number)]).touching(1);
                let mut key = id(100 + row);
                key[0] = number;
                let insert = Stmt::new(INSERT, params![key, format!("{row} by {number}"), 0]);
                db.batch(vec![redeem, insert]).await.unwrap()
            });
        }
        let outcomes = redeemers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 1);
    }
    assert_eq!(nodes[0].query::<String>(NAMES, vec![]).await.unwrap().len(), 10);
    place.remove().await;
}
