//! Verifying access tokens that are JWTs (RFC 9068 §4), with the keys of the authorization server.
//!
//! The keys are found through its metadata (RFC 8414) and kept for five minutes. A `kid` that is not known has them
//! fetched again, at most every thirty seconds, whatever comes in; without an answer the old keys serve on for a day. A JWT
//! is good until it expires: a revocation shows only to who introspects
//! ([`IntrospectionVerifier`](crate::IntrospectionVerifier)).

use crate::{Unavailable, Verifier, verified::Expected, verified::VerifiedToken};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Fetcher, Trust};
use gatepass_keys::{Clock, JwkSet, jose, jws};
use gatepass_oauth::{Issuer, ResourceUri, ServerMetadata, UtcMillis};
use http::{Request, StatusCode, header::ACCEPT};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// `typ` of an access token (RFC 9068 §2.1).
const TYP: &str = "at+jwt";
/// How long the keys stay good.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long they serve when no others can be had.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two attempts.
const PAUSE: Duration = Duration::from_secs(30);
const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, time: Duration::from_secs(5) };

/// Verifies access tokens of one authorization server for one resource, without asking it about each.
///
/// Use it with a [`Guard`](crate::Guard):
///
/// ```
/// use gatepass_resource::{Guard, JwtVerifier, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = JwtVerifier::new("https://auth.example.com".parse()?, "https://api.example.com".parse()?);
/// let settings = Settings::new("https://api.example.com".parse()?).with_scope("read".parse()?);
/// let app: axum::Router = axum::Router::new()
///     .route("/", axum::routing::get(|| async { "hello" }))
///     .layer(Guard::new(verifier, settings));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JwtVerifier(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    audience: ResourceUri,
    fetcher: Fetcher,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<JwkSet>, UtcMillis)>,
    tried_at: Option<UtcMillis>,
}

impl JwtVerifier {
    /// A verifier for tokens of this issuer, for this resource.
    #[must_use]
    pub fn new(issuer: Issuer, audience: ResourceUri) -> Self {
        Self::with(issuer, audience, Fetcher::default(), Clock::System)
    }

    /// The same, with its own way to fetch and to tell the time.
    #[must_use]
    pub fn with(issuer: Issuer, audience: ResourceUri, fetcher: Fetcher, clock: Clock) -> Self {
        Self(Arc::new(Inner { issuer, audience, fetcher, clock, kept: Mutex::default() }))
    }

    async fn keys(&self, kid: Option<&str>) -> Result<Arc<JwkSet>, Unavailable> {
        let mut kept = self.0.kept.lock().await;
        let now = self.0.clock.now();
        let is_known =
            |keys: &JwkSet| kid.is_none_or(|kid| keys.keys.iter().any(|key| key.kid.as_deref() == Some(kid)));
        if let Some((keys, read_at)) = &kept.keys
            && now < read_at.plus(FRESH)
            && is_known(keys)
        {
            return Ok(keys.clone());
        }
        if kept.tried_at.is_none_or(|tried_at| now >= tried_at.plus(PAUSE)) {
            kept.tried_at = Some(now);
            if let Some(keys) = self.fetch().await {
                kept.keys = Some((Arc::new(keys), now));
            }
        }
        let usable = kept.keys.as_ref().filter(|(_, read_at)| now < read_at.plus(STALE));
        usable.map(|(keys, _)| keys.clone()).ok_or(Unavailable)
    }

    async fn fetch(&self) -> Option<JwkSet> {
        for url in self.0.issuer.metadata_urls() {
            let Some(text) = self.get(&url).await else { continue };
            let Ok(metadata) = serde_json::from_str::<ServerMetadata>(&text) else { continue };
            if metadata.is_of(&self.0.issuer) {
                return JwkSet::parse(&self.get(metadata.jwks_uri.as_deref()?).await?).ok();
            }
        }
        None
    }

    async fn get(&self, url: &str) -> Option<String> {
        let request = Request::get(url).header(ACCEPT, "application/json").body(Bytes::new()).ok()?;
        let answer = self.0.fetcher.send(request, Trust::Operator, BOUNDS).await.ok()?;
        if answer.status() != StatusCode::OK {
            return None;
        }
        String::from_utf8(answer.into_body().into()).ok()
    }
}

impl Verifier for JwtVerifier {
    type Token = VerifiedToken;

    async fn verify(&self, token: &str) -> Result<Option<VerifiedToken>, Unavailable> {
        // What is no access token (an ID token, say) costs no request (RFC 9068 §4, RFC 8725 §3.11).
        let Some((header, _)) = jose::unverified::<IgnoredAny>(token) else { return Ok(None) };
        if !header.is_of_type(TYP) {
            return Ok(None);
        }
        let keys = self.keys(header.kid.as_deref()).await?;
        let Ok(claims) = jws::verify::<Map<String, Value>>(token, &keys) else { return Ok(None) };
        let (issuer, audience) = (self.0.issuer.as_str(), &self.0.audience);
        Ok(Expected { issuer, audience, now: self.0.clock.now() }.check(claims))
    }
}
