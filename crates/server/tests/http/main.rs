//! The server over HTTP, on both engines: a file per endpoint, a test per promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod authorize;
mod bad_input;
mod client_authentication;
mod client_documents;
mod client_keys;
mod device;
mod dpop;
mod end;
mod keys;
mod limits;
mod login;
mod logout;
mod metadata;
mod mutual_tls;
mod pages;
mod par;
mod proxy;
mod refresh;
mod registration;
mod revoke;
mod rpc;
mod secrets;
mod set_up;
mod signing_key;
mod site;
mod step_up;
mod ticket;
mod token_code;
mod userinfo;
