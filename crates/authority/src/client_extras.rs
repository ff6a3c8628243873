//! The members of a registration that concern ID tokens, sign-out and pushed requests.

use crate::{Authority, Failure};
use gatepass_oauth::ClientId;
use gatepass_store::Change;

pub use gatepass_store::client_extras::ClientExtras;

impl Authority {
    /// Changes them.
    ///
    /// # Errors
    /// [`Failure::Internal`] when there is no such client.
    pub async fn set_client_extras(&self, id: &ClientId, extras: &ClientExtras) -> Result<(), Failure> {
        match self.0.store.set_client_extras(id, extras).await? {
            Change::Made => Ok(()),
            Change::TooLate => Err(Failure::internal("there is no such client")),
        }
    }
}
