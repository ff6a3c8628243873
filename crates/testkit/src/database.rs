//! A database of its own for each test.

use gatepass_authority::DatabaseUrl;
use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// The variable that holds the URL of a PostgreSQL in which databases may be made.
const VARIABLE: &str = "GATEPASS_TEST_POSTGRES";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A fresh database; a SQLite file is gone with it, a PostgreSQL database with the test's server.
pub struct TestDatabase {
    pub url: String,
    /// The folder of a SQLite database, and of the server's secret in any case.
    pub folder: TempDir,
}

impl TestDatabase {
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("test.db").display()),
            Engine::Postgres => create_postgres().await,
        };
        Self { url, folder }
    }

    pub fn database_url(&self) -> DatabaseUrl {
        self.url.parse().unwrap()
    }
}

async fn create_postgres() -> String {
    let Ok(server) = std::env::var(VARIABLE) else {
        panic!("{VARIABLE} is not set: run the tests through ./test, which starts a PostgreSQL");
    };
    let name = format!("t{}_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed), nanos());
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    url.to_string()
}

fn nanos() -> u128 {
    let clock = gatepass_keys::Entropy::system();
    u128::from(u64::from_le_bytes(clock.bytes().unwrap()))
}
