//! Signing a person in.
//!
//! 1. Find the server's endpoints ([`mod@crate::discovery`]).
//! 2. Choose the ways that can work here ([`mod@crate::choose`]).
//! 3. Push the authorization request where the server takes it ([`push`]), and make the key that the sign-in is bound to
//!    ([`crate::dpop`]).
//! 4. Run them side by side until the first brings tokens ([`race`]).
//! 5. Learn whose tokens they are ([`identity`]).
//! 6. Keep them, and revoke those that they replace.

pub mod attempt;
pub mod event;
pub mod identity;
pub mod push;
pub mod race;
pub mod unattended;
pub mod wish;

use crate::{
    ClientAuthentication, Failure, KeyBinding, NoAssertion, choose::NoWay, device::DeviceError,
    discovery::DiscoveryError, id_token::InvalidIdToken, loopback::uri::LoopbackUri, sign_in::attempt::BadAnswer,
    which_client::ClientError,
};
pub use event::Event;
use gatepass_keys::{entropy::NoEntropy, jws::SigningKeyError};
use gatepass_oauth::{ClientId, Issuer, ResourceUri, Scope};

/// What a sign-in asks for.
#[derive(Clone, Debug)]
pub struct SignInRequest {
    /// The server.
    pub issuer: Issuer,
    /// Who asks: a client that the server knows.
    pub client_id: ClientId,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// What is asked for. `openid` tells who signed in, `offline_access` keeps it for longer.
    pub scope: Scope,
    /// Which API the token is for (RFC 8707).
    pub resource: Option<ResourceUri>,
    /// The same as some vendors name it, who know no `resource`.
    pub audience: Option<String>,
    /// Where the browser's answer comes back.
    pub redirect: LoopbackUri,
    /// The space that the account is for, if it is for one.
    pub space: Option<String>,
    /// What this machine calls itself, for the page on which a device is approved.
    pub device_name: Option<String>,
    /// Whether it is bound to a key.
    pub key_binding: KeyBinding,
}

impl SignInRequest {
    /// A request for `openid offline_access`.
    #[must_use]
    pub fn new(issuer: Issuer, client_id: ClientId) -> Self {
        let scope = ["openid", "offline_access"].into_iter().collect();
        Self {
            issuer,
            client_id,
            authentication: ClientAuthentication::None,
            scope,
            resource: None,
            audience: None,
            redirect: LoopbackUri::default(),
            space: None,
            device_name: None,
            key_binding: KeyBinding::default(),
        }
    }
}

/// Why a sign-in did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The server was not found.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// No client is known there, or the server does not know it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server has no way that is asked for.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// The port for the browser's answer could not be had, or was lost.
    #[error("no loopback port could be opened for the browser's answer: {0}")]
    NoPort(#[from] std::io::Error),
    /// The server takes pushed requests only, and did not take this one (RFC 9126).
    #[error("the server takes no request that is not pushed, and did not take this one: {0}")]
    NotPushed(#[source] Failure),
    /// The sign-in was to be bound to a key.
    #[error("the server does not offer to bind a sign-in to a key (DPoP with ES256)")]
    NoKeyBinding,
    /// The server was shown a key and has not bound its token to it.
    #[error("the server gave a token that is not bound to the key")]
    NotBound,
    /// There is no key to bind it to.
    #[error("no key could be made: {0}")]
    NoKey(#[from] SigningKeyError),
    /// The browser's answer was a refusal or not usable.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// The code was not turned into tokens.
    #[error(transparent)]
    NoTokens(#[from] Failure),
    /// There was no assertion to show.
    #[error(transparent)]
    NoAssertion(#[from] NoAssertion),
    /// The device code brought nothing.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The tokens came with an identity that is not believed.
    #[error(transparent)]
    BadIdentity(#[from] InvalidIdToken),
    /// The input ended before an answer was pasted, and no other way was open.
    #[error("the input ended before an address or a code was pasted")]
    InputEnded,
    /// Nobody finished it in time.
    #[error("the sign-in was not finished within 15 minutes")]
    TimedOut,
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The tokens could not be kept.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
}
