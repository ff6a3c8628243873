//! A device polls (RFC 8628 §3.4, §3.5).
//!
//! 1. The code must exist and be this client's; whoever bound the request to itself must prove it.
//! 2. A pure decision over the request: expired, denied, done, approved, too soon, or pending.
//! 3. One change: note the poll, or give the tokens. Of many redeemers one wins.

use crate::{
    Asking, Authentication, Authority, Event, EventKind, Failure,
    issue::{Allowed, Issued},
    throttle::{DEVICE_POLL, DEVICE_POLL_ADDRESS, network},
};
use gatepass_keys::{PlainToken, token::DeviceCode};
use gatepass_oauth::{CodeVerifier, Error, ErrorCode, Secret, TokenResponse, UtcMillis, device::SLOW_DOWN_SECONDS};
use gatepass_store::{
    Change,
    device_grant::{Approval, Decision, DeviceGrant},
    token_grant::NewGrant,
};
use std::time::Duration;

/// How much earlier than asked a poll may arrive: networks do not keep a beat.
const TOLERANCE: Duration = Duration::from_millis(500);
/// No interval grows beyond this.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// What a poll says.
#[derive(Debug)]
pub struct DevicePoll {
    /// The code.
    pub device_code: Secret,
    /// What answers the challenge, when there was one.
    pub code_verifier: Option<CodeVerifier>,
}

/// What a poll meets.
#[derive(Debug, PartialEq, Eq)]
enum Met {
    Expired,
    Denied,
    Used,
    Approved(Approval),
    TooSoon,
    Pending,
}

/// The pure decision of step 2.
fn meet(grant: &DeviceGrant, now: UtcMillis) -> Met {
    match grant.decision {
        Decision::Redeemed => Met::Used,
        Decision::Denied => Met::Denied,
        _ if grant.expires_at <= now => Met::Expired,
        Decision::Approved(approval) => Met::Approved(approval),
        Decision::Pending if now.plus(TOLERANCE) < grant.next_poll_at => Met::TooSoon,
        Decision::Pending => Met::Pending,
    }
}

impl Authority {
    /// Answers a poll.
    ///
    /// # Errors
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`;
    /// [`Failure::TooMany`] for a storm of polls.
    pub async fn redeem_device(&self, asking: Asking<'_>, poll: &DevicePoll) -> Result<TokenResponse, Failure> {
        let unknown = || Error::invalid_grant("the device code is unknown or used");
        let presented = PlainToken::<DeviceCode>::parse(poll.device_code.expose()).ok_or_else(unknown)?;
        let subject = || format!("{:032x}", u128::from_be_bytes(presented.id().0));
        self.check_meter(DEVICE_POLL, subject)?;
        self.meter(DEVICE_POLL_ADDRESS, &network(&asking.caller.address), asking.caller).await?;
        let grant = self
            .0
            .store
            .device_grant(presented.id())
            .await?
            .filter(|grant| grant.hash == presented.hash())
            .ok_or_else(unknown)?;
        if grant.client_id != asking.client.id {
            return Err(unknown().with_detail("the device code is another client's").into());
        }
        check_binding(&grant, poll.code_verifier.as_ref())?;
        self.check_confirmation(grant.confirmation.as_ref(), asking, grant.id).await?;
        match meet(&grant, self.0.clock.now()) {
            Met::Used => Err(unknown().with_detail("the device code was redeemed").into()),
            Met::Expired => Err(Error::new(ErrorCode::ExpiredToken, "the device code is expired; start again").into()),
            Met::Denied => Err(Error::new(ErrorCode::AccessDenied, "the sign-in was denied").into()),
            Met::TooSoon => {
                self.meter(DEVICE_POLL, &subject(), asking.caller).await?;
                self.slow_down(&grant).await
            }
            Met::Pending => self.pending(&grant).await,
            Met::Approved(approval) => self.give_tokens(asking, &grant, approval).await,
        }
    }

    async fn pending(&self, grant: &DeviceGrant) -> Result<TokenResponse, Failure> {
        let next_poll_at = self.0.clock.now().plus(grant.interval);
        match self.0.store.note_poll(grant, grant.interval, next_poll_at).await? {
            Change::Made => Err(Error::new(ErrorCode::AuthorizationPending, "nobody has decided yet").into()),
            // Another poll came between: two at once are too fast.
            Change::TooLate => Err(Error::new(ErrorCode::SlowDown, "one poll at a time").into()),
        }
    }

    async fn slow_down(&self, grant: &DeviceGrant) -> Result<TokenResponse, Failure> {
        let interval = (grant.interval + Duration::from_secs(SLOW_DOWN_SECONDS)).min(LONGEST_INTERVAL);
        let next_poll_at = self.0.clock.now().plus(interval);
        // When another poll was noted meanwhile, this one has still come too soon.
        let _ = self.0.store.note_poll(grant, interval, next_poll_at).await?;
        Err(Error::new(ErrorCode::SlowDown, "five seconds more between polls").into())
    }

    async fn give_tokens(
        &self,
        asking: Asking<'_>,
        grant: &DeviceGrant,
        approval: Approval,
    ) -> Result<TokenResponse, Failure> {
        let allowed = Allowed {
            grant_id: grant.grant_id,
            asking,
            user_id: approval.user_id,
            person: None,
            scope: &grant.scope,
            resource: &grant.resource,
            // A device is no part of the browser's session: a sign-out there leaves it alone.
            authentication: Authentication { session_id: None, ..approval.authentication },
            nonce: None,
        };
        let Issued { grant: new, token, answer } = self.issue(&allowed).await?;
        let new = NewGrant { approved_in: approval.authentication.session_id, ..new };
        match self.0.store.redeem_device(grant.id, &new, &token).await? {
            Change::Made => {
                let event = Event::new(EventKind::DeviceSignedIn).client(&grant.client_id).user(approval.user_id);
                self.record(event.about(grant.id).from(asking.caller)).await;
                Ok(answer)
            }
            Change::TooLate => Err(Error::invalid_grant("the device code is unknown or used")
                .with_detail("another poll was first")
                .into()),
        }
    }
}

fn check_binding(grant: &DeviceGrant, verifier: Option<&CodeVerifier>) -> Result<(), Error> {
    match (&grant.code_challenge, verifier) {
        (None, _) => Ok(()),
        (Some(challenge), Some(verifier)) if challenge.is_answered_by(verifier) => Ok(()),
        (Some(_), _) => {
            Err(Error::invalid_grant("code_verifier does not answer the code_challenge of the device request"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_keys::{HashedToken, TokenId};
    use gatepass_oauth::{Scope, SignInMethod};
    use gatepass_store::UserId;

    fn grant(decision: Decision) -> DeviceGrant {
        DeviceGrant {
            id: TokenId([1; 16]),
            hash: HashedToken([0; 32]),
            user_code_hash: [0; 32],
            client_id: "c".parse().unwrap(),
            scope: Scope::empty(),
            resource: "https://a.example".parse().unwrap(),
            code_challenge: None,
            confirmation: None,
            number_match: None,
            device_name: String::new(),
            address: String::new(),
            user_agent: String::new(),
            created_at: UtcMillis(0),
            expires_at: UtcMillis(600_000),
            interval: Duration::from_secs(5),
            next_poll_at: UtcMillis(5_000),
            decision,
            grant_id: TokenId([2; 16]),
        }
    }

    #[test]
    fn a_poll_meets_what_the_request_has_become() {
        let authentication = Authentication { at: UtcMillis(1), method: SignInMethod::Password, session_id: None };
        let approval = Approval { user_id: UserId([3; 16]), authentication };
        let table = [
            (Decision::Pending, 4_499, Met::TooSoon),
            (Decision::Pending, 4_500, Met::Pending),
            (Decision::Pending, 600_000, Met::Expired),
            (Decision::Denied, 0, Met::Denied),
            (Decision::Denied, 700_000, Met::Denied),
            (Decision::Approved(approval), 0, Met::Approved(approval)),
            (Decision::Approved(approval), 600_000, Met::Expired),
            (Decision::Redeemed, 0, Met::Used),
        ];
        for (decision, now, met) in table {
            assert_eq!(meet(&grant(decision), UtcMillis(now)), met, "{decision:?} at {now}");
        }
    }
}
