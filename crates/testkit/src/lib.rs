//! What the tests stand on: the real server in process, on either engine, with a clock that the test
//! holds, and a browser without scripts.
//!
//! [`on_both_engines!`] makes one test per engine from a test that takes a [`TestServer`]. PostgreSQL
//! is the one that `./test` starts; without it those tests fail and say so, they are never skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a broken promise must stop the test where it stands"
)]

mod browser;
mod database;
mod oauth;
mod server;

pub use browser::{Browser, Form, Page};
pub use database::{Engine, TestDatabase};
pub use gatepass_authority as authority;
pub use gatepass_keys as keys;
pub use gatepass_server::serve::Limits;
pub use oauth::{Answer, Pkce, REDIRECT_URI, RegisteredClient};
pub use server::{Options, PASSWORD, TestServer, USER};
pub use tokio;

/// One test per engine: `on_both_engines! { async fn name(server: TestServer) { … } }`.
#[macro_export]
macro_rules! on_both_engines {
    ($( $(#[$meta:meta])* async fn $name:ident($server:ident: TestServer) $body:block )*) => { $(
        mod $name {
            use super::*;

            async fn run($server: $crate::TestServer) $body

            $(#[$meta])*
            #[$crate::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
            async fn sqlite() {
                run($crate::TestServer::start($crate::Engine::Sqlite).await).await;
            }

            $(#[$meta])*
            #[$crate::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
            async fn postgres() {
                run($crate::TestServer::start($crate::Engine::Postgres).await).await;
            }
        }
    )* };
}
