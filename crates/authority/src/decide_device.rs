//! A person says yes or no to a device (RFC 8628 §3.3).

use crate::{
    Authority, Caller, Event, EventKind, Failure, LiveSession, TooMany,
    show_device::{NumberRule, number_rule},
    throttle::{Distance, NUMBER_MATCH, distance},
};
use gatepass_oauth::UserCode;
use gatepass_store::{
    Change,
    device_grant::{Approval, DeviceGrant},
};

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, with the number if it was asked.
    Approve {
        /// What they typed; `None` when nothing was asked.
        number: Option<String>,
    },
    /// No.
    Deny,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The device is being signed in.
    Approved,
    /// The device is told no.
    Denied,
    /// The number was wrong; it may be tried again.
    WrongNumber,
    /// Nothing waits under this code any more.
    Unknown,
}

impl Authority {
    /// Decides a device's request for a person who is signed in.
    ///
    /// # Errors
    /// [`Failure::TooMany`] after too many wrong codes.
    pub async fn decide_device(
        &self,
        code: &UserCode,
        answer: &Answer,
        session: &LiveSession,
        caller: &Caller,
    ) -> Result<Decided, Failure> {
        let Some(grant) = self.waiting_device(code, session, caller).await? else { return Ok(Decided::Unknown) };
        match answer {
            Answer::Deny => self.deny(&grant, session, caller).await,
            Answer::Approve { number } if number_rule(&grant, caller) == NumberRule::Asked => {
                self.match_number(&grant, number.as_deref(), session, caller).await
            }
            Answer::Approve { .. } => self.approve(&grant, session, caller).await,
        }
    }

    async fn approve(&self, grant: &DeviceGrant, session: &LiveSession, caller: &Caller) -> Result<Decided, Failure> {
        let approval = Approval { user_id: session.user_id, authentication: session.authentication() };
        Ok(match self.0.store.approve_device(grant.id, approval, self.0.clock.now()).await? {
            Change::Made => {
                self.record(event(EventKind::DeviceApproved, grant, session, caller)).await;
                if is_far(grant, caller) {
                    let number = if grant.number_match.is_some() { "was matched" } else { "was not asked" };
                    let event = event(EventKind::DeviceApprovedFar, grant, session, caller);
                    let from = &grant.address;
                    let event = event.detail(format_args!("the device asked from {from}; its number {number}"));
                    self.record(event).await;
                }
                Decided::Approved
            }
            Change::TooLate => Decided::Unknown,
        })
    }

    async fn deny(&self, grant: &DeviceGrant, session: &LiveSession, caller: &Caller) -> Result<Decided, Failure> {
        Ok(match self.0.store.deny_device(grant.id, self.0.clock.now()).await? {
            Change::Made => {
                self.record(event(EventKind::DeviceDenied, grant, session, caller)).await;
                Decided::Denied
            }
            Change::TooLate => Decided::Unknown,
        })
    }

    /// Three tries, counted before they are judged, then the request is denied: two digits bear no more.
    async fn match_number(
        &self,
        grant: &DeviceGrant,
        number: Option<&str>,
        session: &LiveSession,
        caller: &Caller,
    ) -> Result<Decided, Failure> {
        let subject: String = grant.id.0.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.count(NUMBER_MATCH, &subject, caller).await {
            Err(Failure::TooMany(TooMany { .. })) => return self.deny(grant, session, caller).await,
            counted => counted?,
        }
        if number == grant.number_match.as_deref() {
            self.approve(grant, session, caller).await
        } else {
            Ok(Decided::WrongNumber)
        }
    }
}

/// Whether an approval comes from another network than the request. A number that was matched shows that whoever
/// approves was told it, not that he stands before the device, so it changes nothing where networks can be compared.
/// Where they cannot, it is what speaks for one place with addresses of both kinds.
fn is_far(grant: &DeviceGrant, caller: &Caller) -> bool {
    match distance(&grant.address, &caller.address) {
        Distance::Near => false,
        Distance::Far => true,
        Distance::NotComparable => grant.number_match.is_none(),
    }
}

fn event(kind: EventKind, grant: &DeviceGrant, session: &LiveSession, caller: &Caller) -> Event {
    Event::new(kind).user(session.user_id).client(&grant.client_id).about(grant.id).from(caller)
}
