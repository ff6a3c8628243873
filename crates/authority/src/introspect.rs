//! Introspection (RFC 7662): a resource server asks what a token stands for.
//!
//! 1. Only a client that proves itself may ask (§2.1).
//! 2. Only about tokens for the resource that it serves. About any other, and about what is no access token of ours, the
//!    answer is the same as about one that is over (§2.2, §4).
//! 3. Asked for a signed answer (RFC 9701), it is addressed to the resource server that asked.

use crate::{Asking, Authority, Failure, LiveAccessToken, access_token_jwt::jti};
use gatepass_oauth::{Confirmation, Error, Scope, Secret};
use serde::Serialize;
use std::sync::Arc;

/// `typ` of a signed answer (RFC 9701 §5).
const TYP: &str = "token-introspection+jwt";

/// What is said of a token.
#[derive(Debug, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    live: Option<Live>,
}

/// The members of a live token (RFC 7662 §2.2).
#[derive(Debug, Serialize)]
struct Live {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    jti: String,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    token_type: &'static str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
}

/// A signed answer (RFC 9701 §5).
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: &'a Introspection,
}

/// The `sub` of a live token: the person, the service account, or the client itself.
pub(crate) fn subject(token: &LiveAccessToken) -> String {
    match (&token.user, &token.service) {
        (Some(user), _) => user.id.to_string(),
        (None, Some(service)) => service.id.to_string(),
        (None, None) => token.client_id.to_string(),
    }
}

impl Authority {
    /// Tells a resource server what a token stands for.
    ///
    /// # Errors
    /// `invalid_client` for a public client.
    pub async fn introspect(&self, asking: Asking<'_>, token: &Secret) -> Result<Introspection, Failure> {
        if !asking.client.is_confidential() {
            return Err(Error::invalid_client().with_detail("a public client may not introspect").into());
        }
        let over = Introspection { active: false, live: None };
        let Some(token) = self.present_access_token(token.expose()).await? else { return Ok(over) };
        if token.resource == *self.own_resource() {
            return Ok(over);
        }
        let served = self.find_resource(&token.resource).await?;
        if served.is_none_or(|resource| resource.client_id != asking.client.id) {
            return Ok(over);
        }
        tracing::debug!(client = %asking.client.id, "a token was introspected");
        Ok(Introspection { active: true, live: Some(self.members(&token)) })
    }

    /// The answer as a JWT for the resource server that asked.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sign_introspection(&self, asking: Asking<'_>, answer: &Introspection) -> Result<String, Failure> {
        let claims = Signed {
            iss: self.issuer().as_str(),
            aud: asking.client.id.as_str(),
            iat: self.now().seconds(),
            token_introspection: answer,
        };
        self.sign(asking.client.introspection_algorithm(), TYP, &claims).await
    }

    fn members(&self, token: &Arc<LiveAccessToken>) -> Live {
        let user = token.user.as_ref().filter(|_| token.scope.contains("email"));
        Live {
            iss: self.issuer().to_string(),
            aud: token.resource.to_string(),
            sub: subject(token),
            client_id: token.client_id.to_string(),
            jti: jti(token.id),
            scope: token.scope.clone(),
            token_type: match token.confirmation {
                Some(Confirmation::Jkt(_)) => "DPoP",
                _ => "Bearer",
            },
            iat: token.issued_at.seconds(),
            exp: token.expires_at.seconds(),
            username: user
                .map(|user| user.email.clone())
                .or_else(|| token.service.as_ref().map(|service| service.name.clone())),
            cnf: token.confirmation.clone(),
            act: token.act.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            auth_time: token.authentication.map(|authentication| authentication.at.seconds()),
            acr: token.authentication.map(|authentication| authentication.method.acr()),
        }
    }
}
