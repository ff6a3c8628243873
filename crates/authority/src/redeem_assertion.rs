//! A signed assertion becomes an access token (RFC 7523 §2.1, RFC 7521 §4.1): a workload shows what its platform says of
//! it, or a client what an identity provider says of a person ([`identity_assertion`](crate::identity_assertion)).
//!
//! 1. Nothing is believed yet but `iss`, which finds the operator's policies. No policy, no further step: nobody makes
//!    this server fetch from an issuer that the operator has not named.
//! 2. The signature is that of the issuer's keys, and the times are good (RFC 7523 §3).
//! 3. A policy takes it: type, audience, subject, claims. What did not match is told, not what would have.
//! 4. What holds for a client that the policy names holds here too: its grant types, and the key that its tokens are
//!    bound to. Scope and resource are those of the policy or less.
//! 5. Its `jti` is used, then the token is kept. There is no refresh token: another assertion is as good (RFC 7521 §4.1).

use crate::{
    Asking, Authority, Client, Event, EventKind, Failure,
    assertion_claims::{AssertionClaims, Single},
    identity_assertion::{self, TYP as IDENTITY},
    pattern,
    trust::trust_name,
};
use gatepass_keys::{HashedToken, JwkSet, jose, jose::JoseHeader, jws};
use gatepass_oauth::{
    ClientId, Confirmation, Error, ErrorCode, GrantType, ResourceUri, Scope, Secret, TokenResponse, UtcMillis,
};
use gatepass_store::{
    Change, UserId,
    access_token::NewAccessToken,
    service_account::ServiceAccount,
    trust::{Trust, TrustGrants},
};
use serde::Deserialize;
use std::{borrow::Cow, sync::Arc};

/// `typ` of an assertion that says one (draft-ietf-oauth-rfc7523bis §4); most say `JWT`, or nothing.
const TYP: &str = "authorization-grant+jwt";

/// What a token request with an assertion says.
#[derive(Debug)]
pub struct AssertionRequest {
    /// The assertion.
    pub assertion: Secret,
    /// Less than the policy allows, or none.
    pub scope: Option<Scope>,
    /// The policy's resource, or none.
    pub resource: Option<ResourceUri>,
}

/// Whom a token stands for.
pub(crate) enum Bearer {
    Service(ServiceAccount),
    Client(Arc<Client>),
    User(UserId),
}

/// An assertion that its issuer has signed, with the policy that takes it.
struct Taken {
    claims: AssertionClaims,
    header: JoseHeader,
    policy: Trust,
}

/// An assertion that is no good, and what is wrong with it.
pub(crate) fn refused(what: impl Into<Cow<'static, str>>) -> Error {
    Error::invalid_grant(format!("the assertion is refused: {}", what.into()))
}

/// An assertion that is bound to a key (`cnf`) comes with a proof of that key.
fn check_key(asking: Asking<'_>, claims: &AssertionClaims) -> Result<(), Error> {
    let Some(said) = claims.others.get("cnf") else { return Ok(()) };
    let bound = Confirmation::deserialize(said).map_err(|_| refused("it is bound in a way that is not known here"))?;
    match asking.confirmation == Some(&bound) {
        true => Ok(()),
        false => Err(refused("it is bound to a key that this request has not shown")),
    }
}

impl Authority {
    /// Gives a token for an assertion.
    ///
    /// # Errors
    /// `invalid_grant` with what did not match; `invalid_scope`; `invalid_target`.
    pub async fn redeem_assertion(
        &self,
        asking: Asking<'_>,
        request: &AssertionRequest,
    ) -> Result<TokenResponse, Failure> {
        let taken = self.take_assertion(request).await;
        let policy = taken.as_ref().ok().map(|taken| taken.policy.id);
        let outcome = match taken {
            Ok(taken) => self.redeem_taken(asking, &taken, request).await,
            Err(failure) => Err(failure),
        };
        if let Err(Failure::Protocol(error)) = &outcome {
            let event = Event::new(EventKind::AssertionRefused).client(&asking.client.id).from(asking.caller);
            let event = policy.into_iter().fold(event, Event::about);
            self.record(event.detail(&error.description)).await;
        }
        outcome
    }

    /// Steps 1 to 3.
    async fn take_assertion(&self, request: &AssertionRequest) -> Result<Taken, Failure> {
        let (header, claims) = jose::unverified::<AssertionClaims>(request.assertion.expose())
            .ok_or_else(|| refused("it is no JWT with iss, sub, aud and exp"))?;
        if !claims.names_an_issuer() {
            return Err(refused("its issuer is not trusted").into());
        }
        let mut policies = self.0.store.trust_in(&claims.iss).await?;
        if policies.is_empty() {
            return Err(refused("its issuer is not trusted").into());
        }
        let is_identity = header.is_of_type(IDENTITY);
        // The issuer signs other things too: what says that it is one of those is no assertion (RFC 8725 §3.12).
        if header.has_own_type() && !is_identity && !header.is_of_type(TYP) {
            return Err(refused("its type is not that of an assertion").into());
        }
        policies.retain(|policy| policy.grants.is_person() == is_identity);
        let policies = self.signed_by(policies, &header, request, &claims.iss).await?;
        claims.check_times(self.0.clock.now()).map_err(refused)?;
        let policy = self.matching(policies, &claims, request).map_err(refused)?;
        Ok(Taken { claims, header, policy })
    }

    /// Steps 4 and 5.
    async fn redeem_taken(
        &self,
        asking: Asking<'_>,
        taken: &Taken,
        request: &AssertionRequest,
    ) -> Result<TokenResponse, Failure> {
        let Taken { claims, policy, .. } = taken;
        check_key(asking, claims)?;
        let bearer = self.bearer(asking, taken).await?;
        // A policy that names a client makes it the one that asks.
        let asking = match &bearer {
            Bearer::Client(client) => Asking { client, ..asking },
            Bearer::Service(_) | Bearer::User(_) => asking,
        };
        asking.check_grant_type(GrantType::JwtBearer)?;
        self.check_binding_demand(asking)?;
        let (scope, resource) = self.what_and_where(asking, policy, &bearer, claims, request).await?;
        self.use_up(policy, claims, self.0.clock.now()).await?;
        self.give(asking, policy, &bearer, &scope, &resource).await
    }

    /// Step 2: the policies whose keys have signed it.
    async fn signed_by(
        &self,
        policies: Vec<Trust>,
        header: &JoseHeader,
        request: &AssertionRequest,
        issuer: &str,
    ) -> Result<Vec<Trust>, Failure> {
        if policies.is_empty() {
            return Err(refused("its issuer is not trusted with assertions of this type").into());
        }
        let mut judged: Vec<(Arc<JwkSet>, bool)> = Vec::new();
        let mut signed = Vec::new();
        let mut why = None;
        for policy in policies {
            let keys = match &policy.jwks {
                Some(keys) => Arc::new(keys.clone()),
                None => match self.issuer_keys(issuer, header.kid.as_deref()).await {
                    Ok(keys) => keys,
                    Err(reason) => {
                        why = Some(reason);
                        continue;
                    }
                },
            };
            let known = judged.iter().find(|(known, _)| *known == keys).map(|(_, good)| *good);
            let good = known
                .unwrap_or_else(|| jws::verify::<serde::de::IgnoredAny>(request.assertion.expose(), &keys).is_ok());
            if known.is_none() {
                judged.push((keys, good));
            }
            if good {
                signed.push(policy);
            }
        }
        match (signed.is_empty(), why) {
            (false, _) => Ok(signed),
            (true, Some(why)) if judged.is_empty() => {
                Err(refused("the keys of its issuer cannot be had now").with_detail(why).into())
            }
            (true, _) => Err(refused("its signature is not that of its issuer").into()),
        }
    }

    /// Step 3.
    fn matching(
        &self,
        policies: Vec<Trust>,
        claims: &AssertionClaims,
        request: &AssertionRequest,
    ) -> Result<Trust, &'static str> {
        let (issuer, endpoint) = (self.issuer().as_str(), self.issuer().endpoint("/token"));
        let is_for = |policy: &Trust, audience: &str| {
            let is_identity = policy.grants.is_person();
            audience == issuer
                || !is_identity && (audience == endpoint || policy.audiences.iter().any(|known| known == audience))
        };
        let mut left = policies;
        left.retain(|policy| claims.aud.iter().any(|audience| is_for(policy, audience)));
        if left.is_empty() {
            return Err("its aud is not this server");
        }
        left.retain(|policy| pattern::matches(&policy.subject, &claims.sub));
        if left.is_empty() {
            return Err("its sub matches no policy");
        }
        left.retain(|policy| policy.claims.iter().all(|(name, value)| claims.is_equal(name, value)));
        if left.is_empty() {
            return Err("its claims match no policy");
        }
        let fits = |policy: &Trust| match (&policy.resource, &request.resource) {
            (Some(policy), Some(asked)) => policy.names_same(asked),
            _ => true,
        };
        let place = left.iter().position(fits).unwrap_or(0);
        Ok(left.swap_remove(place))
    }

    async fn bearer(&self, asking: Asking<'_>, taken: &Taken) -> Result<Bearer, Failure> {
        match &taken.policy.grants {
            TrustGrants::Service(id) => {
                let service = self.0.store.service(*id).await?.filter(|service| service.disabled_at.is_none());
                service.map(Bearer::Service).ok_or_else(|| refused("its service account is disabled").into())
            }
            TrustGrants::Client(id) if asking.client.id == *id || self.is_workload(asking.client) => {
                let client = self.find_client(id).await?;
                client.map(Bearer::Client).ok_or_else(|| refused("its client is gone").into())
            }
            TrustGrants::Client(_) => Err(refused("it stands for another client").into()),
            TrustGrants::UserByEmail(email) => {
                debug_assert!(taken.header.is_of_type(IDENTITY));
                self.person_of(asking, &taken.claims, *email).await.map(Bearer::User)
            }
        }
    }

    /// Step 4.
    async fn what_and_where(
        &self,
        asking: Asking<'_>,
        policy: &Trust,
        bearer: &Bearer,
        claims: &AssertionClaims,
        request: &AssertionRequest,
    ) -> Result<(Scope, ResourceUri), Failure> {
        let mut most = policy.scope.clone();
        if let Bearer::Client(client) = bearer {
            most = most.intersection(&client.scope);
        }
        let mut asked = request.resource.as_ref();
        let target: Option<ResourceUri>;
        if let Bearer::User(_) = bearer {
            most = most.intersection(&asking.client.scope);
            let least: Option<Scope> = claims.parsed("scope").map_err(|_| refused("its scope is no list of names"))?;
            most = least.map_or(most.clone(), |scope| most.intersection(&scope));
            target = identity_assertion::target(claims, asked)?;
            asked = target.as_ref();
        }
        let scope = match &request.scope {
            None => most,
            Some(asked) if asked.is_within(&most) => asked.clone(),
            Some(_) => {
                return Err(Error::new(ErrorCode::InvalidScope, "this is more than the assertion gives").into());
            }
        };
        match (&policy.resource, asked) {
            (Some(own), Some(asked)) if !own.names_same(asked) => {
                Err(Error::new(ErrorCode::InvalidTarget, "the assertion gives no tokens for this resource").into())
            }
            (Some(own), _) => match self.find_resource(own).await? {
                Some(resource) => Ok((self.narrow_to(&resource, &scope)?, resource.uri.clone())),
                None => Ok((scope, own.clone())),
            },
            (None, asked) => self.choose_target(asking.client, scope, asked).await,
        }
    }

    /// Step 5: of many who bring the same assertion one gets the token.
    async fn use_up(&self, policy: &Trust, claims: &AssertionClaims, now: UtcMillis) -> Result<(), Failure> {
        match claims.single_use(policy.reusable_since, now).map_err(refused)? {
            Single::MayRepeat => Ok(()),
            Single::Once { jti, until } => {
                // Names of clients are random or https URLs: none is like this one.
                let HashedToken(hash) = HashedToken::of(&policy.issuer);
                let holder: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                let holder: ClientId = format!("trust:{holder}")
                    .parse()
                    .map_err(|_| Failure::internal("an issuer's hash is no identifier"))?;
                match self.0.store.use_assertion(&holder, jti, until).await? {
                    Change::Made => Ok(()),
                    Change::TooLate => Err(refused("its jti was used before").into()),
                }
            }
        }
    }

    async fn give(
        &self,
        asking: Asking<'_>,
        policy: &Trust,
        bearer: &Bearer,
        scope: &Scope,
        resource: &ResourceUri,
    ) -> Result<TokenResponse, Failure> {
        let now = self.0.clock.now();
        let (token, plain) = self.mint_access_token(asking, scope, resource, now)?;
        let mut token =
            NewAccessToken { expires_at: now.plus(policy.lifetime.min(self.lifetimes().access_token)), ..token };
        let event = Event::new(EventKind::AssertionAccepted).client(&asking.client.id).about(token.id);
        let (issuer, name) = (&policy.issuer, trust_name(policy));
        let event = match bearer {
            Bearer::Service(service) => {
                token.service_id = Some(service.id);
                event.detail(format_args!("service account {} by trust policy {name} of {issuer}", service.name))
            }
            Bearer::Client(_) => event.detail(format_args!("client by trust policy {name} of {issuer}")),
            Bearer::User(id) => {
                token.user_id = Some(*id);
                event.user(*id).detail(format_args!("person by trust policy {name} of {issuer}"))
            }
        };
        let (token, text) = self.in_format(token, plain, None).await?;
        self.0.store.add_access_token(&token).await?;
        self.record(event.from(asking.caller)).await;
        let expires_in = Some(now.until(token.expires_at).as_secs());
        Ok(TokenResponse { expires_in, ..self.answer(asking, text, None, scope, None) })
    }
}
