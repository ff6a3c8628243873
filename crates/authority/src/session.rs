//! Web sessions: reading the cookie, prolonging it, ending it.

use crate::{Authority, Caller, Event, EventKind, Failure, LiveSession, UserAccount};
use gatepass_keys::{PlainToken, token::SessionCookie};
use gatepass_oauth::SignInMethod;
use gatepass_store::{
    ending::{Ending, SessionNames},
    session::NewSession,
    token_grant::RevokedBecause,
};
use std::time::Duration;

/// A session is prolonged at most this often: a write per page would be wasted.
const PROLONG_EVERY: Duration = Duration::from_secs(60 * 60);

impl Authority {
    /// The session behind a cookie's value, prolonged if it is time.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn session(&self, cookie: &str) -> Result<Option<LiveSession>, Failure> {
        let Some(presented) = PlainToken::<SessionCookie>::parse(cookie) else { return Ok(None) };
        let now = self.0.clock.now();
        let found = self.0.store.live_session(presented.id(), now).await?;
        let Some(session) = found.filter(|session| session.hash == presented.hash()) else { return Ok(None) };
        if session.seen_at.plus(PROLONG_EVERY) <= now {
            // Whoever prolongs it first has done it for all.
            let _ = self.0.store.prolong_session(session.id, now, now.plus(self.lifetimes().session)).await?;
        }
        Ok(Some(session))
    }

    /// Begins a session: always a new value, so that nobody can plant one beforehand.
    pub(crate) async fn begin_session(
        &self,
        user: &UserAccount,
        method: SignInMethod,
        caller: &Caller,
    ) -> Result<PlainToken<SessionCookie>, Failure> {
        let now = self.0.clock.now();
        let cookie = PlainToken::<SessionCookie>::mint(now, &self.0.entropy)?;
        let session = NewSession {
            id: cookie.id(),
            hash: cookie.hash(),
            user_id: user.id,
            authenticated_at: now,
            method,
            expires_at: now.plus(self.lifetimes().session),
            address: caller.address.clone(),
            user_agent: caller.user_agent.clone(),
        };
        self.0.store.add_session(&session).await?;
        self.record(Event::new(EventKind::SignedIn).user(user.id).about(session.id).from(caller).detail(method)).await;
        Ok(cookie)
    }

    /// Lets a new session take the place of the one behind `former`, the cookie that the browser came with. The same
    /// person has proven themselves again: what hangs on the session stays. Another person's is signed out.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn replace_session(
        &self,
        former: &str,
        new: &PlainToken<SessionCookie>,
        caller: &Caller,
    ) -> Result<(), Failure> {
        let Some(session) = self.session(former).await? else { return Ok(()) };
        let names = self.0.store.session_names(new.id()).await?;
        match names.filter(|names| names.user_id == session.user_id) {
            Some(new) => Ok(self.0.store.continue_session(&session, new.id, self.0.clock.now()).await?),
            None => self.sign_out(former, caller).await,
        }
    }

    /// Ends the session behind a cookie's value: the grants that were not to outlive it end too, and the clients that
    /// want to hear of it are told.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sign_out(&self, cookie: &str, caller: &Caller) -> Result<(), Failure> {
        if let Some(session) = self.session(cookie).await? {
            let names = SessionNames { id: session.id, origin_id: session.origin_id, user_id: session.user_id };
            self.close_session(names, Ending::OnlineGrants, RevokedBecause::SignedOut).await?;
            self.record(Event::new(EventKind::SignedOut).user(session.user_id).about(session.id).from(caller)).await;
        }
        Ok(())
    }
}
