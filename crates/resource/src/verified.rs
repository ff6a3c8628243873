//! What a verifier that stands outside the authorization server knows of a token.

use crate::{SignInFacts, TokenFacts};
use gatepass_oauth::{ClientId, Confirmation, ResourceUri, Scope, UtcMillis};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A verified token; a guard puts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The resource that it is for: the one that the verifier was made for.
    pub audience: ResourceUri,
    /// What it allows.
    pub scope: Scope,
    /// On whose behalf: a person, a service account, or the client itself.
    pub subject: String,
    /// Who asked for it.
    pub client_id: Option<ClientId>,
    /// The key that it is bound to. Whoever presents it must prove to hold that key.
    pub confirmation: Option<Confirmation>,
    /// When it ends.
    pub expires_at: UtcMillis,
    /// All that was said of it: `act`, `auth_time`, `acr` and whatever else.
    pub claims: Map<String, Value>,
}

impl TokenFacts for VerifiedToken {
    fn audience(&self) -> &ResourceUri {
        &self.audience
    }

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    fn sign_in(&self) -> SignInFacts<'_> {
        let auth_time = self.claims.get("auth_time").and_then(Value::as_number).and_then(seconds);
        SignInFacts {
            auth_time: auth_time.map(UtcMillis::from_seconds),
            acr: self.claims.get("acr").and_then(Value::as_str),
        }
    }
}

/// The members that both a JWT and an introspection answer have.
#[derive(Deserialize)]
struct Members {
    iss: Option<String>,
    aud: Option<Audience>,
    sub: Option<String>,
    exp: Option<serde_json::Number>,
    #[serde(default)]
    nbf: Option<serde_json::Number>,
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    cnf: Option<Confirmation>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Whom the token must be from and for, and what time it is.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a ResourceUri,
    pub(crate) now: UtcMillis,
}

impl Expected<'_> {
    /// RFC 9068 §4. `None` for a token that is not from there, not for here or not for now; a member `cnf` that is not
    /// understood must not be overlooked, so it is one of these too.
    pub(crate) fn check(&self, claims: Map<String, Value>) -> Option<VerifiedToken> {
        let members: Members = serde_json::from_value(Value::Object(claims.clone())).ok()?;
        let names_us =
            |text: &String| text.parse::<ResourceUri>().is_ok_and(|resource| resource.names_same(self.audience));
        let is_for_us = match &members.aud {
            Some(Audience::One(audience)) => names_us(audience),
            Some(Audience::Several(all)) => all.iter().any(names_us),
            None => false,
        };
        let expires_at = UtcMillis::from_seconds(seconds(members.exp.as_ref()?)?);
        let begun = match &members.nbf {
            Some(time) => UtcMillis::from_seconds(seconds(time)?) <= self.now,
            None => true,
        };
        let good = members.iss.as_deref() == Some(self.issuer) && is_for_us && begun && expires_at > self.now;
        good.then_some(VerifiedToken {
            audience: self.audience.clone(),
            scope: members.scope,
            subject: members.sub?,
            client_id: members.client_id.and_then(|id| id.parse().ok()),
            confirmation: members.cnf,
            expires_at,
            claims,
        })
    }
}

fn seconds(number: &serde_json::Number) -> Option<i64> {
    number.to_string().split('.').next()?.parse().ok()
}
