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
//! | push a request, follow a short link | `push` | RFC 9126 |
//! | redeem a code | `redeem_code` | RFC 6749 §4.1.3, RFC 7636 §4.6 |
//! | refresh | `refresh` | RFC 6749 §6, RFC 9700 §4.14 |
//! | give a client its own token | `client_credentials` | RFC 6749 §4.4 |
//! | start, show, decide, redeem a device | [`start_device`], [`show_device`], [`decide_device`], `redeem_device` | RFC 8628 |
//! | revoke | `revoke` | RFC 7009 |
//! | check that a key is held | [`dpop`], [`certificate`] | RFC 9449, RFC 8705 |
//! | end all of a person, a client, a grant, a session | [`end`] | |
//! | sign out for a client, tell clients of it | [`logout`], `logout_notice` | RP-Initiated Logout 1.0, Back-Channel Logout 1.0 |
//! | sign, rotate keys | [`key_ring`] | RFC 7515, RFC 7517 |
//! | verify an access token | [`verify`] | RFC 6750 §2, RFC 8707 |
//! | say who signed in | `userinfo` | OpenID Connect Core §5.3 |
//! | sign in and out | [`sign_in`], [`session`] | |
//! | set up, add a user, verify their address, set a password | [`set_up`], [`add_user`], [`verify_user`], [`set_password`] | |
//! | add a client | [`add_client`] | |
//! | let a client register itself | [`register_client`] | RFC 7591, RFC 7592 |
//! | know a client by its document | `client_documents` | Client ID Metadata Document |
//! | introspect a token | [`introspect`] | RFC 7662, RFC 9701 |
//! | redeem an assertion, also of a person's sign-in | [`redeem_assertion`], [`identity_assertion`] | RFC 7523 §2.1 |
//! | exchange a token | [`exchange`] | RFC 8693 |
//! | register a resource, a service account, a trust policy | [`add_resource`], [`service_accounts`], [`trust`] | |
//! | say what happened, keep it, show it | [`audit`], [`trail`], [`show_trail`], [`tally`] | |
//! | bound what can be done too often | `throttle`, `meter`, [`limits`] | RFC 6749 §10.10, RFC 8628 §5.1, §5.2 |
//! | tell the operator | [`webhook`] | Standard Webhooks |
//! | delete what is over | [`sweep`] | |

mod access_token_jwt;
pub mod add_client;
pub mod add_resource;
pub mod add_user;
mod assertion_claims;
pub mod audit;
mod authenticate_client;
pub mod authorize;
mod binding;
pub mod certificate;
mod client_credentials;
mod client_documents;
mod client_keys;
pub mod client_policy;
mod clients;
pub mod decide_device;
pub mod dpop;
pub mod end;
pub mod exchange;
mod failure;
mod families;
mod freshness;
mod id_token_hint;
pub mod identity_assertion;
pub mod introspect;
mod issue;
mod issuer_keys;
pub mod key_ring;
pub mod limits;
pub mod logout;
mod logout_notice;
mod meter;
mod password;
mod pattern;
mod push;
pub mod redeem_assertion;
mod redeem_code;
mod redeem_device;
mod refresh;
pub mod register_client;
mod resources;
mod revoke;
pub mod service_accounts;
pub mod session;
pub mod set_password;
pub mod set_up;
pub mod settings;
pub mod show_device;
pub mod show_trail;
pub mod sign_in;
pub mod start_device;
mod sufficient;
pub mod sweep;
pub mod tally;
mod tend;
mod throttle;
pub mod trail;
pub mod trust;
mod userinfo;
pub mod verify;
pub mod verify_user;
pub mod webhook;

pub use audit::{Event, EventKind};
pub use binding::CliAccessTokens;
pub use certificate::{PresentedCertificate, Trust};
pub use client_policy::ClientPolicy;
pub use exchange::{ExchangeRequest, PresentedToken};
pub use failure::Failure;
pub use gatepass_store::{
    Authentication, DatabaseUrl, Error as StoreError, Store, UserId,
    access_token::LiveAccessToken,
    client::{Client, ClientProof},
    session::LiveSession,
    user_account::UserAccount,
};
pub use key_ring::KeySettings;
pub use limits::{Limits, Rate};
pub use redeem_assertion::AssertionRequest;
pub use redeem_code::CodeRequest;
pub use redeem_device::DevicePoll;
pub use refresh::RefreshRequest;
pub use settings::{Lifetimes, Settings};
pub use throttle::TooMany;
pub use userinfo::UserInfo;

use client_documents::Documents;
use client_keys::RemoteKeys;
use clients::Clients;
use families::Families;
use gatepass_fetch::Fetcher;
use gatepass_keys::{Clock, Entropy, KeyedHash, SealingKey, ServerSecret};
use gatepass_oauth::{Confirmation, Issuer, ResourceUri};
use issuer_keys::IssuerKeys;
use key_ring::KeyRing;
use meter::Meters;
use password::Passwords;
use resources::Resources;
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
    keys: KeyRing,
    user_codes: KeyedHash,
    nonces: KeyedHash,
    tickets: KeyedHash,
    ticket_seal: SealingKey,
    sids: KeyedHash,
    wake: Notify,
    clients: Clients,
    documents: Documents,
    remote_keys: RemoteKeys,
    resources: Resources,
    issuer_keys: IssuerKeys,
    verified: Verified,
    families: Families,
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
    /// The certificate of its TLS connection, if it showed one.
    pub certificate: Option<PresentedCertificate>,
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
        let resource = settings.issuer.as_resource().ok_or_else(|| Failure::internal("the issuer is no resource"))?;
        let inner = Inner {
            user_codes: secret.keyed_hash("user code"),
            nonces: secret.keyed_hash("dpop nonce"),
            tickets: secret.keyed_hash("sign-in ticket"),
            ticket_seal: secret.sealing_key("sign-in ticket"),
            sids: secret.keyed_hash("sid"),
            wake: Notify::new(),
            keys: KeyRing::new(&secret),
            clients: Clients::default(),
            documents: Documents::default(),
            remote_keys: RemoteKeys::default(),
            resources: Resources::default(),
            issuer_keys: IssuerKeys::default(),
            verified: Verified::default(),
            families: Families::default(),
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
        };
        let authority = Self(Arc::new(inner));
        authority.open_keys().await?;
        Ok(authority)
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

    /// What strangers' programs may do.
    #[must_use]
    pub fn client_policy(&self) -> &ClientPolicy {
        &self.0.settings.clients
    }

    /// Whether every authorization request must be pushed.
    #[must_use]
    pub fn requires_pushed_requests(&self) -> bool {
        self.0.settings.require_pushed_authorization_requests
    }

    /// The time by which this server lives.
    #[must_use]
    pub fn now(&self) -> gatepass_oauth::UtcMillis {
        self.0.clock.now()
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
