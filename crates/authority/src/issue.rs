//! What a grant becomes: a row for the grant, a row for the access token, and the answer.

use crate::{Asking, Authentication, Authority, Client, Failure};
use gatepass_keys::{
    PlainToken, TokenId,
    token::{AccessToken, RefreshToken},
};
use gatepass_oauth::{Error, GrantType, ResourceUri, Scope, Secret, TokenResponse, TokenType, UtcMillis};
use gatepass_store::{UserId, access_token::NewAccessToken, token_grant::NewGrant, user_account::Person};
use serde::Serialize;
use std::borrow::Cow;

/// What was allowed, by whom, to whom.
pub(crate) struct Allowed<'a> {
    pub(crate) grant_id: TokenId,
    pub(crate) asking: Asking<'a>,
    pub(crate) user_id: UserId,
    /// The same person, when they were read already; else they are read if there is an ID token to sign.
    pub(crate) person: Option<&'a Person>,
    pub(crate) scope: &'a Scope,
    pub(crate) resource: &'a ResourceUri,
    pub(crate) authentication: Authentication,
    pub(crate) nonce: Option<&'a str>,
}

/// The rows to keep and the answer to give once they are kept.
pub(crate) struct Issued {
    pub(crate) grant: NewGrant,
    pub(crate) token: NewAccessToken,
    pub(crate) answer: TokenResponse,
}

/// The claims of an ID token (OpenID Connect Core §2, §5.1).
#[derive(Serialize)]
struct IdToken<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    acr: &'static str,
    amr: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    #[serde(flatten)]
    person: PersonClaims<'a>,
}

/// The claims about a person that the scope opens (OpenID Connect Core §5.4).
#[derive(Debug, Serialize)]
pub struct PersonClaims<'a> {
    /// With `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// With `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// With `profile`, when they have told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

impl<'a> PersonClaims<'a> {
    pub(crate) fn new(scope: &Scope, person: &'a Person) -> Self {
        let by_email = scope.contains("email");
        Self {
            email: by_email.then_some(person.email.as_str()),
            email_verified: by_email.then_some(person.email_verified_at.is_some()),
            name: (scope.contains("profile") && !person.name.is_empty()).then_some(person.name.as_str()),
        }
    }
}

impl Authority {
    /// Makes the tokens of a new grant.
    pub(crate) async fn issue(&self, allowed: &Allowed<'_>) -> Result<Issued, Failure> {
        self.note_use(allowed.asking.client).await?;
        let now = self.0.clock.now();
        let signed_in =
            if allowed.scope.contains("openid") { Some(self.signed_in_person(allowed).await?) } else { None };
        let (token, plain) = self.mint_access_token(allowed.asking, allowed.scope, allowed.resource, now)?;
        let token = NewAccessToken { grant_id: Some(allowed.grant_id), user_id: Some(allowed.user_id), ..token };
        let (token, text) = self.in_format(token, plain, Some(allowed.authentication)).await?;
        let id_token = match signed_in {
            Some(person) => Some(self.sign_id_token(allowed, &person, &text, now).await?),
            None => None,
        };
        let client = allowed.asking.client;
        let refresh = if client.may_use(GrantType::RefreshToken) {
            Some(PlainToken::<RefreshToken>::with_id(allowed.grant_id, &self.0.entropy)?)
        } else {
            None
        };
        let grant = NewGrant {
            id: allowed.grant_id,
            client_id: client.id.clone(),
            user_id: allowed.user_id,
            scope: allowed.scope.clone(),
            resource: allowed.resource.clone(),
            authentication: allowed.authentication,
            approved_in: None,
            confirmation: allowed.asking.refresh_confirmation(),
            created_at: now,
            refresh_hash: refresh.as_ref().map(PlainToken::hash),
            refresh_expires_at: now.plus(self.lifetimes().refresh_token),
        };
        let answer = self.answer(allowed.asking, text, refresh.map(PlainToken::into_secret), allowed.scope, id_token);
        Ok(Issued { grant, token, answer })
    }

    /// Makes an access token that stands alone: no grant, no person.
    pub(crate) fn mint_access_token(
        &self,
        asking: Asking<'_>,
        scope: &Scope,
        resource: &ResourceUri,
        now: UtcMillis,
    ) -> Result<(NewAccessToken, PlainToken<AccessToken>), Failure> {
        let plain = PlainToken::<AccessToken>::mint(now, &self.0.entropy)?;
        self.0.tally.tokens.add_one();
        let token = NewAccessToken {
            id: plain.id(),
            hash: plain.hash(),
            grant_id: None,
            client_id: asking.client.id.clone(),
            user_id: None,
            scope: scope.clone(),
            resource: resource.clone(),
            confirmation: self.access_confirmation(asking).cloned(),
            issued_at: now,
            expires_at: now.plus(self.lifetimes().access_token),
            service_id: None,
            act: None,
            parent_id: None,
        };
        Ok((token, plain))
    }

    /// The answer of the token endpoint.
    pub(crate) fn answer(
        &self,
        asking: Asking<'_>,
        access: Secret,
        refresh: Option<Secret>,
        scope: &Scope,
        id_token: Option<String>,
    ) -> TokenResponse {
        TokenResponse {
            access_token: access,
            token_type: TokenType::of(self.access_confirmation(asking)),
            expires_in: Some(self.lifetimes().access_token.as_secs()),
            refresh_token: refresh,
            // No scope has no text (RFC 6749 §3.3).
            scope: Some(scope.clone()).filter(|scope| !scope.is_empty()),
            id_token: id_token.map(Secret::new),
            issued_token_type: None,
        }
    }

    async fn signed_in_person<'a>(&self, allowed: &Allowed<'a>) -> Result<Cow<'a, Person>, Failure> {
        if let Some(person) = allowed.person {
            return Ok(Cow::Borrowed(person));
        }
        let account = self.0.store.user(allowed.user_id).await?;
        let account = account.ok_or_else(|| Error::invalid_grant("the account is gone"))?;
        Ok(Cow::Owned(account.into()))
    }

    async fn sign_id_token(
        &self,
        allowed: &Allowed<'_>,
        person: &Person,
        access: &Secret,
        now: UtcMillis,
    ) -> Result<String, Failure> {
        let algorithm = allowed.asking.client.id_token_algorithm();
        let claims = IdToken {
            iss: self.issuer().as_str(),
            sub: allowed.user_id.to_string(),
            aud: allowed.asking.client.id.as_str(),
            exp: now.plus(self.lifetimes().access_token).seconds(),
            iat: now.seconds(),
            auth_time: allowed.authentication.at.seconds(),
            acr: allowed.authentication.method.acr(),
            amr: allowed.authentication.method.amr(),
            sid: allowed.authentication.session_id.map(|session| self.public_sid(session)),
            nonce: allowed.nonce,
            at_hash: algorithm.half_hash(access.expose()),
            person: PersonClaims::new(allowed.scope, person),
        };
        self.sign(algorithm, crate::id_token_hint::TYP, &claims).await
    }
}

/// What a client gets of what it asked: all of it, or an error; all that it may have if it named nothing.
pub(crate) fn choose_scope(client: &Client, asked: Option<&Scope>) -> Result<Scope, Error> {
    match asked {
        None => Ok(client.scope.clone()),
        Some(asked) if asked.is_empty() => Ok(client.scope.clone()),
        Some(asked) if asked.is_within(&client.scope) => Ok(asked.clone()),
        Some(_) => Err(Error::new(
            gatepass_oauth::ErrorCode::InvalidScope,
            format!("this client may ask for: {}", client.scope),
        )),
    }
}
