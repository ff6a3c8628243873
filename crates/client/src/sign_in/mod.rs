//! Signing a person in.
//!
//! 1. Find the server's endpoints ([`mod@crate::discovery`]).
//! 2. Choose the ways that can work here ([`mod@crate::choose`]).
//! 3. Run them side by side until the first brings tokens ([`race`]).
//! 4. Learn whose tokens they are ([`identity`]).
//! 5. Keep them, and revoke those that they replace.

pub mod attempt;
pub mod event;
pub mod identity;
pub mod race;
pub mod wish;

use crate::{
    ClientAuthentication, Failure, choose::NoWay, device::DeviceError, discovery::DiscoveryError,
    id_token::InvalidIdToken, loopback::uri::LoopbackUri, sign_in::attempt::BadAnswer, which_client::ClientError,
};
pub use event::Event;
use gatepass_keys::entropy::NoEntropy;
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
    /// What this machine calls itself, for the page on which a device is approved.
    pub device_name: Option<String>,
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
            device_name: None,
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
    /// The browser's answer was a refusal or not usable.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// The code was not turned into tokens.
    #[error(transparent)]
    NoTokens(#[from] Failure),
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
