//! A client asks for a sign-out (OpenID Connect RP-Initiated Logout 1.0 §2).
//!
//! 1. Who asks: the client of the ID token, or the one that is named; if both, the same.
//! 2. Where to go on: only to a URI that this client has registered, character by character (§3).
//! 3. Whether to ask: an ID token of this very session proves that a client of the person speaks. Without one, any page
//!    on the web could sign people out, so they are asked.
//! 4. A browser goes on to a stranger's address at once only after a proof or a person's word; otherwise a page says where
//!    it leads (RFC 9700 §4.11.2).

use crate::{Authority, Client, Failure, LiveSession, id_token_hint::Read};
use gatepass_oauth::{
    ClientOrigin, Error, RedirectUri,
    logout::{LogoutRequest, location},
};
use std::sync::Arc;

/// What is known of a request.
#[derive(Debug)]
pub struct LogoutCheck {
    /// The program that asks, if it is known.
    pub client_name: Option<String>,
    /// Where to go on, if that was asked for.
    pub go_on: Option<GoOn>,
    /// Whether the person need not be asked.
    pub is_proven: bool,
}

/// Where to go on.
#[derive(Debug)]
pub struct GoOn {
    /// As it is registered.
    pub uri: RedirectUri,
    /// With the client's `state`.
    pub location: String,
    /// Whose word the address is.
    pub client_origin: ClientOrigin,
}

impl Authority {
    /// Checks a client's request against what it has registered.
    ///
    /// # Errors
    /// `invalid_request`, to be shown as a page.
    pub async fn check_logout(
        &self,
        request: &LogoutRequest,
        session: Option<&LiveSession>,
    ) -> Result<LogoutCheck, Failure> {
        let read = match &request.id_token_hint {
            Some(hint) => Some(self.read_hint(hint).await?),
            None => None,
        };
        // A client that was signed in long ago has an ID token whose key is gone: that is as good as none, and the person is
        // asked. One that is no good, or another client's, is an error of the request, and leads nowhere (RP-Initiated
        // Logout 1.0 §4).
        let (hint, is_sound) = match read {
            None => (None, true),
            Some(Read::Signed(hint)) => (Some(hint), true),
            Some(Read::Outlived(hint)) => (None, request.client_id.as_ref().is_some_and(|id| id.as_str() == hint.aud)),
            Some(Read::Bad) => (None, false),
        };
        let client = match (hint.as_ref().map(|hint| hint.aud.as_str()), request.client_id.as_ref()) {
            (Some(told), Some(named)) if told != named.as_str() => {
                return Err(Error::invalid_request("client_id is not the client of the id_token_hint").into());
            }
            (Some(told), _) => self.named(told).await?,
            (None, Some(named)) => self.named(named.as_str()).await?,
            (None, None) => None,
        };
        let go_on = request.post_logout_redirect_uri.clone().map(|uri| {
            let client = client.as_ref();
            let client = client.ok_or_else(|| {
                Error::invalid_request("a post_logout_redirect_uri comes with a client_id or an id_token_hint")
            })?;
            if !client.metadata.post_logout_redirect_uris.contains(&uri) {
                return Err(Error::invalid_request("the post_logout_redirect_uri is not registered for this client"));
            }
            Ok(GoOn { location: location(&uri, request.state.as_deref()), uri, client_origin: client.origin })
        });
        let go_on = go_on.transpose()?.filter(|_| is_sound);
        let is_proven = matches!((&hint, session), (Some(hint), Some(session)) if hint.is_of(session, self));
        Ok(LogoutCheck { client_name: client.map(|client| client.name.clone()), go_on, is_proven })
    }

    async fn named(&self, client: &str) -> Result<Option<Arc<Client>>, Failure> {
        match client.parse() {
            Ok(id) => self.find_client(&id).await,
            Err(_) => Ok(None),
        }
    }
}
