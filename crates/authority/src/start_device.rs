//! A device asks to be signed in (RFC 8628 §3.1, §3.2).

use crate::{
    Asking, Authority, Event, EventKind, Failure,
    dpop::key_to_bind,
    issue::choose_scope,
    throttle::{DEVICE_START_ADDRESS, DEVICE_START_CLIENT, network},
};
use gatepass_keys::{PlainToken, TokenId, token::DeviceCode};
use gatepass_oauth::{CodeChallenge, Confirmation, DeviceAuthorizationResponse, ResourceUri, Scope, UserCode, device};
use gatepass_store::{
    Change,
    device_grant::{Decision, DeviceGrant},
};
use std::time::Duration;

/// The least time between polls, at first.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How often a user code is drawn anew when it is taken.
const DRAWS: usize = 8;

/// What a device says.
#[derive(Debug, Default)]
pub struct DeviceRequest {
    /// What it asks for.
    pub scope: Option<Scope>,
    /// For which API.
    pub resource: Option<ResourceUri>,
    /// Binds the poll to this device.
    pub code_challenge: Option<CodeChallenge>,
    /// The key that it will poll with, when its request shows none (`dpop_jkt`).
    pub dpop_jkt: Option<Confirmation>,
    /// What it calls itself.
    pub device_name: String,
    /// Whether it can show a number beside the code.
    pub number_match: NumberMatch,
}

/// Whether a device can show a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberMatch {
    /// It said so.
    Shown,
    /// It is a plain RFC 8628 device.
    #[default]
    NotShown,
}

impl Authority {
    /// Begins a device's sign-in.
    ///
    /// # Errors
    /// `invalid_scope`, `invalid_target`; [`Failure::TooMany`] after too many starts.
    pub async fn start_device(
        &self,
        asking: Asking<'_>,
        request: &DeviceRequest,
    ) -> Result<DeviceAuthorizationResponse, Failure> {
        let Asking { client, caller, confirmation } = asking;
        let confirmation = key_to_bind(confirmation, request.dpop_jkt.clone())?;
        let scope = choose_scope(client, request.scope.as_ref())?;
        let (scope, resource) = self.choose_target(client, scope, request.resource.as_ref()).await?;
        // Each start is a row that anybody may make, and a code more that a guess could hit.
        self.meter(DEVICE_START_ADDRESS, &network(&caller.address), caller).await?;
        self.meter(DEVICE_START_CLIENT, client.id.as_str(), caller).await?;
        // gatepass's own program always shows the number, so nobody may leave it out in its name.
        let shows_number = request.number_match == NumberMatch::Shown || client.first_party_since.is_some();
        let number_match = match shows_number {
            true => Some(format!("{:02}", self.0.entropy.below(90)? + 10)),
            false => None,
        };
        for _ in 0..DRAWS {
            let now = self.0.clock.now();
            let code = PlainToken::<DeviceCode>::mint(now, &self.0.entropy)?;
            let user_code: UserCode = self
                .0
                .entropy
                .text(device::USER_CODE_ALPHABET, device::USER_CODE_LENGTH)?
                .parse()
                .map_err(|_| Failure::internal("a user code was drawn from another alphabet"))?;
            let grant = DeviceGrant {
                id: code.id(),
                hash: code.hash(),
                user_code_hash: self.0.user_codes.hash(user_code.letters()),
                client_id: client.id.clone(),
                scope: scope.clone(),
                resource: resource.clone(),
                code_challenge: request.code_challenge.clone(),
                confirmation: confirmation.clone(),
                number_match: number_match.clone(),
                device_name: request.device_name.clone(),
                address: caller.address.clone(),
                user_agent: caller.user_agent.clone(),
                created_at: now,
                expires_at: now.plus(self.lifetimes().device_code),
                interval: INTERVAL,
                next_poll_at: now,
                decision: Decision::Pending,
                grant_id: TokenId::new(now, &self.0.entropy)?,
            };
            if self.0.store.add_device_grant(&grant).await? == Change::Made {
                self.record(Event::new(EventKind::DeviceStarted).client(&client.id).about(grant.id).from(caller)).await;
                return Ok(self.device_answer(code, &user_code, number_match));
            }
        }
        Err(Failure::internal("no free user code was found"))
    }

    fn device_answer(
        &self,
        code: PlainToken<DeviceCode>,
        user_code: &UserCode,
        number_match: Option<String>,
    ) -> DeviceAuthorizationResponse {
        DeviceAuthorizationResponse {
            device_code: code.into_secret(),
            user_code: user_code.to_string(),
            verification_uri: self.issuer().endpoint("/device"),
            verification_uri_complete: Some(self.issuer().endpoint(&format!("/device/{user_code}"))),
            expires_in: self.lifetimes().device_code.as_secs(),
            interval: INTERVAL.as_secs(),
            number_match,
        }
    }
}
