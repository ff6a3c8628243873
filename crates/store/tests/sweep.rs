//! What is over goes, in bounded steps, whoever sweeps; what lives stays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use gatepass_db::{Stmt, params};
use gatepass_keys::{Entropy, TokenId};
use gatepass_oauth::UtcMillis;
use gatepass_store::{
    Change, Store,
    sweep::{STEP, SWEEPS, Sweep},
};
use gatepass_testkit::{Engine, TestDatabase, tokio};

const NOW: UtcMillis = UtcMillis(1_790_000_000_000);
const BEGINNING: TokenId = TokenId([0; 16]);

async fn store(engine: Engine) -> (TestDatabase, Store) {
    let database = TestDatabase::new(engine).await;
    let store = Store::open(&database.database_url()).await.unwrap();
    (database, store)
}

fn of(table: &str) -> &'static Sweep {
    SWEEPS.iter().find(|sweep| sweep.table == table).unwrap()
}

/// `dead` tokens that ended at `NOW`, and among them `live` ones that end later.
async fn fill(store: &Store, dead: usize, live: usize) {
    const TOKEN: &str = "insert into access_token (id, hash, client_id, scope, resource, issued_at, expires_at)
     values ($1, $2, 'c', '', '', 0, $3)";
    let entropy = Entropy::system();
    let mut statements = Vec::new();
    for number in 0..dead.max(live) {
        let born = UtcMillis(NOW.0 - 100_000 + i64::try_from(number).unwrap());
        for end in [(number < dead).then_some(NOW.0), (number < live).then_some(NOW.0 + 1)].into_iter().flatten() {
            let id = TokenId::new(born, &entropy).unwrap();
            statements.push(Stmt::new(TOKEN, params![id.0, [0; 32], end]));
        }
    }
    for chunk in statements.chunks(100) {
        let _ = store.db().batch(chunk.to_vec()).await.unwrap();
    }
}

async fn count(store: &Store, sql: &'static str) -> i64 {
    store.db().query::<i64>(sql, vec![]).await.unwrap().pop().unwrap()
}

async fn sweep_all(store: Store, sweep: &'static Sweep) -> u64 {
    let (mut after, mut deleted) = (BEGINNING, 0);
    loop {
        let step = store.sweep(sweep, after, NOW).await.unwrap();
        assert!(step.deleted <= STEP, "{step:?}");
        deleted += step.deleted;
        match step.next {
            Some(next) => after = next,
            None => return deleted,
        }
    }
}

async fn steps_are_bounded_and_only_what_is_over_goes(engine: Engine) {
    let (_database, store) = store(engine).await;
    fill(&store, 1300, 700).await;
    assert_eq!(sweep_all(store.clone(), of("access_token")).await, 1300);
    assert_eq!(count(&store, "select count(*) from access_token").await, 700);
    for number in 0..1100 {
        let end = UtcMillis(NOW.0 - i64::from(number % 2));
        let bucket = format!("b{number}");
        let window = if number % 4 == 0 { 10 } else { 0 };
        let _ = store.count_attempt(&bucket, std::time::Duration::from_millis(window), end).await.unwrap();
    }
    assert_eq!(sweep_all(store.clone(), of("throttle")).await, 825);
    assert_eq!(count(&store, "select count(*) from throttle").await, 275);
}

async fn what_clients_know_of_a_session_goes_after_it(engine: Engine) {
    const SESSION: &str =
        "insert into session (id, hash, user_id, authenticated_at, seen_at, expires_at, address, user_agent,
     method, origin_id) values ($1, $1, $2, 0, 0, 0, '', '', 'password', $3)";
    const TOLD: &str = "insert into session_client (session_id, client_id, told_at) values ($1, 'c', $2)";
    let (_database, store) = store(engine).await;
    let person = "insert into user_account (id, email, name, password_hash, created_at) values ($1, 'a', 'A', '', 0)";
    store.db().execute(person, params![[9; 16]]).await.unwrap();
    for (id, origin) in [([1; 16], None), ([2; 16], Some([3; 16]))] {
        store.db().execute(SESSION, params![id, [9; 16], origin]).await.unwrap();
    }
    for (id, at) in [([1; 16], 0), ([3; 16], 0), ([4; 16], 0), ([5; 16], NOW.0 + 1)] {
        store.db().execute(TOLD, params![id, at]).await.unwrap();
    }
    assert_eq!(sweep_all(store.clone(), of("session_client")).await, 1, "its own session or one in its place lives");
    assert_eq!(count(&store, "select count(*) from session_client").await, 3);
}

async fn two_nodes_at_once_sweep_as_one(engine: Engine) {
    let (database, one) = store(engine).await;
    fill(&one, 1500, 300).await;
    let other = Store::open(&database.database_url()).await.unwrap();
    let sweep = of("access_token");
    let (first, second) = (tokio::spawn(sweep_all(one.clone(), sweep)), tokio::spawn(sweep_all(other, sweep)));
    assert_eq!(first.await.unwrap() + second.await.unwrap(), 1500, "each row goes once");
    assert_eq!(count(&one, "select count(*) from access_token").await, 300);
}

async fn a_lease_is_one_nodes_until_it_ends(engine: Engine) {
    let (_database, store) = store(engine).await;
    let later = |millis| UtcMillis(NOW.0 + millis);
    assert_eq!(store.take_lease("x", [1; 16], later(10), NOW).await.unwrap(), Change::Made);
    assert_eq!(store.take_lease("x", [2; 16], later(10), later(9)).await.unwrap(), Change::TooLate);
    assert_eq!(store.take_lease("x", [1; 16], later(20), later(9)).await.unwrap(), Change::Made, "prolonged");
    assert_eq!(store.take_lease("x", [2; 16], later(30), later(20)).await.unwrap(), Change::Made);
}

macro_rules! on_both {
    ($($name:ident)*) => { $( mod $name {
        use super::*;

        #[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
        async fn sqlite() {
            super::$name(Engine::Sqlite).await;
        }

        #[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
        async fn postgres() {
            super::$name(Engine::Postgres).await;
        }
    } )* };
}

on_both! { steps_are_bounded_and_only_what_is_over_goes what_clients_know_of_a_session_goes_after_it two_nodes_at_once_sweep_as_one a_lease_is_one_nodes_until_it_ends }
