//! Giving a person another password, by the operator's hand.

use crate::{
    Authority, Event, EventKind, Failure, UserAccount,
    add_user::{UserRefused, check_password, normalised_email},
};
use gatepass_keys::Secret;
use gatepass_store::Change;

/// Why a password could not be set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordRefused {
    /// There is no such person.
    #[error("there is no account for {0}")]
    Unknown(String),
    /// The password will not do, or our own trouble.
    #[error(transparent)]
    Refused(#[from] UserRefused),
}

impl From<Failure> for PasswordRefused {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.into())
    }
}

impl Authority {
    /// Gives a person another password and ends their web sessions. What devices and programs were
    /// given stays: it has its own end.
    ///
    /// # Errors
    /// [`PasswordRefused`].
    pub async fn set_password(&self, email: &str, password: Secret) -> Result<UserAccount, PasswordRefused> {
        let unknown = || PasswordRefused::Unknown(email.to_owned());
        let email = normalised_email(email).ok_or_else(unknown)?;
        let user = self.0.store.user_by_email(&email).await.map_err(Failure::from)?.ok_or_else(unknown)?;
        check_password(&password)?;
        let hash = self.0.passwords.hash(password).await?;
        match self.0.store.set_password(user.id, hash, self.0.clock.now()).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::PasswordSet).user(user.id).by_operator()).await;
                Ok(user)
            }
            Change::TooLate => Err(unknown()),
        }
    }
}
