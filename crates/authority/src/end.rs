//! Ending by an operator's hand: all that a person or a client has, one grant, one session.
//!
//! On this node it is felt at once. On the others a verified token is read again within a second.

use crate::{Authority, Event, EventKind, Failure, add_user::normalised_email};
use gatepass_keys::TokenId;
use gatepass_oauth::ClientId;
use gatepass_store::{
    Change,
    ending::{EndedOfClient, Ending, SessionEnd, SessionNames},
    token_grant::RevokedBecause,
};
use std::time::Duration;

/// How far the clocks of two nodes may be apart.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What shall end.
#[derive(Clone, Debug)]
pub enum EndTarget {
    /// All that a person has: sessions, codes, devices, grants with their tokens.
    User(String),
    /// All that a client has: codes, devices, grants, its own tokens. It may ask for new ones.
    Client(ClientId),
    /// One grant with its tokens.
    Grant(TokenId),
    /// One session with its codes and every grant that was given in it, also to devices.
    Session(TokenId),
}

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
pub enum EndRefused {
    /// There is nothing of that name.
    #[error("there is no {0}")]
    Unknown(String),
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<gatepass_store::Error> for EndRefused {
    fn from(error: gatepass_store::Error) -> Self {
        Self::Failure(error.into())
    }
}

impl Authority {
    /// Ends it; how many grants there were, where that is known.
    ///
    /// # Errors
    /// [`EndRefused`].
    pub async fn end(&self, target: &EndTarget) -> Result<u64, EndRefused> {
        let ended = match target {
            EndTarget::User(email) => self.end_user(email).await,
            EndTarget::Client(id) => self.end_client(id).await,
            EndTarget::Grant(id) => self.end_grant(*id).await,
            EndTarget::Session(id) => self.end_one_session(*id).await,
        };
        self.forget_verified();
        self.0.wake.notify_one();
        ended
    }

    async fn end_user(&self, email: &str) -> Result<u64, EndRefused> {
        let unknown = || EndRefused::Unknown(format!("account for {email}"));
        let address = normalised_email(email).ok_or_else(unknown)?;
        let user = self.0.store.user_by_email(&address).await?.ok_or_else(unknown)?;
        let now = self.0.clock.now();
        let notices = self.notices(self.0.store.clients_of_user(user.id, now).await?, user.id).await?;
        let ended = self.0.store.end_all_of_user(user.id, &notices, RevokedBecause::Operator, now).await?;
        let event = Event::new(EventKind::EverythingEnded).user(user.id).by_operator();
        self.record(event.detail(format!("{ended} grants"))).await;
        Ok(ended)
    }

    async fn end_client(&self, id: &ClientId) -> Result<u64, EndRefused> {
        // First the deed: a client whose domain is denied, or whose site is gone, is not found, and what it has lives.
        let EndedOfClient { begun, given } =
            self.0.store.end_all_of_client(id, RevokedBecause::Operator, self.0.clock.now()).await?;
        if begun + given == 0 && self.find_client(id).await?.is_none() {
            return Err(EndRefused::Unknown(format!("client {id}")));
        }
        let event = Event::new(EventKind::EverythingEnded).client(id).by_operator();
        self.record(event.detail(format!("{given} grants"))).await;
        Ok(given)
    }

    async fn end_grant(&self, id: TokenId) -> Result<u64, EndRefused> {
        let grant = self.0.store.token_grant(id).await?.ok_or_else(|| EndRefused::Unknown("such grant".into()))?;
        let made = self.0.store.revoke_grant(id, RevokedBecause::Operator, self.0.clock.now()).await?;
        if made == Change::Made {
            let event = Event::new(EventKind::GrantRevoked).client(&grant.client_id).user(grant.user_id);
            self.record(event.about(id).by_operator()).await;
        }
        Ok(u64::from(made == Change::Made))
    }

    async fn end_one_session(&self, id: TokenId) -> Result<u64, EndRefused> {
        let found = self.0.store.session_names(id).await?;
        let session = found.ok_or_else(|| EndRefused::Unknown("such session".into()))?;
        let now = self.0.clock.now();
        let grants = self.0.store.grants_of_session(session).await?;
        self.close_session(session, Ending::AllGrants, RevokedBecause::Operator).await?;
        let devices = self.0.store.end_devices_of_session(session, RevokedBecause::Operator, now).await?;
        let event = Event::new(EventKind::SessionEnded).user(session.user_id).about(session.id);
        self.record(event.by_operator()).await;
        Ok(devices + grants)
    }

    /// Ends a session with its codes and grants, and lets the clients be told.
    pub(crate) async fn close_session(
        &self,
        session: SessionNames,
        ending: Ending,
        because: RevokedBecause,
    ) -> Result<(), Failure> {
        let now = self.0.clock.now();
        let holders = self.0.store.clients_of_session(session, now).await?;
        let notices = self.notices(holders, session.user_id).await?;
        let codes_since = now.minus(self.lifetimes().authorization_code).minus(CLOCKS_DIFFER);
        let end = SessionEnd { ending, because, codes_since, at: now };
        self.0.store.end_session(session, end, &notices).await?;
        self.forget_verified();
        self.0.wake.notify_one();
        Ok(())
    }
}
