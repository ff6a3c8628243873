//! Web sessions: reading the cookie, prolonging it, ending it.

use crate::{Authority, Caller, Event, EventKind, Failure, LiveSession, UserAccount};
use gatepass_keys::{PlainToken, token::SessionCookie};
use gatepass_oauth::SignInMethod;
use gatepass_store::session::NewSession;
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

    /// Ends the session behind a cookie's value.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sign_out(&self, cookie: &str, caller: &Caller) -> Result<(), Failure> {
        if let Some(session) = self.session(cookie).await? {
            let _ = self.0.store.revoke_session(session.id, self.0.clock.now()).await?;
            self.record(Event::new(EventKind::SignedOut).user(session.user_id).about(session.id).from(caller)).await;
        }
        Ok(())
    }
}
