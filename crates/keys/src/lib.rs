//! Secrets and keys: what a token looks like, how it is hashed, signed, sealed and compared.
//!
//! The types make the wrong thing hard. A [`PlainToken`] can be shown to its owner once and turned
//! into a [`HashedToken`]; only the latter can be stored, and it compares in constant time. Nothing
//! here prints a secret. Time and randomness come in as values ([`Clock`], [`Entropy`]), so that a
//! test can hold the clock.
//!
//! | idea | file |
//! |---|---|
//! | time and randomness, passed in | [`clock`], [`entropy`] |
//! | opaque tokens: `gpa_…`, their identifier, hash and checksum | [`token`] |
//! | the server's secret and the keys derived from it | [`server_secret`] |
//! | authenticated encryption | [`seal`] |
//! | public keys as JSON | [`jwk`] |
//! | signatures over JSON | [`jws`] |
//! | proofs that a key is held, made and verified | [`dpop`] |
//! | the certificate of a client | [`certificate`] |
//! | private keys that sign | [`signing_key`] |
//! | private keys as their owners have them | [`private_key`] |
//! | what a signed token says of itself, not verified yet | [`jose`] |
//! | signatures of notices to a webhook | [`webhook`] |

pub mod certificate;
pub mod clock;
pub mod dpop;
pub mod entropy;
pub mod jose;
pub mod jwk;
pub mod jws;
pub mod private_key;
pub mod seal;
pub mod server_secret;
pub mod signing_key;
pub mod token;
pub mod webhook;

pub use certificate::ClientCertificate;
pub use clock::Clock;
pub use dpop::ProofKey;
pub use entropy::Entropy;
pub use gatepass_oauth::Secret;
pub use jwk::{Jwk, JwkSet};
pub use jws::Algorithm;
pub use private_key::PrivateKey;
pub use seal::SealingKey;
pub use server_secret::{KeyedHash, ServerSecret};
pub use signing_key::SigningKey;
pub use token::{HashedToken, PlainToken, TokenId};
pub use webhook::WebhookKey;
