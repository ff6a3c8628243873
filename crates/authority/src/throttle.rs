//! Bounds on guessing and on what fills the server, per subject and per address, shared by all nodes.
//!
//! There are two ways of counting. [`Authority::count`] writes each attempt to the store before it is judged: for
//! secrets that people remember or type. [`Authority::meter`] counts in memory and tells the store of what is suspicious
//! ([`meter`](crate::meter)): for what programs do all day. Both cost no write for a subject that is known to be over its
//! limit, and each alarms once per window.
//!
//! A guess is counted *before* it is judged, so that a thousand parallel guesses count as a thousand; one
//! that was right is taken back. Only a wrong client secret is counted afterwards, in memory first: it has more bits
//! than anybody guesses, so what is bounded there is the noise.
//!
//! An address is the whole network that one subscriber has: of IPv6 the first 64 bits. Many have more of those, so what
//! strangers fill the server with is bounded a second time, for the first 48 bits.

use crate::{Authority, Caller, Client, Event, EventKind, Failure, LiveAccessToken, Rate, meter::Metered};
use gatepass_oauth::{ClientId, Error, ErrorCode};
use std::{fmt::Display, net::IpAddr, time::Duration};

/// How many attempts in how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) attempts: i64,
    pub(crate) window: Duration,
}

/// Passwords of one account.
pub(crate) const PASSWORD: Limit = Limit { what: "password", attempts: 10, window: Duration::from_secs(15 * 60) };
/// Passwords from one address, for any account.
pub(crate) const PASSWORD_ADDRESS: Limit =
    Limit { what: "password-address", attempts: 100, window: Duration::from_secs(15 * 60) };
/// User codes by one person: 20⁸ codes and ten guesses leave a chance below 10⁻⁸ (RFC 8628 §5.1).
pub(crate) const USER_CODE: Limit = Limit { what: "user-code", attempts: 10, window: Duration::from_secs(10 * 60) };
/// Number matches of one device's request.
pub(crate) const NUMBER_MATCH: Limit =
    Limit { what: "number-match", attempts: 3, window: Duration::from_secs(60 * 60) };
/// Failed proofs of one client from one address.
pub(crate) const CLIENT_SECRET: Limit = Limit { what: "client-secret", attempts: 30, window: Duration::from_secs(60) };
/// Failed proofs from one address, of any client.
pub(crate) const CLIENT_SECRET_ADDRESS: Limit =
    Limit { what: "client-secret-address", attempts: 120, window: Duration::from_secs(60) };
/// Failed proofs of one client, from wherever.
pub(crate) const CLIENT_SECRET_CLIENT: Limit =
    Limit { what: "client-secret-client", attempts: 600, window: Duration::from_secs(60) };
/// Set-up links from one address.
pub(crate) const ONE_TIME_LINK: Limit = Limit { what: "one-time-link", attempts: 30, window: Duration::from_secs(60) };

/// Short links to sign-in pages from one address: 20⁸ of them, each for a minute or some.
pub(crate) const TICKET: Limit = Limit { what: "ticket", attempts: 30, window: Duration::from_secs(10 * 60) };
/// Wrong user codes from one address, whoever is signed in there.
pub(crate) const USER_CODE_ADDRESS: Limit =
    Limit { what: "user-code-address", attempts: 100, window: Duration::from_secs(10 * 60) };
/// Devices that begin to sign in from one address.
pub(crate) const DEVICE_START_ADDRESS: Limit =
    Limit { what: "device-start-address", attempts: 120, window: Duration::from_secs(10 * 60) };
/// Devices of one client that begin to sign in: each code that waits makes a guess likelier (RFC 8628 §5.1).
pub(crate) const DEVICE_START_CLIENT: Limit =
    Limit { what: "device-start-client", attempts: 10_000, window: Duration::from_secs(10 * 60) };
/// Polls of one device that came too soon.
pub(crate) const DEVICE_POLL: Limit = Limit { what: "device-poll", attempts: 60, window: Duration::from_secs(60) };
/// Polls from one address, of any device and any answer: an office full of devices keeps below it.
pub(crate) const DEVICE_POLL_ADDRESS: Limit =
    Limit { what: "device-poll-address", attempts: 1200, window: Duration::from_secs(60) };
/// Authorization requests that are pushed from one address; a web application pushes those of all its people.
pub(crate) const PUSH_ADDRESS: Limit =
    Limit { what: "push-address", attempts: 1200, window: Duration::from_secs(10 * 60) };
/// Authorization requests that are pushed in the name of one public client.
pub(crate) const PUSH_CLIENT: Limit =
    Limit { what: "push-client", attempts: 10_000, window: Duration::from_secs(10 * 60) };
/// Requests to the client's endpoints from one address that came to nothing.
pub(crate) const JUNK_ADDRESS: Limit = Limit { what: "junk-address", attempts: 600, window: Duration::from_secs(60) };

/// How often an event that anybody may bring about is kept, of those that are alike: once in that time.
const STRANGERS_EVENT: Rate = Rate { attempts: 1, window: Duration::from_secs(60) };
/// How many of one kind are kept from one network in that time, however many subjects and keys it thinks up.
const STRANGERS_EVENTS: Rate = Rate { attempts: 30, window: Duration::from_secs(60) };

/// The longest reason of a refusal that is kept, in characters.
const LONGEST_REASON: usize = 300;

/// Every limit, for the settings. A new one is a constant and a line here.
pub(crate) const ALL: &[Limit] = &[
    PASSWORD,
    PASSWORD_ADDRESS,
    USER_CODE,
    USER_CODE_ADDRESS,
    NUMBER_MATCH,
    CLIENT_SECRET,
    CLIENT_SECRET_ADDRESS,
    CLIENT_SECRET_CLIENT,
    ONE_TIME_LINK,
    DEVICE_START_ADDRESS,
    DEVICE_START_CLIENT,
    DEVICE_POLL,
    DEVICE_POLL_ADDRESS,
    PUSH_ADDRESS,
    PUSH_CLIENT,
    JUNK_ADDRESS,
    TICKET,
];

/// How many networks of one site may each do as much as one.
const NETWORKS_OF_A_SITE: i64 = 4;

impl Limit {
    /// The same, for a whole site of IPv6.
    pub(crate) fn of_site(self) -> Self {
        Self { attempts: self.attempts.saturating_mul(NETWORKS_OF_A_SITE), ..self }
    }

    fn rate(self) -> Rate {
        Rate { attempts: self.attempts, window: self.window }
    }

    /// Whether it is counted for each client, whose identifier the subject is.
    fn is_of_a_client(self) -> bool {
        matches!(self.what, "client-secret-client" | "device-start-client" | "push-client")
    }

    /// What it means that there were too many.
    fn alarm(self) -> EventKind {
        match self.what {
            "device-poll" => EventKind::PollingStorm,
            "device-start-address"
            | "device-start-client"
            | "device-poll-address"
            | "push-address"
            | "push-client"
            | "junk-address"
            | "registration"
            | "registration-all"
            | "document"
            | "document-host" => EventKind::Throttled,
            _ => EventKind::Guessing,
        }
    }
}

/// There were too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {} seconds", retry_after.as_secs().max(1))]
pub struct TooMany {
    /// How long to wait.
    pub retry_after: Duration,
}

impl Authority {
    /// Counts an attempt of `subject` and refuses it when there were too many.
    pub(crate) async fn count(&self, limit: Limit, subject: &str, caller: &Caller) -> Result<(), Failure> {
        let Some(rate) = self.0.settings.limits.rate(limit.what, limit.rate()) else { return Ok(()) };
        let (bucket, now) = (bucket(limit, subject), self.0.clock.now());
        if let Some(until) = self.0.meters.is_over(&bucket, rate, now) {
            return Err(TooMany { retry_after: now.until(until) }.into());
        }
        let attempts = self.0.store.count_attempt(&bucket, rate.window, now).await?;
        if attempts.hits > rate.attempts {
            let met = self.0.meters.learn(&bucket, rate, now, attempts);
            return self.refuse(limit, subject, met, caller).await;
        }
        Ok(())
    }

    /// Counts something of `subject` that comes often, in memory first.
    pub(crate) async fn meter(&self, limit: Limit, subject: &str, caller: &Caller) -> Result<(), Failure> {
        let Some(rate) = self.0.settings.limits.rate(limit.what, limit.rate()) else { return Ok(()) };
        let (bucket, now) = (bucket(limit, subject), self.0.clock.now());
        let mut met = self.0.meters.hit(&bucket, rate, now);
        if let Metered::Tell(hits) = met {
            let seen = self.0.store.count_attempts(&bucket, hits, rate.window, now).await?;
            met = self.0.meters.learn(&bucket, rate, now, seen);
        }
        self.refuse(limit, subject, met, caller).await
    }

    /// Refuses what is known to be over its limit, without counting. The subject's name is made only when somebody is.
    pub(crate) fn check_meter<S: Display>(&self, limit: Limit, subject: impl FnOnce() -> S) -> Result<(), Failure> {
        let now = self.0.clock.now();
        if self.0.meters.are_calm(now) {
            return Ok(());
        }
        let Some(rate) = self.0.settings.limits.rate(limit.what, limit.rate()) else { return Ok(()) };
        match self.0.meters.is_over(&bucket(limit, subject()), rate, now) {
            Some(until) => Err(TooMany { retry_after: now.until(until) }.into()),
            None => Ok(()),
        }
    }

    async fn refuse(&self, limit: Limit, subject: &str, met: Metered, caller: &Caller) -> Result<(), Failure> {
        let Metered::Over { until, first } = met else { return Ok(()) };
        if first {
            let event = Event::new(limit.alarm()).from(caller).detail(limit.what);
            let client = Some(subject).filter(|_| limit.is_of_a_client()).and_then(|id| id.parse().ok());
            self.record(client.iter().fold(event, Event::client)).await;
        }
        Err(TooMany { retry_after: self.0.clock.now().until(until) }.into())
    }

    /// Refuses a request to one of the client's endpoints, before anything is done for it, when its address has sent too
    /// many that came to nothing.
    ///
    /// # Errors
    /// [`Failure::TooMany`].
    pub fn check_junk(&self, caller: &Caller) -> Result<(), Failure> {
        self.check_meter(JUNK_ADDRESS, || network(&caller.address))
    }

    /// Whether an event is kept that anybody may bring about: the first of those that are alike in a while is, and tells
    /// how many were left out since the one before it. What one client or one key does never hides what another does from
    /// the same address: events are alike that have one kind, client, subject and object. Who thinks up ever new ones is
    /// bounded by his network.
    pub(crate) fn first_of_its_kind(&self, event: &Event) -> Option<i64> {
        let Event { kind, client_id, subject, object, .. } = event;
        let client = client_id.as_ref().map_or("", ClientId::as_str);
        let subject = subject.map_or(0, |id| u128::from_be_bytes(id.0));
        let object = object.as_deref().unwrap_or_default();
        let (of_network, now) = (format!("event-{kind}:{}", network(&event.address)), self.0.clock.now());
        let alike =
            self.0.meters.first(&format!("{of_network}:{client}:{subject:x}:{object}"), STRANGERS_EVENT, now)?;
        let others = self.0.meters.few(&of_network, STRANGERS_EVENTS, now)?;
        Some(alike.saturating_add(others))
    }

    /// What a request to one of the client's endpoints is answered that came to nothing: its own failure, or that there
    /// were too many of the kind from its address. What polls and people bring about is not counted. A client that was
    /// refused is told of; `client` is the one that the request came from, as far as it is known.
    pub async fn bound_junk(&self, failure: Failure, client: Option<&Client>, caller: &Caller) -> Failure {
        let Failure::Protocol(error) = &failure else { return failure };
        if !is_junk(error.code) {
            return failure;
        }
        // Who did not prove to be a client, or to hold a key, has an event of its own.
        if !matches!(error.code, ErrorCode::InvalidClient | ErrorCode::InvalidDpopProof) {
            self.note_refusal(error, client, caller).await;
        }
        match self.meter(JUNK_ADDRESS, &network(&caller.address), caller).await {
            Err(too_many @ Failure::TooMany(_)) => too_many,
            _ => failure,
        }
    }

    /// Keeps that this server's own API refused an access token, which may be a live one that is not for it.
    pub async fn note_refused_token(&self, code: ErrorCode, token: Option<&LiveAccessToken>, caller: &Caller) {
        // A live token for here that will not do all the same came with another key than its own, or with none.
        let is_stolen = token.is_some_and(|token| {
            token.confirmation.is_some() && code == ErrorCode::InvalidToken && token.resource == *self.own_resource()
        });
        let kind = if is_stolen { EventKind::WrongKey } else { EventKind::TokenRefused };
        let event = Event::new(kind).of(code).from(caller);
        let (event, why) = match token {
            Some(token) => (event.client(&token.client_id).about(token.id).on_behalf_of(token), "a live token"),
            None => (event, "no live token"),
        };
        let whose = Some(event.detail.as_str()).filter(|text| !text.is_empty());
        let detail = [Some(code.as_str()), Some(why), whose].into_iter().flatten().collect::<Vec<_>>().join("; ");
        self.record(event.detail(detail)).await;
    }

    /// Keeps that a request was refused.
    pub(crate) async fn note_refusal(&self, error: &Error, client: Option<&Client>, caller: &Caller) {
        let event = Event::new(EventKind::RequestRefused).of(error.code).from(caller);
        let event = client.into_iter().fold(event, |event, client| event.client(&client.id));
        // A description may repeat what the request said.
        let why: String = error.detail.as_deref().unwrap_or(&error.description).chars().take(LONGEST_REASON).collect();
        let event = event.detail(format_args!("{}: {why}", error.code));
        self.record(event).await;
    }

    /// Takes an attempt of `subject` back: it was right.
    pub(crate) async fn refund(&self, limit: Limit, subject: &str) -> Result<(), Failure> {
        Ok(self.0.store.refund_attempt(&bucket(limit, subject)).await?)
    }

    /// Begins the count of `subject` anew.
    pub(crate) async fn forgive(&self, limit: Limit, subject: &str) -> Result<(), Failure> {
        Ok(self.0.store.forgive_attempts(&bucket(limit, subject)).await?)
    }
}

/// Whether an error is the fault of the request.
fn is_junk(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::InvalidRequest
            | ErrorCode::InvalidClient
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::InvalidRequestUri
            | ErrorCode::InvalidDpopProof
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidClientMetadata
            | ErrorCode::InvalidToken
    )
}

/// The network that an address stands for.
pub(crate) fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// The site of an address of IPv6, of which the subscriber may have all networks.
pub(crate) fn site(address: &str) -> Option<String> {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
        _ => None,
    }
}

/// How two addresses lie to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distance {
    /// They share the first half of IPv4, or the first 32 bits of IPv6; or one of them is not known.
    Near,
    /// They do not.
    Far,
    /// One is of IPv4 and the other of IPv6, as one machine may have them both.
    NotComparable,
}

/// How far two addresses are from one another.
pub(crate) fn distance(one: &str, other: &str) -> Distance {
    let is_near = match (one.parse(), other.parse()) {
        (Ok(IpAddr::V4(one)), Ok(IpAddr::V4(other))) => {
            let ([a, b, ..], [c, d, ..]) = (one.octets(), other.octets());
            (a, b) == (c, d)
        }
        (Ok(IpAddr::V6(one)), Ok(IpAddr::V6(other))) => {
            let ([a, b, ..], [c, d, ..]) = (one.segments(), other.segments());
            (a, b) == (c, d)
        }
        (Ok(_), Ok(_)) => return Distance::NotComparable,
        _ => true,
    };
    if is_near { Distance::Near } else { Distance::Far }
}

fn bucket(limit: Limit, subject: impl Display) -> String {
    format!("{}:{subject}", limit.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_of_ipv6_is_one_network() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(site("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(site("192.0.2.1"), None);
    }

    #[test]
    fn far_is_another_network() {
        let table = [
            ("192.0.2.1", "192.0.77.9", Distance::Near),
            ("192.0.2.1", "192.1.2.1", Distance::Far),
            ("2001:db8:1::1", "2001:db8:2::1", Distance::Near),
            ("2001:db8::1", "2001:db9::1", Distance::Far),
            ("192.0.2.1", "2001:db8::1", Distance::NotComparable),
            ("", "192.0.2.1", Distance::Near),
        ];
        for (one, other, far) in table {
            assert_eq!(distance(one, other), far, "{one} {other}");
        }
    }

    #[test]
    fn every_limit_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|limit| limit.what).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
