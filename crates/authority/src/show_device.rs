//! Showing a person who asks to be signed in (RFC 8628 §3.3), before they decide.

use crate::{
    Authority, Caller, Failure, LiveSession,
    authorize::document_host,
    throttle::{USER_CODE, USER_CODE_ADDRESS, network},
};
use gatepass_oauth::{ClientOrigin, Scope, UserCode, UtcMillis};
use gatepass_store::device_grant::{Decision, DeviceGrant};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct DeviceQuestion {
    /// The program that asks.
    pub client_name: String,
    /// Whose word that name is.
    pub client_origin: ClientOrigin,
    /// The host that stands for it, when its identifier is the address of its document.
    pub client_host: Option<String>,
    /// Whether it is gatepass's own.
    pub first_party: bool,
    /// What the device calls itself; its own word, not checked.
    pub device_name: String,
    /// Where it asked from.
    pub address: String,
    /// When it asked.
    pub asked_at: UtcMillis,
    /// For what.
    pub scope: Scope,
    /// For which API, unless this server's own.
    pub resource: Option<String>,
    /// Whether the person must enter the number that the device shows.
    pub number: NumberRule,
}

/// Whether a number must be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberRule {
    /// The device is at the person's own address, or cannot show one.
    NotAsked,
    /// The device is elsewhere: whoever sent the code along has not seen its screen (RFC 8628 §5.4).
    Asked,
}

/// What became of looking a code up.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A device waits.
    Question(Box<DeviceQuestion>),
    /// Nothing waits under this code.
    Unknown,
}

impl Authority {
    /// Looks a user code up for a person who is signed in.
    ///
    /// # Errors
    /// [`Failure::TooMany`] after too many codes that nobody waits under.
    pub async fn show_device(&self, code: &UserCode, session: &LiveSession, caller: &Caller) -> Result<Shown, Failure> {
        let Some(grant) = self.waiting_device(code, session, caller).await? else { return Ok(Shown::Unknown) };
        let Ok(client) = self.client_for(&grant.client_id, Some(caller)).await? else { return Ok(Shown::Unknown) };
        Ok(Shown::Question(Box::new(DeviceQuestion {
            client_name: client.name.clone(),
            client_origin: client.origin,
            client_host: document_host(&client),
            first_party: client.first_party_since.is_some(),
            number: number_rule(&grant, caller),
            device_name: grant.device_name,
            address: grant.address,
            asked_at: grant.created_at,
            scope: grant.scope,
            resource: (grant.resource != *self.own_resource()).then(|| grant.resource.to_string()),
        })))
    }

    /// The request that waits under a user code. A code that nobody waits under is a wrong guess.
    pub(crate) async fn waiting_device(
        &self,
        code: &UserCode,
        session: &LiveSession,
        caller: &Caller,
    ) -> Result<Option<DeviceGrant>, Failure> {
        let subject = session.user_id.to_string();
        self.check_meter(USER_CODE_ADDRESS, || network(&caller.address))?;
        self.count(USER_CODE, &subject, caller).await?;
        let now = self.0.clock.now();
        let found = self.0.store.device_grant_by_user_code(self.0.user_codes.hash(code.letters())).await?;
        let waiting = found.filter(|grant| grant.decision == Decision::Pending && grant.expires_at > now);
        if waiting.is_some() {
            self.refund(USER_CODE, &subject).await?;
        } else {
            self.meter(USER_CODE_ADDRESS, &network(&caller.address), caller).await?;
        }
        Ok(waiting)
    }
}

pub(crate) fn number_rule(grant: &DeviceGrant, caller: &Caller) -> NumberRule {
    if grant.number_match.is_some() && grant.address != caller.address {
        NumberRule::Asked
    } else {
        NumberRule::NotAsked
    }
}
