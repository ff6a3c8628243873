//! Which key tokens are bound to, and whether the right one is there.
//!
//! - The confirmation of [`Asking`] is the key that the request has shown. Access tokens are bound to it, save for those of
//!   gatepass's own command line, unless the operator wants those bound too ([`CliAccessTokens`]).
//! - A refresh token of a public client is bound to it too: it is all that stands between a thief and new tokens
//!   (RFC 9449 §5, RFC 8705 §4). One of a confidential client is bound to the client, which must prove itself anyway.
//! - A code or a device's request that was bound when it began is redeemed with the same key only.

use crate::{Asking, Authority, Client, Event, EventKind, Failure};
use gatepass_keys::TokenId;
use gatepass_oauth::{Confirmation, Error, ErrorCode};

/// What an access token of gatepass's own command line is when its request has shown a DPoP key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CliAccessTokens {
    /// A plain bearer token of a short life (RFC 9449 §5 lets the server choose): scripts hand it to tools that know nothing
    /// of keys. The refresh token is bound nevertheless.
    #[default]
    Bearer,
    /// Bound to the key as well.
    Dpop,
}

impl Asking<'_> {
    /// The key that the refresh tokens of a new grant are bound to.
    pub(crate) fn refresh_confirmation(&self) -> Option<Confirmation> {
        if self.client.is_confidential() { None } else { self.confirmation.cloned() }
    }
}

impl Authority {
    /// The key that the access token of this request is bound to.
    pub(crate) fn access_confirmation<'a>(&self, asking: Asking<'a>) -> Option<&'a Confirmation> {
        let own = asking.client.first_party_since.is_some() && !demands_proof(asking.client);
        let plain = own && self.client_policy().cli_access_tokens == CliAccessTokens::Bearer;
        asking.confirmation.filter(|key| !(plain && matches!(key, Confirmation::Jkt(_))))
    }

    /// Whether a client that may only have bound tokens has shown a key.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `invalid_request`.
    pub fn check_binding_demand(&self, asking: Asking<'_>) -> Result<(), Error> {
        let confirmation = asking.confirmation;
        if demands_certificate(asking.client) && !matches!(confirmation, Some(Confirmation::X5tS256(_))) {
            return Err(Error::invalid_request("this client's tokens are bound to its certificate; it must show one"));
        }
        if demands_proof(asking.client) && !matches!(confirmation, Some(Confirmation::Jkt(_))) {
            return Err(Error::new(ErrorCode::InvalidDpopProof, "this client's requests carry a DPoP proof"));
        }
        Ok(())
    }

    /// Whether the key that something is bound to is the one that was shown.
    ///
    /// # Errors
    /// `invalid_grant`.
    pub(crate) async fn check_confirmation(
        &self,
        bound: Option<&Confirmation>,
        asking: Asking<'_>,
        subject: TokenId,
    ) -> Result<(), Failure> {
        if bound.is_none() || bound == asking.confirmation {
            return Ok(());
        }
        let event = Event::new(EventKind::WrongKey).client(&asking.client.id).about(subject).from(asking.caller);
        self.record(event).await;
        Err(Error::invalid_grant("this is bound to another key than the request has shown").into())
    }
}

/// `tls_client_certificate_bound_access_tokens` (RFC 8705 §3.4).
fn demands_certificate(client: &Client) -> bool {
    client.metadata.tls_client_certificate_bound_access_tokens
}

/// `dpop_bound_access_tokens` (RFC 9449 §5.2).
fn demands_proof(client: &Client) -> bool {
    client.metadata.dpop_bound_access_tokens
}
