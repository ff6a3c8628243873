//! The key that signs, when nodes start together.

use gatepass_testkit::{
    Engine, TestDatabase,
    authority::{Authority, Parts, Settings, Store},
    keys::{Clock, Entropy, ServerSecret},
    tokio,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Barrier;

const NODES: usize = 8;
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A node with a connection of its own; all begin at the same moment.
async fn key_of_a_node(database: Arc<TestDatabase>, together: Arc<Barrier>) -> String {
    let store = Store::open(&database.database_url()).await.unwrap();
    let settings = Settings::new("https://auth.example".parse().unwrap());
    let secret = ServerSecret::from_hex(SECRET).unwrap();
    let fetcher = gatepass_fetch::Fetcher::default();
    let parts = Parts { store, clock: Clock::System, entropy: Entropy::system(), secret, settings, fetcher };
    together.wait().await;
    let node = Authority::open(parts).await.unwrap();
    let key = format!("{:?}", node.jwks().keys);
    node.close().await;
    key
}

async fn nodes_that_make_the_first_key_at_once_sign_with_the_same(engine: Engine) {
    let database = Arc::new(TestDatabase::new(engine).await);
    let together = Arc::new(Barrier::new(NODES));
    let nodes: Vec<_> = (0..NODES).map(|_| tokio::spawn(key_of_a_node(database.clone(), together.clone()))).collect();
    let mut keys = BTreeSet::new();
    for node in nodes {
        keys.insert(node.await.unwrap());
    }
    keys.insert(key_of_a_node(database, Arc::new(Barrier::new(1))).await);
    assert_eq!(keys.len(), 1, "also with a node that starts later: {keys:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4, crate = "gatepass_testkit::tokio")]
async fn sqlite() {
    nodes_that_make_the_first_key_at_once_sign_with_the_same(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4, crate = "gatepass_testkit::tokio")]
async fn postgres() {
    nodes_that_make_the_first_key_at_once_sign_with_the_same(Engine::Postgres).await;
}
