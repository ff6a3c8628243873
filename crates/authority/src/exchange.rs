//! Token exchange (RFC 8693): a token becomes one that may do less, for the same subject.
//!
//! 1. The subject token is a live access token of ours. The client that it was given to may narrow it; the resource
//!    server that it is for may carry its caller's request further down, if it was registered for that.
//! 2. The result is never wider: its scope is within the subject's, it ends no later, and with what the subject's ends.
//! 3. It is for the subject's own resource, or for another one that the client may have tokens for. A client that takes a
//!    person's token elsewhere needs that person's consent to that. A resource server has the operator's word, for the
//!    resources that it was registered with, and not for those that are open to all. No other token goes elsewhere: not
//!    one that stands for a service or a client, or comes from an assertion, since a policy says where those are for; and
//!    not one that somebody acts with already, since the consent was not to that. A public client cannot prove that it is
//!    the one that the token was given to: whoever the token was shown to could say so. It takes elsewhere only what is
//!    bound to its key, or what nobody but this server has seen.
//! 4. Who acts for the subject is told in `act`, the last actor outermost (§4.1). Only the client that the token was given
//!    to may leave no trace: it acts for the subject already.
//! 5. What is bound to a key is exchanged by the holder of the key only.
//! 6. It lives as long as the operator says, or shorter when the client asks so with `requested_expiry`. RFC 8693 has no
//!    parameter for it; this one is borrowed from OpenID Connect CIBA §7.1, where it means the same of another answer.

use crate::{Asking, Authority, Event, EventKind, Failure, LiveAccessToken, introspect::subject};
use gatepass_keys::TokenId;
use gatepass_oauth::{
    Error, ErrorCode, ResourceUri, Scope, Secret, TokenFormat, TokenResponse, TokenType, TokenTypeUri,
};
use gatepass_store::access_token::NewAccessToken;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The longest chain of actors.
const DEEPEST: usize = 5;

/// A token, and what it is said to be.
#[derive(Debug)]
pub struct PresentedToken {
    /// The text.
    pub token: Secret,
    /// `subject_token_type` or `actor_token_type`.
    pub kind: TokenTypeUri,
}

/// What an exchange says.
#[derive(Debug)]
pub struct ExchangeRequest {
    /// On whose behalf.
    pub subject: PresentedToken,
    /// Who acts, if it is another than the client itself.
    pub actor: Option<PresentedToken>,
    /// What the answer must be.
    pub requested: Option<TokenTypeUri>,
    /// Less than the subject token's, or all of it.
    pub scope: Option<Scope>,
    /// For which API, unless for the subject token's.
    pub resource: Option<ResourceUri>,
    /// How long the answer is to live at most.
    pub life: Option<Duration>,
}

/// What a client is to the subject token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It was given to it.
    Holder,
    /// It is the audience.
    Audience,
}

/// RFC 8693 §2.2.2.
fn unacceptable(description: &'static str) -> Error {
    Error::invalid_request(description)
}

impl Authority {
    /// Exchanges a token.
    ///
    /// # Errors
    /// `invalid_request` for a subject or actor token that will not do (RFC 8693 §2.2.2); `invalid_target`;
    /// `invalid_scope` for more than the subject token allows.
    pub async fn exchange_token(
        &self,
        asking: Asking<'_>,
        request: &ExchangeRequest,
    ) -> Result<TokenResponse, Failure> {
        let parent = self.exchangeable(asking, &request.subject, "the subject_token is not live").await?;
        let role = self.role(asking, &parent).await?;
        let (scope, resource) = self.narrowed(asking, request, &parent, role).await?;
        let issued_token_type = self.promised_type(request, &resource).await?;
        let act = self.actors(asking, request, &parent, role).await?;
        let now = self.0.clock.now();
        let life = self.lifetimes().exchanged_token.min(self.lifetimes().access_token);
        let life = request.life.map_or(life, |asked| asked.min(life));
        let expires_at = parent.expires_at.min(now.plus(life));
        let (token, plain) = self.mint_access_token(asking, &scope, &resource, now)?;
        let token = NewAccessToken {
            grant_id: parent.grant_id,
            user_id: parent.user.as_ref().map(|user| user.id),
            service_id: parent.service.as_ref().map(|service| service.id),
            // What comes of a bound token is bound, whatever this client is given otherwise.
            confirmation: token.confirmation.clone().or_else(|| parent.confirmation.clone()),
            act: act.map(|act| act.to_string()),
            parent_id: Some(parent.parent_id.unwrap_or(parent.id)),
            expires_at,
            ..token
        };
        let (token, text) = self.in_format(token, plain, parent.authentication).await?;
        self.0.store.add_access_token(&token).await?;
        self.end_orphan(&parent, token.id).await?;
        self.record(exchanged(asking, &parent, token.id)).await;
        Ok(TokenResponse {
            expires_in: Some(now.until(expires_at).as_secs()),
            token_type: TokenType::of(token.confirmation.as_ref()),
            issued_token_type: Some(issued_token_type),
            ..self.answer(asking, text, None, &scope, None)
        })
    }

    /// A subject token may have ended between the look at it and now, on this node or another: then nothing comes of it.
    /// Whatever ends it from here on ends the new token, which is looked at together with it.
    async fn end_orphan(&self, parent: &LiveAccessToken, id: TokenId) -> Result<(), Failure> {
        let now = self.0.clock.now();
        if self.0.store.live_access_token(parent.id, now).await?.is_some() {
            return Ok(());
        }
        let _ = self.0.store.revoke_access_token(id, now).await?;
        Err(unacceptable("the subject_token is not live").into())
    }

    /// A live token of ours whose key, if it has one, the request has shown.
    async fn exchangeable(
        &self,
        asking: Asking<'_>,
        presented: &PresentedToken,
        not_live: &'static str,
    ) -> Result<Arc<LiveAccessToken>, Failure> {
        let PresentedToken { token, kind } = presented;
        let is_jwt = token.expose().contains('.');
        let live = self.present_access_token(token.expose()).await?;
        let live = live.filter(|_| *kind != TokenTypeUri::Jwt || is_jwt).ok_or_else(|| unacceptable(not_live))?;
        if live.confirmation.is_some() && live.confirmation.as_ref() != asking.confirmation {
            return Err(unacceptable("the token is bound to a key that this request has not shown").into());
        }
        Ok(live)
    }

    async fn role(&self, asking: Asking<'_>, parent: &LiveAccessToken) -> Result<Role, Failure> {
        if parent.client_id == asking.client.id {
            return Ok(Role::Holder);
        }
        let served = match parent.resource == *self.own_resource() {
            true => None,
            false => self.find_resource(&parent.resource).await?,
        };
        match served.filter(|resource| resource.client_id == asking.client.id) {
            Some(_) => Ok(Role::Audience),
            // The same words as for one that is over: a stranger learns nothing of it.
            None => Err(unacceptable("the subject_token is not live").with_detail("it is another client's").into()),
        }
    }

    async fn narrowed(
        &self,
        asking: Asking<'_>,
        request: &ExchangeRequest,
        parent: &LiveAccessToken,
        role: Role,
    ) -> Result<(Scope, ResourceUri), Failure> {
        let scope = match &request.scope {
            None => parent.scope.clone(),
            Some(asked) if asked.is_within(&parent.scope) => asked.clone(),
            Some(_) => {
                let error =
                    Error::new(ErrorCode::InvalidScope, "an exchange cannot ask for more than its subject_token");
                return Err(error.into());
            }
        };
        let elsewhere = request.resource.as_ref().filter(|asked| !asked.names_same(&parent.resource));
        let Some(elsewhere) = elsewhere else { return Ok((scope, parent.resource.clone())) };
        self.may_leave(asking, parent, role, elsewhere)?;
        let (scope, resource) = self.choose_target(asking.client, scope, Some(elsewhere)).await?;
        if let (Role::Holder, Some(user)) = (role, &parent.user) {
            let consented = self.0.store.consented(user.id, &asking.client.id, &resource).await?;
            if consented.is_none_or(|consented| !scope.is_within(&consented)) {
                let description = "the person has not allowed this client this scope at this resource";
                return Err(Error::new(ErrorCode::InvalidTarget, description).into());
            }
        }
        Ok((scope, resource))
    }

    /// Whether a token may become one for another resource at all.
    fn may_leave(
        &self,
        asking: Asking<'_>,
        parent: &LiveAccessToken,
        role: Role,
        elsewhere: &ResourceUri,
    ) -> Result<(), Error> {
        let refused = |description: &'static str| Err(Error::new(ErrorCode::InvalidTarget, description));
        match role {
            Role::Audience if elsewhere.names_same(self.own_resource()) => {
                refused("a resource server may not take a token to this server's own API")
            }
            Role::Audience if !asking.client.resources.iter().any(|known| known.names_same(elsewhere)) => {
                refused("this resource server was not registered to take tokens to this resource")
            }
            Role::Holder if parent.act.is_some() => refused("a token that somebody acts with keeps its resource"),
            Role::Holder
                if !asking.client.is_confidential()
                    && parent.confirmation.is_none()
                    && !parent.resource.names_same(self.own_resource()) =>
            {
                refused("a public client's token for a resource, which that resource has seen, keeps its resource")
            }
            // Only what comes from a grant has a person's consent behind it.
            Role::Holder if parent.grant_id.is_none() => refused("a token without a person's grant keeps its resource"),
            Role::Audience | Role::Holder => Ok(()),
        }
    }

    /// What kind of token the answer holds; it must be the one that was asked for.
    async fn promised_type(&self, request: &ExchangeRequest, resource: &ResourceUri) -> Result<TokenTypeUri, Failure> {
        if request.requested != Some(TokenTypeUri::Jwt) {
            return Ok(TokenTypeUri::AccessToken);
        }
        let registered = match *resource == *self.own_resource() {
            true => None,
            false => self.find_resource(resource).await?,
        };
        match registered.filter(|resource| resource.token_format == TokenFormat::Jwt) {
            Some(_) => Ok(TokenTypeUri::Jwt),
            None => Err(Error::invalid_request("the access tokens of this resource are no JWTs").into()),
        }
    }

    /// The claim `act` (RFC 8693 §4.1).
    async fn actors(
        &self,
        asking: Asking<'_>,
        request: &ExchangeRequest,
        parent: &LiveAccessToken,
        role: Role,
    ) -> Result<Option<Value>, Failure> {
        let before: Option<Value> = parent.act.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let actor = match (&request.actor, role) {
            (None, Role::Holder) => return Ok(before),
            (None, Role::Audience) => asking.client.id.to_string(),
            (Some(token), _) => {
                let actor = self.exchangeable(asking, token, "the actor_token is not live").await?;
                if actor.client_id != asking.client.id {
                    return Err(unacceptable("the actor_token was given to another client").into());
                }
                subject(&actor)
            }
        };
        let mut act = json!({ "sub": actor, "client_id": asking.client.id });
        if let (Some(before), Some(members)) = (before, act.as_object_mut()) {
            members.insert("act".into(), before);
        }
        if depth(&act) > DEEPEST {
            return Err(unacceptable("too many have acted for this subject already").into());
        }
        Ok(Some(act))
    }
}

fn depth(act: &Value) -> usize {
    std::iter::successors(Some(act), |act| act.get("act")).count()
}

fn exchanged(asking: Asking<'_>, parent: &LiveAccessToken, id: TokenId) -> Event {
    let event = Event::new(EventKind::TokenExchanged).client(&asking.client.id).about(id).from(asking.caller);
    event.on_behalf_of(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_actors_is_as_deep_as_it_is_long() {
        assert_eq!(depth(&json!({ "sub": "a" })), 1);
        assert_eq!(depth(&json!({ "sub": "a", "act": { "sub": "b", "act": { "sub": "c" } } })), 3);
    }
}
