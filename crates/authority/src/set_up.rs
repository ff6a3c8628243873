//! The first account: a link that works once, printed where only the operator sees it.

use crate::{
    Authority, Caller, Event, EventKind, Failure,
    add_user::{NewUser, UserRefused},
    sign_in::SignedIn,
    throttle::{ONE_TIME_LINK, network},
};
use gatepass_keys::{PlainToken, token};
use gatepass_store::{Change, one_time_link::OneTimeLink};
use std::time::Duration;

/// How long a set-up link works.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const PURPOSE: &str = "set up";

/// What became of a set-up.
#[derive(Debug)]
pub enum SetUp {
    /// The owner has an account and a session.
    Done(SignedIn),
    /// The link is unknown, used or over, or somebody was first.
    TooLate,
}

impl Authority {
    /// A link for the first account; `None` when there is somebody already.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn set_up_link(&self) -> Result<Option<PlainToken<token::OneTimeLink>>, Failure> {
        if self.0.store.has_users().await? {
            return Ok(None);
        }
        let now = self.0.clock.now();
        let token = PlainToken::<token::OneTimeLink>::mint(now, &self.0.entropy)?;
        let link = OneTimeLink {
            id: token.id(),
            hash: token.hash(),
            purpose: PURPOSE.into(),
            created_at: now,
            expires_at: now.plus(LIFE),
        };
        self.0.store.add_one_time_link(&link).await?;
        Ok(Some(token))
    }

    /// Whether a set-up link still works.
    ///
    /// # Errors
    /// [`Failure::TooMany`] after too many that do not.
    pub async fn is_set_up_link(&self, text: &str, caller: &Caller) -> Result<bool, Failure> {
        Ok(self.live_set_up_link(text, caller).await?.is_some())
    }

    /// Makes the owner's account and signs them in.
    ///
    /// # Errors
    /// [`UserRefused`] when address, name or password will not do; the link then still works.
    pub async fn set_up(&self, link: &str, new: NewUser, caller: &Caller) -> Result<SetUp, UserRefused> {
        let Some(link) = self.live_set_up_link(link, caller).await? else { return Ok(SetUp::TooLate) };
        let mut owner = self.prepare_user(new).await?;
        owner.owner_since = Some(owner.created_at);
        match self.0.store.add_first_user(link.id, &owner).await.map_err(Failure::from)? {
            Change::TooLate => Ok(SetUp::TooLate),
            Change::Made => {
                self.record(Event::new(EventKind::SetUp).user(owner.id).from(caller)).await;
                Ok(SetUp::Done(self.open_session(&owner, caller).await?))
            }
        }
    }

    async fn live_set_up_link(&self, text: &str, caller: &Caller) -> Result<Option<OneTimeLink>, Failure> {
        let Some(presented) = PlainToken::<token::OneTimeLink>::parse(text) else { return Ok(None) };
        self.count(ONE_TIME_LINK, &network(&caller.address), caller).await?;
        let found = self.0.store.live_one_time_link(presented.id(), self.0.clock.now()).await?;
        Ok(found.filter(|link| link.hash == presented.hash() && link.purpose == PURPOSE))
    }
}
