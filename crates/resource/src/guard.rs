//! The layer.

use crate::{
    Refusal, SignInFacts, StepUp, bearer,
    proof::{NoProofs, ProofRefused, Proofs, ProvenRequest},
};
use gatepass_keys::{ClientCertificate, Clock};
use gatepass_oauth::{Confirmation, ResourceUri, Scheme, Scope, dpop};
use http::{Extensions, HeaderMap, Request, Response};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

/// What a resource asks of its callers.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) audience: ResourceUri,
    pub(crate) scope: Scope,
    pub(crate) metadata_url: Option<String>,
    /// The algorithms of proofs, with spaces between them; `None` when proofs are not offered.
    pub(crate) proof_algorithms: Option<String>,
    public_url: String,
    pub(crate) step_up: StepUp,
    missing: Missing,
}

/// What happens to a request without any credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is refused with a challenge.
    #[default]
    Challenge,
    /// It goes on without a token: the service behind knows another credential and decides. A request
    /// *with* a bearer token that is no good never goes on.
    Pass,
}

impl Settings {
    /// A resource that takes tokens for `audience`.
    #[must_use]
    pub fn new(audience: ResourceUri) -> Self {
        let origin = |url: url::Url| url.origin().ascii_serialization();
        Self {
            public_url: url::Url::parse(audience.as_str()).map(origin).unwrap_or_default(),
            audience,
            scope: Scope::empty(),
            metadata_url: None,
            proof_algorithms: None,
            step_up: StepUp::default(),
            missing: Missing::Challenge,
        }
    }

    /// Every request needs this scope.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Challenges name this metadata document (RFC 9728 §5.1).
    #[must_use]
    pub fn with_metadata_url(self, url: String) -> Self {
        Self { metadata_url: Some(url), ..self }
    }

    /// What stands before the path of a request in the URL that clients know; without it, the origin of the
    /// audience. A proof is made for that URL (RFC 9449 §4.2), so behind a proxy that takes a prefix off the path,
    /// this must name the prefix: `https://api.example.com/v1`. The `Host` header is never asked.
    #[must_use]
    pub fn with_public_url(self, url: &str) -> Self {
        Self { public_url: url.trim_end_matches('/').to_owned(), ..self }
    }

    /// The person must have signed in at most this long ago (RFC 9470).
    #[must_use]
    pub fn with_max_age(self, max_age: Duration, clock: Clock) -> Self {
        Self { step_up: self.step_up.with_max_age(max_age, clock), ..self }
    }

    /// The person must have signed in in one of these authentication context classes (RFC 9470).
    #[must_use]
    pub fn with_acr<T: Into<String>>(self, classes: impl IntoIterator<Item = T>) -> Self {
        Self { step_up: self.step_up.with_acr(classes.into_iter().map(Into::into)), ..self }
    }

    /// What happens to a request without any credential.
    #[must_use]
    pub fn when_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }
}

/// What the guard must know of a verified token.
pub trait TokenFacts {
    /// The resource that the token is for (RFC 8707).
    fn audience(&self) -> &ResourceUri;
    /// What it allows.
    fn scope(&self) -> &Scope;
    /// The key that it is bound to: the member `cnf` of a JWT or of an introspection answer. A verifier that leaves
    /// it out would let a bound token in without its key, so there is no default.
    fn confirmation(&self) -> Option<&Confirmation>;

    /// When and how its person signed in, as far as the token says.
    fn sign_in(&self) -> SignInFacts<'_> {
        SignInFacts::default()
    }
}

/// The verifier cannot answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Tells whether a token is live, and what it stands for: by a look into the same process, or by
/// asking the authorization server.
pub trait Verifier: Clone + Send + Sync + 'static {
    /// What is known of a live token; put into the request's extensions.
    type Token: TokenFacts + Clone + Send + Sync + 'static;

    /// The live token behind a text; `None` when there is none.
    fn verify(&self, token: &str) -> impl Future<Output = Result<Option<Self::Token>, Unavailable>> + Send;

    /// Hears of each request that the guard refuses, before it is answered: for logs, counters and an audit trail.
    fn refused(&self, request: RefusedRequest<'_, Self::Token>) -> impl Future<Output = ()> + Send {
        let _ = request;
        async {}
    }
}

/// A request that is not let in.
#[derive(Debug)]
pub struct RefusedRequest<'a, T> {
    /// Why.
    pub refusal: &'a Refusal,
    /// The token, when it is a live one: for another resource, without a scope, or sent by somebody who does not hold its
    /// key.
    pub token: Option<&'a T>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What the layers outside of the guard have put into it.
    pub extensions: &'a Extensions,
}

/// The guard, as a tower layer. A request that comes through carries the verifier's token in its
/// extensions.
///
/// A token that is bound to a certificate (RFC 8705 §3) comes in only with that certificate: whoever ends the TLS
/// connection puts a [`ClientCertificate`] into the request's extensions. A token that is bound to a key (RFC 9449)
/// comes in only under the scheme `DPoP` and with a proof, once the guard was given [`Guard::with_proofs`].
#[derive(Clone, Debug)]
pub struct Guard<V, P = NoProofs> {
    verifier: V,
    proofs: P,
    settings: Arc<Settings>,
}

/// What the guard looks at in a request.
struct Shown<'a> {
    headers: &'a HeaderMap,
    method: &'a str,
    path: &'a str,
    extensions: &'a Extensions,
}

/// A refusal, and the scheme under which the token was sent or ought to have been.
type Refused = (Scheme, Refusal);

impl<V: Verifier> Guard<V> {
    /// A guard with its verifier.
    #[must_use]
    pub fn new(verifier: V, settings: Settings) -> Self {
        Self { verifier, proofs: NoProofs, settings: Arc::new(settings) }
    }
}

impl<V: Verifier, P: Proofs> Guard<V, P> {
    /// Offers proofs of possession, checked by these.
    #[must_use]
    pub fn with_proofs<Q: Proofs>(self, proofs: Q) -> Guard<V, Q> {
        let names: Vec<&str> =
            proofs.algorithms().iter().flat_map(|algorithm| algorithm.all_names()).copied().collect();
        let proof_algorithms = Some(names.join(" ")).filter(|names| !names.is_empty());
        let settings = Settings { proof_algorithms, ..Settings::clone(&self.settings) };
        Guard { verifier: self.verifier, proofs, settings: Arc::new(settings) }
    }

    /// The answer to a request that the service behind the guard refuses itself. The verifier hears of it.
    pub async fn refuse<B: From<String>>(&self, request: RefusedRequest<'_, V::Token>) -> Response<B> {
        let bound = request.token.and_then(TokenFacts::confirmation);
        let scheme = if let Some(Confirmation::Jkt(_)) = bound { Scheme::Dpop } else { Scheme::Bearer };
        let refusal = request.refusal;
        self.verifier.refused(request).await;
        refusal.response_to(scheme, &self.settings)
    }

    /// The token of a good request; `None` for one that goes on without.
    async fn check(&self, shown: Shown<'_>) -> Result<Option<V::Token>, Refused> {
        let mut live = None;
        let Err((scheme, refusal)) = self.judge(&shown, &mut live).await else { return Ok(live) };
        let Shown { headers, extensions, .. } = shown;
        let request = RefusedRequest { refusal: &refusal, token: live.as_ref(), headers, extensions };
        self.verifier.refused(request).await;
        Err((scheme, refusal))
    }

    /// Whether a request is let in. Its token is left in `live` as soon as it is known to be one.
    async fn judge(&self, shown: &Shown<'_>, live: &mut Option<V::Token>) -> Result<(), Refused> {
        let bearer = |refusal| (Scheme::Bearer, refusal);
        let (scheme, text) = match bearer::credential(shown.headers).map_err(bearer)? {
            // A scheme that is not offered is no credential.
            Some((Scheme::Dpop, _)) if self.settings.proof_algorithms.is_none() => {
                return Err(bearer(Refusal::Missing));
            }
            Some(credential) => credential,
            None if self.settings.missing == Missing::Pass => return Ok(()),
            None => return Err(bearer(Refusal::Missing)),
        };
        let found = self.verifier.verify(text).await.map_err(|Unavailable| (scheme, Refusal::Unavailable))?;
        let token = &*live.insert(found.ok_or((scheme, Refusal::InvalidToken))?);
        if !token.audience().names_same(&self.settings.audience) {
            return Err((scheme, Refusal::InvalidToken));
        }
        match (scheme, token.confirmation()) {
            (Scheme::Bearer, None) => {}
            (scheme, confirmation) => self.check_binding(scheme, confirmation, text, shown).await?,
        }
        if !self.settings.scope.is_within(token.scope()) {
            return Err((scheme, Refusal::InsufficientScope(self.settings.scope.clone())));
        }
        if !self.settings.step_up.is_satisfied(token.sign_in()) {
            return Err((scheme, Refusal::InsufficientUserAuthentication));
        }
        Ok(())
    }

    /// Whether the sender holds the key that the token is bound to, and sent it the way that this asks for.
    async fn check_binding(
        &self,
        scheme: Scheme,
        confirmation: Option<&Confirmation>,
        text: &str,
        shown: &Shown<'_>,
    ) -> Result<(), Refused> {
        let holds = match (scheme, confirmation) {
            (Scheme::Bearer, None) => true,
            (Scheme::Bearer, Some(bound @ Confirmation::X5tS256(_))) => shown
                .extensions
                .get::<ClientCertificate>()
                .is_some_and(|certificate| certificate.confirmation() == *bound),
            // As a bearer token it may be a thief's (RFC 9449 §7.2).
            (Scheme::Bearer, Some(Confirmation::Jkt(_))) => return Err((Scheme::Dpop, Refusal::InvalidToken)),
            (Scheme::Dpop, Some(bound @ Confirmation::Jkt(_))) => self.proven_key(text, shown).await? == *bound,
            (Scheme::Dpop, _) => false,
        };
        if holds { Ok(()) } else { Err((scheme, Refusal::InvalidToken)) }
    }

    /// The key that the request's one proof shows.
    async fn proven_key(&self, text: &str, shown: &Shown<'_>) -> Result<Confirmation, Refused> {
        let mut proofs = shown.headers.get_all(dpop::HEADER).iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else {
            return Err((Scheme::Dpop, Refusal::InvalidProof));
        };
        let proof = proof.to_str().map_err(|_| (Scheme::Dpop, Refusal::InvalidProof))?;
        let url = format!("{}{}", self.settings.public_url, shown.path);
        let Shown { headers, method, extensions, .. } = *shown;
        let request = ProvenRequest { proof, method, url: &url, access_token: text, headers, extensions };
        self.proofs.check(request).await.map_err(|refused| {
            let refusal = match refused {
                ProofRefused::Invalid => Refusal::InvalidProof,
                ProofRefused::UseNonce(nonce) => Refusal::UseNonce(nonce),
                ProofRefused::Unavailable => Refusal::Unavailable,
            };
            (Scheme::Dpop, refusal)
        })
    }
}

impl<V: Clone, P: Clone, S> Layer<S> for Guard<V, P> {
    type Service = GuardService<V, S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { guard: self.clone(), inner }
    }
}

/// A service behind its guard.
#[derive(Clone, Debug)]
pub struct GuardService<V, S, P = NoProofs> {
    guard: Guard<V, P>,
    inner: S,
}

impl<V, S, P, B, R> Service<Request<B>> for GuardService<V, S, P>
where
    V: Verifier,
    P: Proofs,
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The inner service that was polled ready is the one that must be called.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let guard = self.guard.clone();
        Box::pin(async move {
            let shown = Shown {
                headers: request.headers(),
                method: request.method().as_str(),
                path: request.uri().path(),
                extensions: request.extensions(),
            };
            match guard.check(shown).await {
                Ok(Some(token)) => {
                    request.extensions_mut().insert(token);
                    inner.call(request).await
                }
                Ok(None) => inner.call(request).await,
                Err((scheme, refusal)) => Ok(refusal.response_to(scheme, &guard.settings)),
            }
        })
    }
}
