//! The real binary, all of it: `gatepass serve` in a process of its own, accounts and clients by
//! `gatepass admin`, people by a browser without scripts, machines by `gatepass login`. Nothing is faked,
//! and every wait has a bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken promise must stop the test where it stands"
)]

/// One test per engine from a function that takes a [`support::Place`].
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => { $( mod $name {
        #[gatepass_testkit::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
        async fn sqlite() {
            super::$name(crate::support::Place::new(gatepass_testkit::Engine::Sqlite).await).await;
        }

        #[gatepass_testkit::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
        async fn postgres() {
            super::$name(crate::support::Place::new(gatepass_testkit::Engine::Postgres).await).await;
        }
    } )* };
}

mod administration;
mod durability;
mod logout;
mod provider;
mod quickstart;
mod refresh;
mod refusals;
mod reuse;
mod secrets;
mod sign_in;
mod start_and_end;
mod support;
