//! The server over HTTP, on both engines: a file per endpoint, a test per promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod alarms;
mod audit;
mod authorize;
mod bad_input;
mod client_authentication;
mod device;
mod limits;
mod login;
mod metadata;
mod metrics;
mod pages;
mod proxy;
mod refresh;
mod revoke;
mod rpc;
mod secrets;
mod set_up;
mod sweep;
mod token_code;
mod userinfo;
mod webhook;
