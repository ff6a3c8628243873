//! Redeeming an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6).
//!
//! 1. The code must exist, be this client's, live, and not be used.
//! 2. The redirect URI must be the one of the request, the verifier must answer the challenge.
//! 3. Use it and keep what it becomes, in one statement list: of many redeemers one wins.
//! 4. A code that comes a second time was stolen from somebody: what the first gave is revoked
//!    (RFC 6749 §4.1.2).

use crate::{
    Asking, Authority, Event, EventKind, Failure,
    issue::{Allowed, Issued},
};
use gatepass_keys::{PlainToken, token};
use gatepass_oauth::{CodeVerifier, Error, RedirectUri, ResourceUri, Secret, TokenResponse, UtcMillis};
use gatepass_store::{
    Change,
    authorization_code::{AuthorizationCode, PresentedCode},
    session_client::SessionClient,
    token_grant::RevokedBecause,
    user_account::Person,
};

/// What a token request with a code says.
#[derive(Debug)]
pub struct CodeRequest {
    /// The code.
    pub code: Secret,
    /// Where it was sent; the same text as in the authorization request.
    pub redirect_uri: Option<RedirectUri>,
    /// What answers the challenge.
    pub code_verifier: CodeVerifier,
    /// The same resource again, or none.
    pub resource: Option<ResourceUri>,
}

impl Authority {
    /// Exchanges a code for tokens.
    ///
    /// # Errors
    /// `invalid_grant` for a code that is unknown, over, used or somebody else's, a wrong redirect URI
    /// or verifier; `invalid_target` for another resource.
    pub async fn redeem_code(&self, asking: Asking<'_>, request: &CodeRequest) -> Result<TokenResponse, Failure> {
        let unknown = || Error::invalid_grant("the code is unknown, expired or used");
        let presented = PlainToken::<token::AuthorizationCode>::parse(request.code.expose()).ok_or_else(unknown)?;
        let PresentedCode { code, used_at, person } = self
            .0
            .store
            .authorization_code(presented.id())
            .await?
            .filter(|found| found.code.hash == presented.hash())
            .ok_or_else(unknown)?;
        if code.client_id != asking.client.id {
            return Err(unknown().with_detail("the code is another client's").into());
        }
        // Before anything is changed: who lacks the key can neither redeem the code nor end what it became.
        self.check_confirmation(code.confirmation.as_ref(), asking, code.grant_id).await?;
        if used_at.is_some() {
            return self.code_came_again(asking, &code).await;
        }
        check(&code, request)?;
        if code.expires_at <= self.0.clock.now() {
            return Err(unknown().with_detail("the code is expired").into());
        }
        let Issued { grant, token, answer } = self.issue(&allowed(asking, &code, &person)).await?;
        let told = told(asking, &code, grant.created_at);
        match self.0.store.redeem_authorization_code(code.id, &grant, &token, told.as_ref()).await? {
            Change::Made => {
                self.record(event(EventKind::CodeExchanged, asking, &code)).await;
                Ok(answer)
            }
            Change::TooLate => self.code_came_again(asking, &code).await,
        }
    }

    async fn code_came_again(&self, asking: Asking<'_>, code: &AuthorizationCode) -> Result<TokenResponse, Failure> {
        let now = self.0.clock.now();
        if self.0.store.revoke_grant(code.grant_id, RevokedBecause::CodeReuse, now).await? == Change::Made {
            self.forget_verified();
            self.record(event(EventKind::CodeReused, asking, code)).await;
        }
        Err(Error::invalid_grant("the code is unknown, expired or used").with_detail("the code came again").into())
    }
}

fn event(kind: EventKind, asking: Asking<'_>, code: &AuthorizationCode) -> Event {
    Event::new(kind).client(&code.client_id).user(code.user_id).about(code.grant_id).from(asking.caller)
}

/// A client that is told of a session now, and wants to hear of its end.
fn told(asking: Asking<'_>, code: &AuthorizationCode, told_at: UtcMillis) -> Option<SessionClient> {
    let hears = asking.client.metadata.backchannel_logout_uri.is_some() && code.scope.contains("openid");
    let session_id = code.authentication.session_id.filter(|_| hears)?;
    Some(SessionClient { session_id, client_id: code.client_id.clone(), told_at })
}

fn check(code: &AuthorizationCode, request: &CodeRequest) -> Result<(), Error> {
    if request.redirect_uri.as_ref().is_some_and(|uri| *uri != code.redirect_uri) {
        return Err(Error::invalid_grant("redirect_uri is not the one of the authorization request"));
    }
    if !code.code_challenge.is_answered_by(&request.code_verifier) {
        return Err(Error::invalid_grant("code_verifier does not answer the code_challenge"));
    }
    if request.resource.as_ref().is_some_and(|resource| !resource.names_same(&code.resource)) {
        return Err(Error::new(
            gatepass_oauth::ErrorCode::InvalidTarget,
            "resource is not the one of the authorization request",
        ));
    }
    Ok(())
}

fn allowed<'a>(asking: Asking<'a>, code: &'a AuthorizationCode, person: &'a Person) -> Allowed<'a> {
    Allowed {
        grant_id: code.grant_id,
        asking,
        user_id: code.user_id,
        person: Some(person),
        scope: &code.scope,
        resource: &code.resource,
        authentication: code.authentication,
        nonce: code.nonce.as_deref(),
    }
}
