//! Vouching for a person's address, by the operator's hand.

use crate::{Authority, Event, EventKind, Failure, UserAccount, add_user::normalised_email};
use gatepass_store::Change;

/// Why an address could not be taken for proven.
#[derive(Debug, thiserror::Error)]
pub enum VerifyRefused {
    /// There is no such person.
    #[error("there is no account for {0}")]
    Unknown(String),
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Authority {
    /// Takes a person's address for proven, so that they can sign in. One that was proven before stays as it is.
    ///
    /// # Errors
    /// [`VerifyRefused`].
    pub async fn verify_user(&self, email: &str) -> Result<UserAccount, VerifyRefused> {
        let unknown = || VerifyRefused::Unknown(email.to_owned());
        let email = normalised_email(email).ok_or_else(unknown)?;
        let user = self.0.store.user_by_email(&email).await.map_err(Failure::from)?.ok_or_else(unknown)?;
        let now = self.0.clock.now();
        match self.0.store.verify_email(user.id, now).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::UserVerified).user(user.id).by_operator()).await;
                Ok(UserAccount { email_verified_at: user.email_verified_at.or(Some(now)), ..user })
            }
            Change::TooLate => Err(unknown()),
        }
    }
}
