//! Refreshing (RFC 6749 §6) with rotation (RFC 9700 §4.14.2).
//!
//! 1. The presented token carries its family's identifier; the family says what the token is:
//!    the current one, the one before, or an older one.
//! 2. *Current*: give it up for the next, in a compare-and-set on its hash, and keep the answer
//!    sealed under a key that only the token given up yields.
//! 3. *The one before*: when the answer may have been lost (within thirty seconds, or, where use can be seen, as
//!    long as the new access token was not), the same answer again. So a dropped connection or two processes at
//!    once lose nobody's sign-in.
//!    Both halves ask for the key that the family or the answer is bound to, where it is bound to one.
//! 4. *Older*, or before but settled: there are two holders, and one of them is a thief. The family
//!    ends for both.

use crate::{Asking, Authority, Client, Event, EventKind, Failure};
use gatepass_keys::{HashedToken, PlainToken, SealingKey, TokenId, token::RefreshToken};
use gatepass_oauth::{
    Confirmation, Error, ErrorCode, ResourceUri, Scope, Secret, TokenFormat, TokenResponse, UtcMillis,
};
use gatepass_store::{
    Change,
    access_token::NewAccessToken,
    token_grant::{NewRotation, RevokedBecause, Rotation, TokenGrant},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a repeat of the last rotation is innocent in any case.
const REPEAT: Duration = Duration::from_secs(30);
/// How often a rotation is tried against others on the same family; each that wins makes ours a repeat.
const TRIES: usize = 3;
/// What the key of a sealed answer is derived for.
const PURPOSE: &str = "refresh answer";

/// What a token request with a refresh token says.
#[derive(Debug)]
pub struct RefreshRequest {
    /// The token.
    pub refresh_token: Secret,
    /// Less than was granted, or none.
    pub scope: Option<Scope>,
    /// The same resource again, or none.
    pub resource: Option<ResourceUri>,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    answer: TokenResponse,
    expires_at: UtcMillis,
    /// The key that its access token is bound to: only its holder is given the answer again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmation: Option<Confirmation>,
}

/// What a presented token is to its family.
#[derive(Debug)]
enum Presented<'a> {
    Current,
    Repeat(&'a Rotation),
    /// Innocent only if a use of the new access token would have been seen.
    Unused(&'a Rotation),
    Reused,
}

/// The pure decision of steps 1, 3 and 4.
fn recognise(grant: &TokenGrant, presented: HashedToken, now: UtcMillis) -> Presented<'_> {
    if grant.refresh_hash == Some(presented) {
        return Presented::Current;
    }
    match &grant.last_rotation {
        Some(rotation) if rotation.previous_hash == presented && now < rotation.at.plus(REPEAT) => {
            Presented::Repeat(rotation)
        }
        Some(rotation) if rotation.previous_hash == presented && rotation.successor_used_at.is_none() => {
            Presented::Unused(rotation)
        }
        _ => Presented::Reused,
    }
}

impl Authority {
    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    /// `invalid_grant` for a token that is unknown, over, given up or somebody else's;
    /// `invalid_scope` for more than was granted, or when the client may have nothing of it any more; `invalid_target`
    /// for another resource, or for one that the client may no longer have tokens for.
    pub async fn refresh(&self, asking: Asking<'_>, request: &RefreshRequest) -> Result<TokenResponse, Failure> {
        let unknown = || Error::invalid_grant("the refresh token is unknown, expired or revoked");
        let client = asking.client;
        let presented = PlainToken::<RefreshToken>::parse(request.refresh_token.expose()).ok_or_else(unknown)?;
        let mut remembered = self.0.families.with_current(presented.id(), presented.hash());
        for _ in 0..TRIES {
            let now = self.0.clock.now();
            let grant = match remembered.take() {
                Some(grant) => grant,
                None => Arc::new(self.0.store.token_grant(presented.id()).await?.ok_or_else(unknown)?),
            };
            if grant.client_id != client.id {
                return Err(unknown().with_detail("the refresh token is another client's").into());
            }
            if grant.revoked_at.is_some() {
                return Err(unknown().with_detail("the grant is revoked").into());
            }
            if grant.refresh_expires_at <= now {
                return Err(unknown().with_detail("the refresh token is expired").into());
            }
            // Before anything is changed: who lacks the key can neither refresh nor end the family.
            self.check_confirmation(grant.confirmation.as_ref(), asking, grant.id).await?;
            match recognise(&grant, presented.hash(), now) {
                Presented::Reused => return self.end_family(asking, &grant, now).await,
                Presented::Unused(_) if !self.sees_use_at(&grant.resource).await? => {
                    return self.end_family(asking, &grant, now).await;
                }
                Presented::Repeat(rotation) | Presented::Unused(rotation) => {
                    let (answer, bound) = open_answer(&presented, rotation, now)?;
                    self.check_confirmation(bound.as_ref(), asking, grant.id).await?;
                    self.record(event(EventKind::RefreshRepeated, asking, &grant)).await;
                    return Ok(answer);
                }
                Presented::Current => {}
            }
            let scope = self.still_allowed(client, &grant, request).await?;
            self.note_use(client).await?;
            let (rotation, token, answer) = self.rotation(asking, &grant, &scope, &presented).await?;
            if self.0.store.rotate_refresh_token(&rotation, &token).await? == Change::Made {
                self.0.families.remember(TokenGrant {
                    refresh_hash: Some(rotation.refresh_hash),
                    refresh_expires_at: rotation.refresh_expires_at,
                    last_rotation: None,
                    ..TokenGrant::clone(&grant)
                });
                self.record(event(EventKind::Refreshed, asking, &grant)).await;
                return Ok(answer);
            }
        }
        Err(Failure::internal("a refresh token was contended by too many requests at once"))
    }

    /// What of the grant is asked for and may be had: the client's registration, or the resource's, may say less by now.
    async fn still_allowed(
        &self,
        client: &Client,
        grant: &TokenGrant,
        request: &RefreshRequest,
    ) -> Result<Scope, Failure> {
        let scope = narrowed(grant, request, &client.scope)?;
        let (scope, _) = self.choose_target(client, scope, Some(&grant.resource)).await?;
        Ok(scope)
    }

    async fn rotation(
        &self,
        asking: Asking<'_>,
        grant: &TokenGrant,
        scope: &Scope,
        presented: &PlainToken<RefreshToken>,
    ) -> Result<(NewRotation, NewAccessToken, TokenResponse), Failure> {
        let now = self.0.clock.now();
        let (token, plain) = self.mint_access_token(asking, scope, &grant.resource, now)?;
        let token = NewAccessToken { grant_id: Some(grant.id), user_id: Some(grant.user_id), ..token };
        let (token, text) = self.in_format(token, plain, Some(grant.authentication)).await?;
        let next = PlainToken::<RefreshToken>::with_id(grant.id, &self.0.entropy)?;
        let refresh_hash = next.hash();
        let answer = self.answer(asking, text, Some(next.into_secret()), scope, None);
        let rotation = NewRotation {
            id: grant.id,
            previous_hash: presented.hash(),
            refresh_hash,
            at: now,
            refresh_expires_at: now.plus(self.lifetimes().refresh_token),
            sealed_answer: self.seal_answer(
                presented,
                grant.id,
                &KeptAnswer {
                    answer: answer.clone(),
                    expires_at: token.expires_at,
                    confirmation: token.confirmation.clone(),
                },
            )?,
        };
        Ok((rotation, token, answer))
    }

    fn seal_answer(
        &self,
        presented: &PlainToken<RefreshToken>,
        family: TokenId,
        kept: &KeptAnswer,
    ) -> Result<Vec<u8>, Failure> {
        let text = serde_json::to_vec(kept)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| Failure::internal(error.to_string()))?;
        Ok(SealingKey::from_secret(presented.expose(), PURPOSE).seal(&family.0, &text, &self.0.entropy)?)
    }

    /// Whether the access tokens for a resource come back here when they are used: to our own API, or for introspection.
    /// A JWT is verified elsewhere, and who stands behind an unregistered resource never asks.
    async fn sees_use_at(&self, resource: &ResourceUri) -> Result<bool, Failure> {
        if resource.names_same(self.own_resource()) {
            return Ok(true);
        }
        let registered = self.find_resource(resource).await?;
        Ok(registered.is_some_and(|registered| registered.token_format == TokenFormat::Opaque))
    }

    async fn end_family(
        &self,
        asking: Asking<'_>,
        grant: &TokenGrant,
        now: UtcMillis,
    ) -> Result<TokenResponse, Failure> {
        if self.0.store.revoke_grant(grant.id, RevokedBecause::RefreshReuse, now).await? == Change::Made {
            self.forget_verified();
            self.record(event(EventKind::RefreshReused, asking, grant)).await;
        }
        Err(Error::invalid_grant("the refresh token is unknown, expired or revoked")
            .with_detail("it had been given up")
            .into())
    }
}

fn event(kind: EventKind, asking: Asking<'_>, grant: &TokenGrant) -> Event {
    Event::new(kind).client(&grant.client_id).user(grant.user_id).about(grant.id).from(asking.caller)
}

fn open_answer(
    presented: &PlainToken<RefreshToken>,
    rotation: &Rotation,
    now: UtcMillis,
) -> Result<(TokenResponse, Option<Confirmation>), Failure> {
    let text = SealingKey::from_secret(presented.expose(), PURPOSE).open(&presented.id().0, &rotation.sealed_answer)?;
    let kept: KeptAnswer = serde_json::from_slice(&text).map_err(|_| Failure::internal("a kept answer is damaged"))?;
    // The same tokens; only what is left of their life is told anew.
    let answer = TokenResponse { expires_in: Some(now.until(kept.expires_at).as_secs()), ..kept.answer };
    Ok((answer, kept.confirmation))
}

fn narrowed(grant: &TokenGrant, request: &RefreshRequest, may_have: &Scope) -> Result<Scope, Error> {
    if request.resource.as_ref().is_some_and(|resource| !resource.names_same(&grant.resource)) {
        return Err(Error::new(ErrorCode::InvalidTarget, "a refresh keeps the resource of its grant"));
    }
    let asked = request.scope.as_ref().unwrap_or(&grant.scope);
    if !asked.is_within(&grant.scope) {
        return Err(Error::new(ErrorCode::InvalidScope, "a refresh cannot ask for more than was granted"));
    }
    let scope = asked.intersection(may_have);
    if scope.is_empty() && !asked.is_empty() {
        return Err(Error::new(ErrorCode::InvalidScope, format!("this client may have by now: {may_have}")));
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authentication;
    use gatepass_oauth::SignInMethod;
    use gatepass_store::UserId;

    fn family(last_rotation: Option<Rotation>) -> TokenGrant {
        TokenGrant {
            id: TokenId([1; 16]),
            client_id: "c".parse().unwrap(),
            user_id: UserId([2; 16]),
            scope: Scope::empty(),
            resource: "https://a.example".parse().unwrap(),
            authentication: Authentication { at: UtcMillis(0), method: SignInMethod::Password, session_id: None },
            confirmation: None,
            refresh_hash: Some(HashedToken([3; 32])),
            refresh_expires_at: UtcMillis(i64::MAX),
            last_rotation,
            revoked_at: None,
        }
    }

    fn rotated(successor_used_at: Option<UtcMillis>) -> TokenGrant {
        family(Some(Rotation {
            at: UtcMillis(0),
            previous_hash: HashedToken([4; 32]),
            sealed_answer: vec![],
            successor_used_at,
        }))
    }

    #[test]
    fn the_current_token_is_current_whatever_happened_before() {
        assert!(matches!(recognise(&family(None), HashedToken([3; 32]), UtcMillis(0)), Presented::Current));
        assert!(matches!(
            recognise(&rotated(Some(UtcMillis(1))), HashedToken([3; 32]), UtcMillis(0)),
            Presented::Current
        ));
    }

    #[test]
    fn the_token_before_repeats_for_thirty_seconds_or_until_its_successor_is_used() {
        let before = HashedToken([4; 32]);
        assert!(matches!(recognise(&rotated(Some(UtcMillis(1))), before, UtcMillis(29_999)), Presented::Repeat(_)));
        assert!(matches!(recognise(&rotated(Some(UtcMillis(1))), before, UtcMillis(30_000)), Presented::Reused));
        assert!(matches!(recognise(&rotated(None), before, UtcMillis(29_999)), Presented::Repeat(_)));
        assert!(matches!(recognise(&rotated(None), before, UtcMillis(9_999_999)), Presented::Unused(_)));
    }

    #[test]
    fn any_other_token_of_the_family_is_reused() {
        assert!(matches!(recognise(&family(None), HashedToken([5; 32]), UtcMillis(0)), Presented::Reused));
        assert!(matches!(recognise(&rotated(None), HashedToken([5; 32]), UtcMillis(0)), Presented::Reused));
    }
}
