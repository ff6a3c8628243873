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
mod administration_ends;
mod administration_keys;
mod administration_watches;
mod agent;
mod agent_bound;
mod agent_tools;
mod api_key;
mod browser;
mod credential_aws;
mod credential_bound;
mod credential_docker;
mod credential_git;
mod credential_kubectl;
mod debug;
mod doctor;
mod dpop;
mod durability;
#[cfg(target_os = "linux")]
mod keyring;
mod liars;
mod log;
mod logout;
mod network;
mod provider;
mod proxy;
mod proxy_guards;
mod proxy_proofs;
mod proxy_streams;
mod quickstart;
mod refresh;
mod refusals;
mod reuse;
#[cfg(unix)]
mod screen;
mod secrets;
mod sign_in;
mod soak;
mod start_and_end;
mod support;
mod unattended;
mod unattended_everywhere;

#[path = "../../../client/tests/support/mod.rs"]
mod fake;
#[path = "../../../client/tests/network/place.rs"]
mod wire;
