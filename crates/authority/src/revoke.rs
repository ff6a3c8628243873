//! Revoking a token (RFC 7009).
//!
//! A refresh token ends its whole grant, the access tokens too (§2.1); an access token ends alone.
//! A token that is not known is as good as revoked (§2.2). Verified tokens are forgotten only when something has ended, else
//! anybody could have them all read again.

use crate::{Asking, Authority, Event, EventKind, Failure, access_token_jwt::recognise};
use gatepass_keys::{PlainToken, token::RefreshToken};
use gatepass_oauth::{Error, ErrorCode, Secret};
use gatepass_store::{Change, token_grant::RevokedBecause};

impl Authority {
    /// Revokes a client's token. The token's own prefix tells its type, so no hint is needed.
    ///
    /// # Errors
    /// `unauthorized_client` when the token is another client's.
    pub async fn revoke(&self, asking: Asking<'_>, token: &Secret) -> Result<(), Failure> {
        let (client, now) = (asking.client, self.0.clock.now());
        let foreign = || Failure::from(Error::new(ErrorCode::UnauthorizedClient, "the token is another client's"));
        if let Some(presented) = PlainToken::<RefreshToken>::parse(token.expose()) {
            let Some(grant) = self.0.store.token_grant(presented.id()).await? else { return Ok(()) };
            if grant.client_id != client.id {
                return Err(foreign());
            }
            if self.0.store.revoke_grant(grant.id, RevokedBecause::ClientAsked, now).await? == Change::Made {
                self.forget_verified();
                let event = Event::new(EventKind::GrantRevoked).client(&client.id).user(grant.user_id);
                self.record(event.about(grant.id).from(asking.caller)).await;
            }
        } else if let Some((id, hash)) = recognise(token.expose()) {
            let Some(live) = self.0.store.live_access_token(id, now).await? else { return Ok(()) };
            if live.hash != hash {
                return Ok(());
            }
            if live.client_id != client.id {
                return Err(foreign());
            }
            if self.0.store.revoke_access_token(id, now).await? == Change::Made {
                self.forget_verified();
                let event = Event::new(EventKind::TokenRevoked).client(&client.id).about(id).from(asking.caller);
                self.record(event.on_behalf_of(&live)).await;
            }
        }
        Ok(())
    }
}
