//! `gatepass serve`: HTTP around the authorization server.
//!
//! A request comes in through [`serve`], meets the rules that hold for all of them in `web`, and is
//! routed by `routes` to one file per endpoint:
//!
//! - `oauth/`: the protocol's endpoints, which answer JSON;
//! - `pages/`: what a person sees, plain HTML that works without scripts;
//! - `rpc/`: the guarded API;
//! - `health`, `metrics/`: for whoever runs it.
//!
//! What connections may have of what all share is in `shares`; what the server does without being asked in `background`.
//!
//! An endpoint reads its parameters, calls one use case of `gatepass-authority`, and turns the answer
//! into HTTP. What goes wrong is turned by one table (`web::failure`).

mod app;
mod background;
pub mod config;
mod connection;
mod health;
mod metrics;
mod oauth;
mod pages;
mod routes;
mod rpc;
pub mod secret_file;
pub mod serve;
mod shares;
pub mod telemetry;
pub mod tls;
mod web;

pub use config::{Config, ConfigError, Overrides};
pub use gatepass_authority as authority;
pub use serve::{ServeError, Server, open_authority};
