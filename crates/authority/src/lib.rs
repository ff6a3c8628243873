//! The authorization server's use cases, one file per verb.
//!
//! A use case takes what the request said, already parsed, and answers what is to be said back. It
//! reads, decides, and makes one change in the store; the decision itself is a plain function where
//! it can be. Nothing here knows HTTP, HTML or configuration files: time, randomness, store and
//! settings come in through [`Authority`].
//!
//! | verb | file | source |
//! |---|---|---|
//! | authenticate a client | `authenticate_client` | RFC 6749 §2.3, RFC 7523 §3 |
//! | authorize | [`authorize`] | RFC 6749 §4.1.1, OpenID Connect Core §3.1.2 |
//! | redeem a code | `redeem_code` | RFC 6749 §4.1.3, RFC 7636 §4.6 |
//! | refresh | `refresh` | RFC 6749 §6, RFC 9700 §4.14 |
//! | give a client its own token | `client_credentials` | RFC 6749 §4.4 |
//! | start, show, decide, redeem a device | [`start_device`], [`show_device`], [`decide_device`], `redeem_device` | RFC 8628 |
//! | revoke | `revoke` | RFC 7009 |
//! | verify an access token | [`verify`] | RFC 6750 §2, RFC 8707 |
//! | say who signed in | `userinfo` | OpenID Connect Core §5.3 |
//! | sign in and out | [`sign_in`], [`session`] | |
//! | set up, add a user, verify their address, set a password | [`set_up`], [`add_user`], [`verify_user`], [`set_password`] | |
//! | add a client | [`add_client`] | |
//! | say what happened, keep it, show it | [`audit`], [`trail`], [`show_trail`], [`tally`] | |
//! | bound what can be done too often | `throttle`, `meter`, [`limits`] | RFC 6749 §10.10, RFC 8628 §5.1, §5.2 |
//! | tell the operator | [`webhook`] | Standard Webhooks |
//! | delete what is over | [`sweep`] | |

pub mod add_client;
pub mod add_user;
pub mod audit;
mod authenticate_client;
pub mod authorize;
mod client_credentials;
mod clients;
pub mod decide_device;
mod failure;
mod issue;
pub mod limits;
mod meter;
mod password;
mod redeem_code;
mod redeem_device;
mod refresh;
mod revoke;
pub mod session;
pub mod set_password;
pub mod set_up;
pub mod settings;
pub mod show_device;
pub mod show_trail;
pub mod sign_in;
mod signing;
pub mod start_device;
pub mod sweep;
pub mod tally;
mod throttle;
pub mod trail;
mod userinfo;
pub mod verify;
pub mod verify_user;
pub mod webhook;

pub use audit::{Event, EventKind};
pub use failure::Failure;
pub use gatepass_store::{
    Authentication, DatabaseUrl, Error as StoreError, Store, UserId,
    access_token::LiveAccessToken,
    client::{Client, ClientProof},
    session::LiveSession,
    user_account::UserAccount,
};
pub use limits::{Limits, Rate};
pub use redeem_code::CodeRequest;
pub use redeem_device::DevicePoll;
pub use refresh::RefreshRequest;
pub use settings::{Lifetimes, Settings};
pub use throttle::TooMany;
pub use userinfo::UserInfo;

use clients::Clients;
use gatepass_fetch::Fetcher;
use gatepass_keys::{Clock, Entropy, JwkSet, KeyedHash, ServerSecret, SigningKey};
use gatepass_oauth::{Confirmation, Issuer, ResourceUri};
use meter::Meters;
use password::Passwords;
use std::sync::Arc;
use tally::Tally;
use tokio::sync::Notify;
use trail::Trail;
use verify::Verified;

/// The authorization server. Clones share it.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    settings: Settings,
    fetcher: Fetcher,
    resource: ResourceUri,
    signing_key: SigningKey,
    user_codes: KeyedHash,
    clients: Clients,
    verified: Verified,
    passwords: Passwords,
    trail: Trail,
    tally: Tally,
    meters: Meters,
    /// Rings when there is something to tell the webhook.
    bell: Notify,
}

/// What an [`Authority`] is made of.
pub struct Parts {
    /// Where it remembers.
    pub store: Store,
    /// Its time.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
    /// Its secret.
    pub secret: ServerSecret,
    /// What it was told to do.
    pub settings: Settings,
    /// How it asks others.
    pub fetcher: Fetcher,
}

/// Who is at the other end of a request, as far as the network tells.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The IP address.
    pub address: String,
    /// The `User-Agent`, shortened.
    pub user_agent: String,
}

/// Who asks for tokens: a client that has proven itself, and what else its request has shown.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The client.
    pub client: &'a Client,
    /// Where from.
    pub caller: &'a Caller,
    /// The key that the request has proven to hold: what is given is bound to it.
    pub confirmation: Option<&'a Confirmation>,
}

impl Authority {
    /// Opens the authorization server on a store; makes the signing key when there is none.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the store cannot be used or the secret does not open its keys.
    pub async fn open(parts: Parts) -> Result<Self, Failure> {
        let Parts { store, clock, entropy, secret, settings, fetcher } = parts;
        let signing_key = signing::load_or_generate(&store, &secret, &clock, &entropy).await?;
        let resource = settings.issuer.as_resource().ok_or_else(|| Failure::internal("the issuer is no resource"))?;
        let inner = Inner {
            user_codes: secret.keyed_hash("user code"),
            clients: Clients::default(),
            verified: Verified::default(),
            passwords: Passwords::new(),
            trail: Trail::default(),
            tally: Tally::default(),
            meters: Meters::default(),
            bell: Notify::new(),
            store,
            clock,
            entropy,
            settings,
            fetcher,
            resource,
            signing_key,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.0.settings.issuer
    }

    /// The audience of tokens that are for this server's own API.
    #[must_use]
    pub fn own_resource(&self) -> &ResourceUri {
        &self.0.resource
    }

    /// How long things live.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.0.settings.lifetimes
    }

    /// The time by which this server lives.
    #[must_use]
    pub fn now(&self) -> gatepass_oauth::UtcMillis {
        self.0.clock.now()
    }

    /// The public keys that verify what this server signs.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: vec![self.0.signing_key.public().clone()] }
    }

    /// Whether the server can work: the database answers.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn check(&self) -> Result<(), Failure> {
        Ok(self.0.store.check().await?)
    }

    /// Finishes what is queued in the store.
    pub async fn close(&self) {
        self.0.store.close().await;
    }
}
