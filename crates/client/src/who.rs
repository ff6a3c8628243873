//! Who somebody is, asked of the server that signed them in.

use crate::{AccountId, Bearer, Call, CallError, Failure, SignIns, Unreachable, WebUrl, terms::ToldBy};
use serde_json::{Map, Value};

/// What a server of another vendor says of a token's owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// It is a gatepass server, which has an API for that.
    AskGatepass,
    /// What the userinfo endpoint says just now (OpenID Connect Core §5.3.2).
    Says(Map<String, Value>),
    /// It has nothing to ask, or the token is for another API: what was said at the sign-in is all there is.
    SaidAtSignIn,
}

/// Why nobody could say who it is.
#[derive(Debug, thiserror::Error)]
pub enum WhoError {
    /// Nobody is signed in as this account.
    #[error("the sign-in has ended")]
    SignedOut,
    /// The server does not take the token.
    #[error("{0} does not accept the token")]
    NotAccepted(String),
    /// It speaks of somebody else, or does not say of whom (OpenID Connect Core §5.3.2).
    #[error("{0} speaks of somebody else than at the sign-in, or does not say of whom")]
    SomebodyElse(String),
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl SignIns {
    /// Asks who an account is.
    ///
    /// # Errors
    /// [`WhoError`].
    pub async fn who(&self, account: &AccountId) -> Result<Who, WhoError> {
        let id = account.clone();
        let stored = self.with_vault(move |vault| Ok(vault.read()?.get(&id).cloned())).await;
        let stored = stored.map_err(|error| CallError::Bearer(error.into()))?.ok_or(WhoError::SignedOut)?;
        let endpoint = match &stored.terms.told_by {
            ToldBy::Gatepass => return Ok(Who::AskGatepass),
            ToldBy::IdToken => return Ok(Who::SaidAtSignIn),
            ToldBy::UserInfo(endpoint) => endpoint,
        };
        let for_another_api = stored.resource.is_some() || stored.terms.audience.is_some();
        let reply = self.call(account, Call::get(endpoint.clone())).await?;
        if matches!(reply.status, 401 | 403) {
            return if for_another_api { Ok(Who::SaidAtSignIn) } else { Err(WhoError::NotAccepted(endpoint.host())) };
        }
        let claims: Map<String, Value> = reply.read().map_err(CallError::Failure)?;
        let member = stored.terms.provider().and_then(|provider| provider.identity.as_ref());
        let subject = text(claims.get(member.map_or("sub", |member| &member.subject)));
        match (&stored.account.subject, subject) {
            (Some(known), said) if said.as_ref() != Some(known) => Err(WhoError::SomebodyElse(endpoint.host())),
            _ => Ok(Who::Says(claims)),
        }
    }

    /// Asks a userinfo endpoint whose token this is.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn userinfo(&self, endpoint: &WebUrl, bearer: &Bearer) -> Result<Option<Map<String, Value>>, Failure> {
        let reply = self.present(bearer, &Call::get(endpoint.clone())).await?;
        match reply.status {
            401 | 403 => Ok(None),
            status @ 500.. => Err(Failure::Unreachable { host: endpoint.host(), why: Unreachable::Busy(status) }),
            _ => reply.read().map(Some),
        }
    }
}

/// A member as text; a vendor's number is one too.
#[must_use]
pub fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
