//! The layer.

use crate::{Refusal, SignInFacts, StepUp, bearer};
use gatepass_keys::Clock;
use gatepass_oauth::{ResourceUri, Scope};
use http::{HeaderMap, Request, Response};
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
        Self {
            audience,
            scope: Scope::empty(),
            metadata_url: None,
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
}

/// The guard, as a tower layer. A request that comes through carries the verifier's token in its
/// extensions.
#[derive(Clone, Debug)]
pub struct Guard<V> {
    verifier: V,
    settings: Arc<Settings>,
}

impl<V: Verifier> Guard<V> {
    /// A guard with its verifier.
    #[must_use]
    pub fn new(verifier: V, settings: Settings) -> Self {
        Self { verifier, settings: Arc::new(settings) }
    }

    /// The answer to a request that the service behind the guard refuses itself.
    #[must_use]
    pub fn refuse<B: From<String>>(&self, refusal: &Refusal) -> Response<B> {
        refusal.response(&self.settings)
    }

    /// The token of a good request; `None` for one that goes on without.
    async fn check(&self, headers: &HeaderMap) -> Result<Option<V::Token>, Refusal> {
        let text = match bearer::extract(headers)? {
            Some(text) => text,
            None if self.settings.missing == Missing::Pass => return Ok(None),
            None => return Err(Refusal::Missing),
        };
        let found = self.verifier.verify(text).await.map_err(|Unavailable| Refusal::Unavailable)?;
        let token = found.ok_or(Refusal::InvalidToken)?;
        if !token.audience().names_same(&self.settings.audience) {
            return Err(Refusal::InvalidToken);
        }
        if !self.settings.scope.is_within(token.scope()) {
            return Err(Refusal::InsufficientScope(self.settings.scope.clone()));
        }
        if !self.settings.step_up.is_satisfied(token.sign_in()) {
            return Err(Refusal::InsufficientUserAuthentication);
        }
        Ok(Some(token))
    }
}

impl<V: Clone, S> Layer<S> for Guard<V> {
    type Service = GuardService<V, S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { guard: self.clone(), inner }
    }
}

/// A service behind its guard.
#[derive(Clone, Debug)]
pub struct GuardService<V, S> {
    guard: Guard<V>,
    inner: S,
}

impl<V, S, B, R> Service<Request<B>> for GuardService<V, S>
where
    V: Verifier,
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
            match guard.check(request.headers()).await {
                Ok(Some(token)) => {
                    request.extensions_mut().insert(token);
                    inner.call(request).await
                }
                Ok(None) => inner.call(request).await,
                Err(refusal) => Ok(guard.refuse(&refusal)),
            }
        })
    }
}
