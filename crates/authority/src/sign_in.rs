//! Signing a person in with address and password.
//!
//! 1. Count the attempt, for the account and for the network address.
//! 2. Compare the password; for an address without an account against nobody's, in the same time.
//! 3. Only a proven address gets a session.

use crate::{
    Authority, Caller, Event, EventKind, Failure, UserAccount,
    add_user::normalised_email,
    throttle::{PASSWORD, PASSWORD_ADDRESS, network},
};
use gatepass_keys::{PlainToken, Secret, token::SessionCookie};
use gatepass_oauth::SignInMethod;

/// What became of it.
#[derive(Debug)]
pub enum SignedIn {
    /// The cookie of the new session.
    Session(PlainToken<SessionCookie>),
    /// Address or password is wrong; which one is not told.
    Wrong,
    /// Both are right, but the address was never proven.
    EmailNotVerified,
}

impl Authority {
    /// Signs a person in.
    ///
    /// # Errors
    /// [`Failure::TooMany`] after too many attempts.
    pub async fn sign_in(&self, email: &str, password: Secret, caller: &Caller) -> Result<SignedIn, Failure> {
        let email = normalised_email(email).unwrap_or_default();
        let network = network(&caller.address);
        self.count(PASSWORD_ADDRESS, &network, caller).await?;
        self.count(PASSWORD, &email, caller).await?;
        let user = self.0.store.user_by_email(&email).await?;
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let right = self.0.passwords.verify(password, stored).await?;
        let known = user.as_ref().map(|user| user.id);
        match user.filter(|_| right) {
            None => {
                let event = Event::new(EventKind::SignInFailed).from(caller);
                self.record(known.into_iter().fold(event, Event::user)).await;
                Ok(SignedIn::Wrong)
            }
            Some(user) => {
                self.refund(PASSWORD_ADDRESS, &network).await?;
                self.forgive(PASSWORD, &email).await?;
                self.open_session(&user, caller).await
            }
        }
    }

    pub(crate) async fn open_session(&self, user: &UserAccount, caller: &Caller) -> Result<SignedIn, Failure> {
        if user.email_verified_at.is_none() {
            let event = Event::new(EventKind::SignInFailed).user(user.id).from(caller);
            self.record(event.detail("the address is not verified")).await;
            return Ok(SignedIn::EmailNotVerified);
        }
        self.begin_session(user, SignInMethod::Password, caller).await.map(SignedIn::Session)
    }
}
