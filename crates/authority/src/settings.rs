//! What the operator decides.

use crate::{ClientPolicy, Limits, key_ring::KeySettings, trail::TrailSettings, webhook::WebhookSettings};
use gatepass_oauth::Issuer;
use std::time::Duration;

/// The settings of an authorization server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name and public URL.
    pub issuer: Issuer,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What strangers' programs may do.
    pub clients: ClientPolicy,
    /// When keys change.
    pub keys: KeySettings,
    /// Whether every authorization request must be pushed (RFC 9126 §5).
    pub require_pushed_authorization_requests: bool,
    /// How much of what may be done.
    pub limits: Limits,
    /// How the audit trail is kept.
    pub trail: TrailSettings,
    /// Who is told at once.
    pub webhook: Option<WebhookSettings>,
}

impl Settings {
    /// The settings of a server of that name, as they are where the operator says nothing.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            lifetimes: Lifetimes::default(),
            clients: ClientPolicy::default(),
            keys: KeySettings::default(),
            require_pushed_authorization_requests: false,
            limits: Limits::default(),
            trail: TrailSettings::default(),
            webhook: None,
        }
    }
}

/// How long things live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the redirect to the token request.
    pub authorization_code: Duration,
    /// An access token.
    pub access_token: Duration,
    /// A token that another was exchanged for, at most.
    pub exchanged_token: Duration,
    /// A refresh token that is not used; each use begins anew.
    pub refresh_token: Duration,
    /// A pushed authorization request, until the browser comes.
    pub pushed_request: Duration,
    /// A device's request.
    pub device_code: Duration,
    /// A web session that is not used; use prolongs it.
    pub session: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
        Self {
            authorization_code: minute,
            access_token: minute * 60,
            exchanged_token: minute * 60,
            refresh_token: day * 30,
            pushed_request: Duration::from_secs(90),
            device_code: minute * 10,
            session: day * 7,
        }
    }
}
