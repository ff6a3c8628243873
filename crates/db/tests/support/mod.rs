//! A database of its own for each test, on either engine.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends when its surroundings fail")]

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use gatepass_db::{DatabaseUrl, Db, Engine, Migration, Options};

/// The tables of the tests.
pub(crate) const SCHEMA: &[Migration] = &[
    Migration {
        number: 1,
        name: "items",
        sql: "create table item (id blob not null primary key, name text not null unique, size bigint not null,
              used_at bigint) without rowid",
        postgres: None,
    },
    Migration {
        number: 2,
        name: "notes on items",
        sql: "create table note (number bigint not null primary key, item blob not null references item (id),
              body text not null)",
        postgres: None,
    },
];

pub(crate) const INSERT: &str = "insert into item (id, name, size) values ($1, $2, $3)";
pub(crate) const NAMES: &str = "select name from item order by name";
pub(crate) const USE: &str = "update item set used_at = $2 where id = $1 and used_at is null";

/// Where a test's database is.
pub(crate) enum Place {
    Sqlite(tempfile::TempDir),
    Postgres { server: DatabaseUrl, name: String },
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var("GATEPASS_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("GATEPASS_TEST_POSTGRES is not set\nhint: run ./test, which starts a PostgreSQL for the tests")
        });
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gatepass_test_{}_{number}", std::process::id());
        run_sql(&server, &format!("create database {name}")).await;
        Self::Postgres { server: server.parse().unwrap(), name }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(_) => DatabaseUrl::sqlite(self.path()),
            Self::Postgres { name, .. } => {
                let server = std::env::var("GATEPASS_TEST_POSTGRES").unwrap();
                let (server, _) = server.rsplit_once('/').unwrap();
                format!("{server}/{name}").parse().unwrap()
            }
        }
    }

    /// The SQLite file.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("test.db"),
            Self::Postgres { .. } => panic!("PostgreSQL has no file"),
        }
    }

    pub(crate) async fn open(&self) -> Db {
        self.open_with(&Options::default()).await
    }

    pub(crate) async fn open_with(&self, options: &Options) -> Db {
        Db::open(&self.url(), options).await.unwrap()
    }

    /// Opens it with the tests' tables.
    pub(crate) async fn with_tables(&self) -> Db {
        let db = self.open().await;
        db.migrate(SCHEMA).await.unwrap();
        db
    }

    pub(crate) async fn remove(self) {
        if let Self::Postgres { name, .. } = self {
            let server = std::env::var("GATEPASS_TEST_POSTGRES").unwrap();
            run_sql(&server, &format!("drop database {name} with (force)")).await;
        }
    }
}

/// Runs SQL on a connection of the test's own.
pub(crate) async fn run_sql(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// An id made of a number.
pub(crate) fn id(number: u8) -> [u8; 16] {
    [number; 16]
}

/// Makes of each function a module with a test per engine.
macro_rules! on_both_engines {
    ($($(#[$about:meta])* async fn $name:ident($place:ident: &Place) $body:block)+) => {
        $(
            $(#[$about])*
            mod $name {
                use super::*;

                async fn promise($place: &Place) $body

                #[tokio::test]
                async fn sqlite() {
                    let place = Place::sqlite();
                    promise(&place).await;
                    place.remove().await;
                }

                #[tokio::test]
                async fn postgres() {
                    let place = Place::postgres().await;
                    promise(&place).await;
                    place.remove().await;
                }
            }
        )+
    };
}
pub(crate) use on_both_engines;
