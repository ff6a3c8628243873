//! Tokens that may do less than the sign-in (RFC 8693): fewer scopes, another API, a shorter life.
//!
//! 1. Take the sign-in's access token, refreshed if it nears its end.
//! 2. Exchange it at the sign-in's own server, as the sign-in's own client (§2.1). The sign-in itself stays as it is.
//! 3. A server that offers no exchange is asked for the same by a refresh with `scope` (RFC 6749 §6) and `resource`
//!    (RFC 8707 §2.2), with all that protects any refresh. If that rotates the refresh token, the new one is in the vault
//!    before anything else happens. Before it is asked, the vault is told that the refresh token is shown for less: if the
//!    answer is lost, a server that repeats itself could give it to the next refresh, which must not take it for the
//!    sign-in's own.
//! 4. What comes back is measured: a token that may do more, or lives longer, than was asked for is not handed on.
//!
//! RFC 8693 has no parameter for the life of a token. gatepass's server takes `requested_expiry`; another one that passes
//! it over is found out in step 4. There is nothing of all this on the disk: whoever wants to keep such tokens for their
//! life keeps them in memory, as [`crate::agent`] does.
//!
//! A service or a workload ([`Grant`]) has no refresh token: the request of its sign-in is made again, for less. A workload
//! without a client cannot exchange, so that is done at once.
//!
//! A refusal here says something about what was asked, never about the sign-in, which only a plain refresh may end.

use crate::{
    AccountId, Bearer, BearerError, ClientAuthentication, Failure, Refusal, Renewal, SignIn, SignIns, Tokens,
    Transient, Unreachable, VaultError, grant::NotGranted, id_token, refresh::Presented, token_endpoint::TokenEndpoint,
};
use gatepass_oauth::{ErrorCode, ResourceUri, Scope, Secret, TokenResponse, UtcMillis};
use std::time::Duration;

/// A subject token that is younger than this is not replaced because an exchange was refused: somebody who asks for
/// nonsense all the time would have us refresh all the time.
const YOUNG: Duration = Duration::from_secs(30);

/// What a token is to be narrowed to. Empty, it is the sign-in's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Narrowing {
    /// What it may do.
    pub scope: Option<Scope>,
    /// Which API it is for (RFC 8707).
    pub resource: Option<ResourceUri>,
    /// The same by a name, at servers that call their APIs so (RFC 8693 §2.1).
    pub audience: Option<String>,
    /// How long it lives at most; whole seconds, at least one.
    pub ttl: Option<Duration>,
}

/// What was asked for is above a ceiling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AboveCeiling {
    /// More scopes than the ceiling has.
    #[error("the scope here is at most '{0}'")]
    Scope(Scope),
    /// None of the sign-in's scopes is under the ceiling.
    #[error("the sign-in has nothing of the scope '{0}', which is the most that is given here")]
    NoScope(Scope),
    /// Another API than the ceiling's.
    #[error("tokens here are for {0} only")]
    Target(String),
}

/// Why there is no narrowed token.
#[derive(Debug, thiserror::Error)]
pub enum NarrowError {
    /// There is no token to narrow.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The server said no.
    #[error("the server gives no such token: {0}")]
    Refused(Refusal),
    /// The server has no way to narrow a token so.
    #[error("the server offers no token exchange")]
    NotOffered,
    /// The server gave more than was asked for.
    #[error("the server gave a token that may do more than was asked for; it is not used")]
    Wider,
    /// The server gave a token for another API.
    #[error("the server gave a token that is not for the API that was asked for; it is not used")]
    Elsewhere,
    /// The server does not shorten the life of a token.
    #[error("the server gave a token that lives longer than was asked for; it is not used")]
    TooLong,
}

impl From<Failure> for NarrowError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            other => Self::Bearer(BearerError::Transient(Transient::Server(other))),
        }
    }
}

impl From<NotGranted> for NarrowError {
    fn from(error: NotGranted) -> Self {
        match error {
            NotGranted::Server(failure) => failure.into(),
            NotGranted::NoAssertion(none) => Self::Bearer(BearerError::Transient(none.into())),
        }
    }
}

impl From<VaultError> for NarrowError {
    fn from(error: VaultError) -> Self {
        Self::Bearer(error.into())
    }
}

impl Narrowing {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This, under a ceiling, of a sign-in that was granted so much. What is not asked for is the ceiling's.
    ///
    /// # Errors
    /// [`AboveCeiling`].
    pub fn under(&self, ceiling: &Self, granted: &Scope) -> Result<Self, AboveCeiling> {
        let scope = match (&self.scope, &ceiling.scope) {
            (asked, None) => asked.clone(),
            (Some(asked), Some(most)) if asked.is_within(most) => Some(asked.clone()),
            (Some(_), Some(most)) => return Err(AboveCeiling::Scope(most.clone())),
            (None, Some(most)) => {
                let both = granted.intersection(most);
                if both.is_empty() {
                    return Err(AboveCeiling::NoScope(most.clone()));
                }
                Some(both)
            }
        };
        // A target of the other kind would be one beside it.
        match (&ceiling.resource, &ceiling.audience) {
            (Some(only), None) if self.audience.is_some() => return Err(AboveCeiling::Target(only.to_string())),
            (None, Some(only)) if self.resource.is_some() => return Err(AboveCeiling::Target(only.clone())),
            _ => {}
        }
        let resource = match (&self.resource, &ceiling.resource) {
            (Some(asked), Some(only)) if !asked.names_same(only) => {
                return Err(AboveCeiling::Target(only.to_string()));
            }
            (_, Some(only)) => Some(only.clone()),
            (asked, None) => asked.clone(),
        };
        let audience = match (&self.audience, &ceiling.audience) {
            (Some(asked), Some(only)) if asked != only => return Err(AboveCeiling::Target(only.clone())),
            (_, Some(only)) => Some(only.clone()),
            (asked, None) => asked.clone(),
        };
        let ttl = [self.ttl, ceiling.ttl].into_iter().flatten().min();
        Ok(Self { scope, resource, audience, ttl })
    }

    /// Whether the sign-in's own token is already what is asked for.
    #[must_use]
    pub fn is_met_by(&self, sign_in: &SignIn) -> bool {
        let same_scope = |scope: &Scope| sign_in.tokens.as_ref().is_some_and(|tokens| tokens.scope == *scope);
        let same_resource =
            |resource: &ResourceUri| sign_in.resource.as_ref().is_some_and(|own| own.names_same(resource));
        self.ttl.is_none()
            && self.audience.is_none()
            && self.resource.as_ref().is_none_or(same_resource)
            && self.scope.as_ref().is_none_or(same_scope)
    }

    /// Step 4. A scope that the answer does not name is the one that was asked for (RFC 6749 §5.1). For which API an opaque
    /// token is cannot be seen; a JWT tells.
    fn measure(&self, response: TokenResponse, granted: &Scope, at: UtcMillis) -> Result<Tokens, NarrowError> {
        let most = self.scope.as_ref().unwrap_or(granted);
        if self.scope.is_some() && response.scope.as_ref().is_some_and(|scope| !scope.is_within(most)) {
            return Err(NarrowError::Wider);
        }
        let asked_for = |audience: &str| {
            self.resource.as_ref().is_some_and(|asked| audience.parse().is_ok_and(|of| asked.names_same(&of)))
        };
        if self.resource.is_some() && id_token::is_for_others(&response.access_token, asked_for) {
            return Err(NarrowError::Elsewhere);
        }
        let short = |ttl: Duration| response.expires_in.is_some_and(|life| life <= ttl.as_secs().max(1));
        if !self.ttl.is_none_or(short) {
            return Err(NarrowError::TooLong);
        }
        let tokens = Tokens::from_response(response, most, None, at);
        Ok(Tokens { refresh_token: None, ..tokens })
    }
}

impl SignIns {
    /// A token of an account that may do no more than `narrowing` says, which lives `at_least` so long if it can. It has
    /// no refresh token, and nothing of it is kept.
    ///
    /// # Errors
    /// [`NarrowError`]; whatever it is, the sign-in is kept unless it is [`BearerError::Rejected`].
    pub async fn narrowed(
        &self,
        account: &AccountId,
        narrowing: &Narrowing,
        at_least: Option<Duration>,
    ) -> Result<Tokens, NarrowError> {
        // Step 1.
        self.bearer(account, at_least).await?;
        let (sign_in, tokens) = self.signed_in(account).await?;
        if narrowing.is_met_by(&sign_in) {
            return Ok(Tokens { refresh_token: None, ..tokens });
        }
        if matches!(sign_in.authentication, ClientAuthentication::Nameless) {
            return self.narrowed_by_refresh(account, narrowing).await;
        }
        // Step 2.
        match self.exchange(&sign_in, &tokens, narrowing).await {
            Err(NarrowError::Refused(refusal)) if is_not_offered(&refusal) => {
                self.narrowed_by_refresh(account, narrowing).await
            }
            Err(NarrowError::Refused(refusal)) if self.may_be_stale(&refusal, &tokens) => {
                let used = Bearer::of(&sign_in).ok_or(BearerError::SignedOut)?;
                self.refresh_after_401(account, &used).await?;
                let (sign_in, tokens) = self.signed_in(account).await?;
                self.exchange(&sign_in, &tokens, narrowing).await
            }
            outcome => outcome,
        }
    }

    /// The same, to be used.
    ///
    /// # Errors
    /// [`NarrowError`].
    pub async fn narrowed_bearer(
        &self,
        account: &AccountId,
        narrowing: &Narrowing,
        at_least: Option<Duration>,
    ) -> Result<Bearer, NarrowError> {
        if narrowing.is_empty() {
            return Ok(self.bearer(account, at_least).await?);
        }
        let tokens = self.narrowed(account, narrowing, at_least).await?;
        let sign_in = self.stored(account).await?.ok_or(BearerError::SignedOut)?;
        Ok(Bearer::of(&SignIn { tokens: Some(tokens), ..sign_in }).ok_or(BearerError::SignedOut)?)
    }

    async fn exchange(&self, sign_in: &SignIn, of: &Tokens, to: &Narrowing) -> Result<Tokens, NarrowError> {
        let endpoint = TokenEndpoint {
            asker: sign_in.asker(self),
            url: &sign_in.token_endpoint,
            resource: to.resource.as_ref(),
            audience: None,
            provider: sign_in.terms.provider(),
        };
        let requested_at = self.clock().now();
        let response = endpoint.exchange(&of.access_token, to).await?;
        to.measure(response, &of.scope, requested_at)
    }

    /// Step 3. The same lock, rehearsal and order as for any refresh.
    async fn narrowed_by_refresh(&self, account: &AccountId, to: &Narrowing) -> Result<Tokens, NarrowError> {
        if to.ttl.is_some() || to.audience.is_some() {
            return Err(NarrowError::NotOffered);
        }
        let (sign_in, tokens) = self.signed_in(account).await?;
        if !sign_in.renewal.is_of_a_person() {
            return self.granted_less(&sign_in, &tokens, to).await;
        }
        let lock = self.settle(account).await?;
        let (this, account, to) = (self.clone(), account.clone(), to.clone());
        let working = self.see_through(async move {
            let held = || match lock.is_held() {
                true => Ok(()),
                false => Err(BearerError::Transient(Transient::Busy)),
            };
            this.with_vault(|vault| vault.rehearse()).await?;
            held()?;
            this.settle_what_was_lost(&account).await?;
            let (sign_in, shown) = this.about_to_narrow(&account).await?;
            held()?;
            this.refresh_to_less(&sign_in, &shown, &to).await
        });
        working.await?
    }

    /// The answer to an earlier refresh for less was lost: asked again, the server could give that one.
    async fn settle_what_was_lost(&self, account: &AccountId) -> Result<(), NarrowError> {
        let (sign_in, tokens) = self.signed_in(account).await?;
        let Some(refresh_token) = tokens.refresh_token.clone().filter(|_| tokens.asked_for_less) else { return Ok(()) };
        match self.fetch(Presented { sign_in, refresh_token: Some(refresh_token) }).await {
            Ok(Renewal::Refreshed(_)) => Ok(()),
            Ok(Renewal::Rejected(refusal)) => Err(BearerError::Rejected(refusal).into()),
            Ok(Renewal::SignedOut) => Err(BearerError::SignedOut.into()),
            Ok(Renewal::Transient { cause, .. }) | Err(cause) => Err(BearerError::Transient(cause).into()),
        }
    }

    /// Notes in the vault that the refresh token is shown for less.
    async fn about_to_narrow(&self, account: &AccountId) -> Result<(SignIn, Secret), NarrowError> {
        let id = account.clone();
        let marked = self.with_vault(move |vault| {
            vault.update(|contents| {
                let sign_in = contents.get_mut(&id)?;
                let tokens = sign_in.tokens.as_mut()?;
                let shown = tokens.refresh_token.clone()?;
                tokens.asked_for_less = true;
                Some((sign_in.clone(), shown))
            })
        });
        marked.await?.ok_or(NarrowError::NotOffered)
    }

    async fn refresh_to_less(&self, sign_in: &SignIn, shown: &Secret, to: &Narrowing) -> Result<Tokens, NarrowError> {
        let (endpoint, requested_at) = (self.endpoint_for(sign_in, to), self.clock().now());
        let first = endpoint.refresh_to(shown, to.scope.as_ref()).await;
        let is_broken_off = matches!(first, Err(Failure::Unreachable { why: Unreachable::BrokenOff, .. }));
        let answer = match is_broken_off {
            true => endpoint.refresh_to(shown, to.scope.as_ref()).await,
            false => first,
        };
        let next = match &answer {
            Ok(response) => response.refresh_token.as_ref().unwrap_or(shown).clone(),
            // What was refused has changed nothing at the server; what broke off before may have.
            Err(Failure::Refused(_)) if !is_broken_off => shown.clone(),
            Err(failure) => return Err(failure.clone().into()),
        };
        self.keep_rotation(&sign_in.account.id(), shown, next).await?;
        let granted = sign_in.tokens.as_ref().map_or(&sign_in.scope, |tokens| &tokens.scope);
        to.measure(answer?, granted, requested_at)
    }

    /// The sign-in of a service rests on no refresh token: its request is made again, for less.
    async fn granted_less(&self, sign_in: &SignIn, of: &Tokens, to: &Narrowing) -> Result<Tokens, NarrowError> {
        let (endpoint, requested_at) = (self.endpoint_for(sign_in, to), self.clock().now());
        let scope = to.scope.as_ref().unwrap_or(&sign_in.scope);
        let (response, _) = Box::pin(sign_in.renewal.ask(self.transport(), &endpoint, scope)).await?;
        to.measure(response, &of.scope, requested_at)
    }

    fn endpoint_for<'a>(&'a self, sign_in: &'a SignIn, to: &'a Narrowing) -> TokenEndpoint<'a> {
        TokenEndpoint {
            asker: sign_in.asker(self),
            url: &sign_in.token_endpoint,
            resource: to.resource.as_ref().or(sign_in.resource.as_ref()),
            audience: sign_in.terms.audience.as_deref(),
            provider: sign_in.terms.provider(),
        }
    }

    /// Step 5 of a refresh for less: the next refresh token alone takes the place of the one that was presented. The access
    /// token stays, and with it its generation; it is what comes back.
    pub(crate) async fn keep_rotation(
        &self,
        account: &AccountId,
        shown: &Secret,
        next: Secret,
    ) -> Result<Option<Bearer>, VaultError> {
        let (account, shown) = (account.clone(), shown.clone());
        self.with_vault(move |vault| {
            vault.update(|contents| {
                let sign_in = contents.get_mut(&account)?;
                if let Some(tokens) = sign_in.tokens.as_mut().filter(|tokens| tokens.is_refreshed_with(&shown)) {
                    (tokens.refresh_token, tokens.asked_for_less) = (Some(next), false);
                }
                Bearer::of(sign_in)
            })
        })
        .await
    }

    async fn signed_in(&self, account: &AccountId) -> Result<(SignIn, Tokens), BearerError> {
        let sign_in = self.stored(account).await?.ok_or(BearerError::SignedOut)?;
        let tokens = sign_in.tokens.clone().ok_or(BearerError::SignedOut)?;
        Ok((sign_in, tokens))
    }

    /// RFC 8693 §2.2.2: a subject token that is over before its time is an `invalid_request`, as many other things are.
    fn may_be_stale(&self, refusal: &Refusal, subject: &Tokens) -> bool {
        (refusal.is(ErrorCode::InvalidRequest) || refusal.is(ErrorCode::InvalidGrant))
            && subject.obtained_at.until(self.clock().now()) >= YOUNG
    }
}

fn is_not_offered(refusal: &Refusal) -> bool {
    refusal.is(ErrorCode::UnsupportedGrantType) || refusal.is(ErrorCode::UnauthorizedClient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    fn of(names: Option<&str>, resource: Option<&str>, ttl: Option<u64>) -> Narrowing {
        Narrowing {
            scope: names.map(scope),
            resource: resource.map(|uri| uri.parse().unwrap()),
            audience: None,
            ttl: ttl.map(Duration::from_secs),
        }
    }

    #[test]
    fn nothing_gets_above_a_ceiling() {
        let ceiling = of(Some("read list"), Some("https://a.example"), Some(300));
        let granted = scope("read write");
        let under = |asked: Narrowing| asked.under(&ceiling, &granted);
        assert_eq!(under(of(None, None, None)), Ok(of(Some("read"), Some("https://a.example"), Some(300))));
        assert_eq!(
            under(of(Some("list"), Some("https://a.example/"), Some(60))),
            Ok(of(Some("list"), Some("https://a.example"), Some(60)))
        );
        assert_eq!(under(of(None, None, Some(9999))).unwrap().ttl, Some(Duration::from_secs(300)));
        assert_eq!(under(of(Some("write"), None, None)), Err(AboveCeiling::Scope(scope("read list"))));
        assert_eq!(under(of(Some("read write"), None, None)), Err(AboveCeiling::Scope(scope("read list"))));
        assert!(matches!(under(of(None, Some("https://b.example"), None)), Err(AboveCeiling::Target(_))));
        let by_name = Narrowing { audience: Some("api".into()), ..Narrowing::default() };
        assert_eq!(under(by_name.clone()), Err(AboveCeiling::Target("https://a.example".into())));
        let beside = of(None, Some("https://a.example"), None).under(&by_name, &granted);
        assert_eq!(beside, Err(AboveCeiling::Target("api".into())));
        let both = Narrowing { resource: Some("https://a.example".parse().unwrap()), ..by_name.clone() };
        assert_eq!(by_name.under(&both, &granted), Ok(both));
        let foreign = Narrowing::default().under(&of(Some("admin"), None, None), &granted);
        assert_eq!(foreign, Err(AboveCeiling::NoScope(scope("admin"))));
        let free = Narrowing::default();
        assert_eq!(of(Some("x"), None, Some(5)).under(&free, &granted), Ok(of(Some("x"), None, Some(5))));
    }

    #[test]
    fn an_answer_that_is_more_than_was_asked_for_is_not_used() {
        let measure = |asked: &Narrowing, answer: serde_json::Value| {
            let mut answer = answer;
            answer["access_token"] = "a".into();
            answer["token_type"] = "Bearer".into();
            answer["refresh_token"] = "r".into();
            asked.measure(serde_json::from_value(answer).unwrap(), &scope("read write"), UtcMillis(0))
        };
        let asked = of(Some("read"), None, Some(60));
        let good = measure(&asked, serde_json::json!({ "expires_in": 60 })).unwrap();
        assert_eq!(
            (good.scope, good.refresh_token.is_none()),
            (scope("read"), true),
            "a refresh token is never handed on"
        );
        let wider = serde_json::json!({ "expires_in": 60, "scope": "read write" });
        assert!(matches!(measure(&asked, wider), Err(NarrowError::Wider)));
        for life in [serde_json::json!({ "expires_in": 61 }), serde_json::json!({})] {
            assert!(matches!(measure(&asked, life), Err(NarrowError::TooLong)));
        }
        assert!(measure(&of(None, None, None), serde_json::json!({ "scope": "other" })).is_ok());
    }

    #[test]
    fn a_token_that_says_it_is_for_another_api_is_not_used() {
        let measure = |resource: Option<&str>, claims: &str| {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            let answer = serde_json::json!({ "access_token": token, "token_type": "Bearer" });
            of(None, resource, None).measure(serde_json::from_value(answer).unwrap(), &scope("read"), UtcMillis(0))
        };
        let asked = Some("https://a.example/v1");
        for good in
            [r#"{"aud":"https://a.example/v1"}"#, r#"{"aud":["x","HTTPS://A.example/v1"]}"#, r#"{"sub":"x"}"#, "x"]
        {
            assert!(measure(asked, good).is_ok(), "{good}");
        }
        for bad in [r#"{"aud":"https://b.example"}"#, r#"{"aud":[]}"#, r#"{"aud":["https://a.example"]}"#] {
            assert!(matches!(measure(asked, bad), Err(NarrowError::Elsewhere)), "{bad}");
            assert!(measure(None, bad).is_ok(), "nothing was asked for");
        }
    }
}
