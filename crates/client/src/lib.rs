#![doc = include_str!("../README.md")]
//!
//! | idea | where |
//! |---|---|
//! | the sign-ins of this machine | [`SignIns`] |
//! | finding a server | [`discovery`] |
//! | which account a folder means | [`folder`] |
//! | which ways can work here, and why | [`environment`], [`mod@choose`] |
//! | the ways: browser redirect, pasted answer, device code | [`loopback`], [`paste`], [`device`] |
//! | running them side by side | [`sign_in`] |
//! | one encrypted file, and who keeps its key | [`vault`] |
//! | a token to use now, a request that carries it | [`bearer`] |
//! | one refresh per machine, with three outcomes | [`refresh`], [`tokens`], [`lock`] |
//! | who asks, and how it is proven | [`asker`], [`client_authentication`], [`client_key`], [`tls_identity`] |
//! | services that sign in by themselves | [`sign_in::unattended`], [`grant`], [`assertion`] |
//! | sign-ins that are bound to a key | [`dpop`] |
//! | a token that may do less | [`exchange`] |
//! | what is seen through to its end, whoever is gone | [`SignIns::finish`] |
//! | tokens for containers and virtual machines, over a local socket | [`agent`] |
//! | signing out | [`sign_out`] |
//! | tokens for git, docker, kubectl and aws | [`helpers`] |
//! | servers of any vendor | [`sign_in::wish`], [`which_client`], [`registration`], [`providers`], [`terms`] |
//! | who is signed in, asked again | [`who`] |
//! | answers that are not quite as the standards say | [`loose_answer`] |
//! | HTTP with bounds, and three kinds of failure | [`transport`], [`failure`] |
//! | the whole chain, looked at | [`doctor`] |
//! | which proxy, and whom to trust | [`network`], [`trust`] |
//!
//! What decides is pure and tested by calling it: [`device::poller`], [`choose::choose`],
//! [`tokens::Tokens::freshness`], [`paste::read`], [`loopback::request`], [`sign_in::attempt`]. Clock and
//! randomness are passed in. Nothing here prints, and no error or `Debug` text holds a secret.

pub mod account;
pub mod agent;
pub mod asker;
pub mod assertion;
pub mod bearer;
pub mod calendar;
pub mod choose;
pub mod client_authentication;
pub mod client_key;
pub mod config;
pub mod device;
pub mod discovery;
pub mod doctor;
pub mod dpop;
pub mod environment;
pub mod exchange;
pub mod failure;
pub mod folder;
pub mod grant;
pub mod helpers;
pub mod home;
pub mod id_token;
mod in_flight;
mod issuer_name;
pub mod lock;
mod lock_files;
pub mod loopback;
pub mod loose_answer;
pub mod network;
pub mod paste;
pub mod providers;
pub mod refresh;
pub mod registration;
pub mod settings_file;
pub mod sign_in;
pub mod sign_ins;
pub mod sign_out;
pub mod terms;
pub mod text;
pub mod tls_identity;
pub mod token_endpoint;
pub mod tokens;
mod told;
pub mod transport;
pub mod trust;
pub mod vault;
pub mod web_url;
pub mod which_client;
pub mod who;

pub use account::{Account, AccountId, NotSelected, Selection};
pub use asker::Asker;
pub use assertion::{AssertionSource, NoAssertion};
pub use bearer::{Bearer, BearerError, CallError};
pub use choose::{Choice, Ways};
pub use client_authentication::ClientAuthentication;
pub use client_key::ClientKey;
pub use config::Config;
pub use discovery::{DiscoveryError, Server, discover};
pub use dpop::{DpopKey, KeyBinding, Prover};
pub use environment::Environment;
pub use exchange::{AboveCeiling, NarrowError, Narrowing};
pub use failure::{Failure, Refusal, Unreachable};
pub use grant::Grant;
pub use home::Home;
pub use issuer_name::IssuerName;
pub use lock::Locking;
pub use network::Network;
pub use refresh::{Reason, Renewal, Transient};
pub use sign_in::{Event, SignInError, SignInRequest, wish::Wish};
pub use sign_ins::{Person, SignIns};
pub use sign_out::{SignOutError, SignedOut};
pub use terms::Terms;
pub use tls_identity::TlsIdentity;
pub use tokens::{Freshness, Tokens};
pub use transport::{Call, Reply, Transport};
pub use vault::{Vault, VaultError, contents::Contents, contents::SignIn, custody::Custody, custody::KeySources};
pub use web_url::WebUrl;

// What a program needs of the crates below, so that it can depend on this one alone.
pub use gatepass_keys::{Clock, Entropy, Secret};
pub use gatepass_oauth as oauth;
