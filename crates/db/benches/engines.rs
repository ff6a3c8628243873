//! What a look-up and a grouped write cost, on each engine.
//!
//! `cargo bench -p gatepass-db` measures SQLite, and PostgreSQL when `GATEPASS_TEST_POSTGRES` names one. Pin it to one
//! core (`taskset -c 0`) to compare with a server on one core. Seconds per cell: `GATEPASS_BENCH_SECONDS`.

#![allow(missing_docs, unused_crate_dependencies, reason = "a program of its own")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::as_conversions,
    reason = "it prints figures"
)]
#![allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use gatepass_db::{DatabaseUrl, Db, Migration, Options, Outcome, Stmt, params};

const TASKS: [usize; 3] = [1, 8, 32];

const SCHEMA: &[Migration] = &[Migration {
    number: 1,
    name: "tokens",
    sql: "create table token (id blob not null primary key, hash blob not null, family blob not null, client text not null,
          scope text not null, issued_at bigint not null, expires_at bigint not null, used_at bigint) without rowid",
    postgres: None,
}];
const FIND: &str = "select id, hash, client, scope, used_at from token where id = $1";
const INSERT: &str = "insert into token (id, hash, family, client, scope, issued_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7)";
const USE: &str = "update token set used_at = $2 where id = $1 and used_at is null";
type Token = ([u8; 16], [u8; 32], String, String, Option<i64>);

/// Ids in the order of time, as UUIDv7 are.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next_id() -> [u8; 16] {
    let number = NEXT.fetch_add(1, Relaxed);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id
}

fn insert(id: [u8; 16]) -> Stmt {
    let hash = [id, id].concat();
    Stmt::new(INSERT, params![id, hash, id, "client-0123456789", "openid offline_access api:read", 1, 2]).touching(1)
}

/// One look-up by key.
async fn look_up(db: Db, id: [u8; 16]) -> [u8; 16] {
    db.query_opt::<Token>(FIND, params![id]).await.unwrap().unwrap();
    id
}

/// The same by the verb for lists.
async fn list(db: Db, id: [u8; 16]) -> [u8; 16] {
    assert_eq!(db.query::<Token>(FIND, params![id]).await.unwrap().len(), 1);
    id
}

/// One row written.
async fn write(db: Db, _: [u8; 16]) -> [u8; 16] {
    let id = next_id();
    assert_eq!(db.batch(vec![insert(id)]).await.unwrap(), Outcome::Done);
    id
}

/// What a refresh does: find the token, mark it used, store its successor.
async fn rotate(db: Db, id: [u8; 16]) -> [u8; 16] {
    db.query_opt::<Token>(FIND, params![id]).await.unwrap().unwrap();
    let successor = next_id();
    let batch = vec![Stmt::new(USE, params![id, 5]).touching(1), insert(successor)];
    assert_eq!(db.batch(batch).await.unwrap(), Outcome::Done);
    successor
}

async fn cell<F>(db: &Db, label: &str, tasks: usize, work: fn(Db, [u8; 16]) -> F)
where
    F: Future<Output = [u8; 16]> + Send + 'static,
{
    let seconds = std::env::var("GATEPASS_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let before = db.stats();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let (db, times) = (db.clone(), Arc::clone(&times));
        running.spawn(async move {
            let mut id = write(db.clone(), [0; 16]).await;
            let mut own = Vec::new();
            while Instant::now() < end {
                let start = Instant::now();
                id = work(db.clone(), id).await;
                own.push(start.elapsed());
                tokio::task::yield_now().await;
            }
            times.lock().unwrap().extend(own);
        });
    }
    running.join_all().await;
    let mut times = std::mem::take(&mut *times.lock().unwrap());
    times.sort_unstable();
    let at = |part: f64| times[((times.len() as f64 * part) as usize).min(times.len() - 1)].as_secs_f64() * 1e3;
    let (rate, after) = (times.len() as f64 / seconds, db.stats());
    let group = (after.jobs - before.jobs) as f64 / (after.groups - before.groups).max(1) as f64;
    println!(
        "{label:22} {tasks:3} tasks {rate:9.0}/s  p50 {:7.3} ms  p99 {:7.3} ms  {group:5.1} per group",
        at(0.5),
        at(0.99)
    );
}

async fn engine(db: Db) {
    db.migrate(SCHEMA).await.unwrap();
    let name = format!("{:?}", db.engine()).to_lowercase();
    for tasks in TASKS {
        cell(&db, &format!("{name} look-up"), tasks, look_up).await;
        cell(&db, &format!("{name} list"), tasks, list).await;
        cell(&db, &format!("{name} write"), tasks, write).await;
        cell(&db, &format!("{name} rotate"), tasks, rotate).await;
    }
}

fn main() {
    // `cargo test --benches` passes no `--bench` and only wants to know that it compiles.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("bench.db"));
        engine(Db::open(&url, &Options::default()).await.unwrap()).await;
        if let Ok(server) = std::env::var("GATEPASS_TEST_POSTGRES") {
            let admin = Db::open(&server.parse().unwrap(), &Options::default()).await.unwrap();
            admin.execute("drop database if exists gatepass_bench", vec![]).await.unwrap();
            admin.execute("create database gatepass_bench", vec![]).await.unwrap();
            let (server, _) = server.rsplit_once('/').unwrap();
            let url = format!("{server}/gatepass_bench").parse().unwrap();
            engine(Db::open(&url, &Options::default()).await.unwrap()).await;
        }
    });
}
