//! What every endpoint shares.

use crate::{rpc::Tokens, tls::CertificatePolicy, web::cookie::CookiePolicy};
use gatepass_authority::Authority;
use gatepass_oauth::Scope;
use gatepass_resource::{Guard, Missing, Settings};
use ipnet::IpNet;
use std::sync::Arc;

/// The application. Clones share it.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) authority: Authority,
    pub(crate) cookies: CookiePolicy,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) certificates: CertificatePolicy,
    /// Guards the user API: a bearer token, or else a cookie that the endpoint checks.
    pub(crate) user_api: Guard<Tokens, Tokens>,
    /// Guards userinfo: a bearer token with `openid`.
    pub(crate) userinfo: Guard<Tokens, Tokens>,
}

impl App {
    pub(crate) fn new(authority: Authority, trusted_proxies: Vec<IpNet>, certificates: CertificatePolicy) -> Self {
        let audience = authority.own_resource().clone();
        let metadata = authority.issuer().endpoint("/.well-known/oauth-protected-resource");
        let settings = || Settings::new(audience.clone()).with_metadata_url(metadata.clone());
        let tokens = Tokens { authority: authority.clone(), trusted_proxies: trusted_proxies.clone().into() };
        let guard = |settings| Guard::new(tokens.clone(), settings).with_proofs(tokens.clone());
        Self(Arc::new(Shared {
            cookies: CookiePolicy::new(authority.issuer()),
            user_api: guard(settings().when_missing(Missing::Pass)),
            userinfo: guard(settings().with_scope(Scope::from_iter(["openid"]))),
            authority,
            trusted_proxies,
            certificates,
        }))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
