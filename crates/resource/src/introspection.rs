//! Verifying access tokens by asking the authorization server (RFC 7662). Of opaque tokens there is no other way; of JWTs
//! it is the one that sees a revocation.
//!
//! An answer stays good for a few seconds, and never longer than the token lives.

use crate::{Unavailable, Verifier, verified::Expected, verified::VerifiedToken};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Fetcher, Trust};
use gatepass_keys::{Clock, HashedToken};
use gatepass_oauth::{ClientId, Issuer, ResourceUri, Secret, UtcMillis};
use http::{
    Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};

/// How long an answer stays good unless told otherwise.
const FRESH: Duration = Duration::from_secs(2);
/// How many answers are kept at most.
const CAPACITY: usize = 16 * 1024;
const BOUNDS: Bounds = Bounds { bytes: 64 * 1024, time: Duration::from_secs(5) };

/// Where and as whom to ask.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The issuer of the tokens.
    pub issuer: Issuer,
    /// Its introspection endpoint.
    pub endpoint: String,
    /// The resource server's client identifier.
    pub client_id: ClientId,
    /// Its secret.
    pub client_secret: Secret,
}

/// Asks the authorization server about tokens for one resource.
///
/// ```
/// use gatepass_resource::{Guard, Introspection, IntrospectionVerifier, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let asked = Introspection {
///     issuer: "https://auth.example.com".parse()?,
///     endpoint: "https://auth.example.com/introspect".into(),
///     client_id: "0123".parse()?,
///     client_secret: "shown once by gatepass admin resource add".into(),
/// };
/// let verifier = IntrospectionVerifier::new(asked, "https://api.example.com".parse()?);
/// let guard = Guard::new(verifier, Settings::new("https://api.example.com".parse()?));
/// # let _ = guard;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct IntrospectionVerifier(Arc<Inner>);

struct Inner {
    asked: Introspection,
    audience: ResourceUri,
    authorization: Secret,
    fetcher: Fetcher,
    clock: Clock,
    fresh: Duration,
    answers: Cache<[u8; 32], (Option<VerifiedToken>, UtcMillis)>,
}

impl IntrospectionVerifier {
    /// A verifier for tokens for this resource.
    #[must_use]
    pub fn new(asked: Introspection, audience: ResourceUri) -> Self {
        Self::with(asked, audience, FRESH, Fetcher::default(), Clock::System)
    }

    /// The same, with how long an answer stays good, and its own way to fetch and to tell the time.
    #[must_use]
    pub fn with(asked: Introspection, audience: ResourceUri, fresh: Duration, fetcher: Fetcher, clock: Clock) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(asked.client_id.as_str()), encoded(asked.client_secret.expose()));
        let authorization = format!("Basic {}", STANDARD.encode(pair)).into();
        let answers = Cache::new(CAPACITY);
        Self(Arc::new(Inner { asked, audience, authorization, fetcher, clock, fresh, answers }))
    }

    async fn ask(&self, token: &str) -> Result<Option<VerifiedToken>, Unavailable> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = Request::post(&self.0.asked.endpoint)
            .header(AUTHORIZATION, self.0.authorization.expose())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Bytes::from(form))
            .map_err(|_| Unavailable)?;
        let answer = self.0.fetcher.send(request, Trust::Operator, BOUNDS).await.map_err(|_| Unavailable)?;
        if answer.status() != StatusCode::OK {
            return Err(Unavailable);
        }
        let mut claims: Map<String, Value> = serde_json::from_slice(answer.body()).map_err(|_| Unavailable)?;
        if claims.remove("active") != Some(Value::Bool(true)) {
            return Ok(None);
        }
        let issuer = self.0.asked.issuer.as_str();
        Ok(Expected { issuer, audience: &self.0.audience, now: self.0.clock.now() }.check(claims))
    }
}

impl Verifier for IntrospectionVerifier {
    type Token = VerifiedToken;

    async fn verify(&self, token: &str) -> Result<Option<VerifiedToken>, Unavailable> {
        let HashedToken(key) = HashedToken::of(token);
        let now = self.0.clock.now();
        if let Some((answer, until)) = self.0.answers.get(&key)
            && now < until
        {
            return Ok(answer);
        }
        let answer = self.ask(token).await?;
        let fresh = now.plus(self.0.fresh);
        let until = answer.as_ref().map_or(fresh, |token| token.expires_at.min(fresh));
        self.0.answers.insert(key, (answer.clone(), until));
        Ok(answer)
    }
}
