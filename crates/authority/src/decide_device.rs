//! A person says yes or no to a device (RFC 8628 §3.3).

use crate::{
    Authority, Caller, Event, EventKind, Failure, LiveSession, TooMany,
    show_device::{NumberRule, number_rule},
    throttle::{NUMBER_MATCH, are_far},
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
                // Whoever had to enter the number has seen the device's screen, wherever it stands.
                if grant.number_match.is_none() && are_far(&grant.address, &caller.address) {
                    let event = event(EventKind::DeviceApprovedFar, grant, session, caller);
                    let event = event.detail(format_args!("the device asked from {}", grant.address));
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

fn event(kind: EventKind, grant: &DeviceGrant, session: &LiveSession, caller: &Caller) -> Event {
    Event::new(kind).user(session.user_id).client(&grant.client_id).about(grant.id).from(caller)
}
