//! The server over HTTP, on both engines: a file per endpoint, a test per promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod authorize;
mod bad_input;
mod client_authentication;
mod device;
mod end;
mod keys;
mod login;
mod logout;
mod metadata;
mod pages;
mod par;
mod proxy;
mod refresh;
mod revoke;
mod rpc;
mod secrets;
mod set_up;
mod step_up;
mod ticket;
mod token_code;
mod userinfo;
