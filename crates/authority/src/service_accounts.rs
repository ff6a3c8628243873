//! Service accounts, by the operator's hand.

use crate::{Authority, Event, EventKind, Failure, UserId, add_user::tidy_name};
use gatepass_keys::TokenId;
use gatepass_store::Change;

pub use gatepass_store::service_account::{ServiceAccount, ServiceId};

/// Why something could not be done with a service account.
#[derive(Debug, thiserror::Error)]
pub enum ServiceRefused {
    /// No name, or an odd one.
    #[error("a service account's name has 1 to 64 characters of a-z, 0-9, '-', '_' and '.'")]
    Name,
    /// The description is too long or holds control characters.
    #[error("a description has at most 100 characters and no control characters")]
    Description,
    /// The name is taken.
    #[error("there is a service account {0} already")]
    Taken(String),
    /// There is none.
    #[error("there is no service account {0} that is not disabled")]
    Unknown(String),
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Authority {
    /// Adds a service account.
    ///
    /// # Errors
    /// [`ServiceRefused`].
    pub async fn add_service(&self, name: &str, description: &str) -> Result<ServiceAccount, ServiceRefused> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(ServiceRefused::Name);
        }
        let now = self.0.clock.now();
        let account = ServiceAccount {
            id: ServiceId(UserId(TokenId::new(now, &self.0.entropy).map_err(Failure::from)?.0)),
            name: name.to_owned(),
            description: tidy_name(description).ok_or(ServiceRefused::Description)?,
            created_at: now,
            disabled_at: None,
        };
        match self.0.store.add_service(&account).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::ServiceAdded).by_operator().detail(&account.name)).await;
                Ok(account)
            }
            Change::TooLate => Err(ServiceRefused::Taken(account.name)),
        }
    }

    /// Service accounts in the order of their names.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn services(&self, after: &str, limit: i64) -> Result<Vec<ServiceAccount>, Failure> {
        Ok(self.0.store.services(after, limit).await?)
    }

    /// Disables a service account: all its tokens end, here at once, on other nodes within a second.
    ///
    /// # Errors
    /// [`ServiceRefused::Unknown`].
    pub async fn disable_service(&self, name: &str) -> Result<(), ServiceRefused> {
        let disabled = self.0.store.disable_service(name, self.0.clock.now()).await.map_err(Failure::from)?;
        self.forget_verified();
        if disabled == Change::TooLate {
            return Err(ServiceRefused::Unknown(name.to_owned()));
        }
        self.record(Event::new(EventKind::ServiceDisabled).by_operator().detail(name)).await;
        Ok(())
    }
}
