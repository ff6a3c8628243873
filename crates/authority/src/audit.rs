//! What happened, for whoever watches: one line of the log, one count, and one row that is never changed
//! ([`trail`](crate::trail)).
//!
//! An event says who (a person), by which program (a client), from where, and what became of it. It never holds a
//! secret: identifiers and the words of the standards only.

use crate::{Authority, Caller, LiveAccessToken};
use gatepass_keys::TokenId;
use gatepass_oauth::ClientId;
use gatepass_store::{UserId, audit::AuditRow};
use std::{borrow::Cow, fmt, future::Future, pin::Pin, str::FromStr};

macro_rules! event_kinds {
    ($( $(#[$doc:meta])* $variant:ident = $text:literal $rank:ident $outcome:ident $sentence:literal, )*) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $( $(#[$doc])* $variant, )* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// Its place in [`EventKind::ALL`].
            pub(crate) fn place(self) -> usize {
                #[expect(clippy::as_conversions, reason = "the number of a unit variant")]
                let place = self as usize;
                place
            }

            /// Its name in the table, the metrics and the log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }

            /// The same as a sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $( Self::$variant => $sentence, )* }
            }

            /// How much it matters.
            #[must_use]
            pub fn rank(self) -> Rank {
                match self { $( Self::$variant => Rank::$rank, )* }
            }

            /// What became of what was tried.
            #[must_use]
            pub fn outcome(self) -> &'static str {
                let outcome = match self { $( Self::$variant => Outcome::$outcome, )* };
                outcome.as_str()
            }
        }
    };
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It happens all the time.
    Routine,
    /// Somebody did something.
    Notable,
    /// Somebody may be up to something.
    Alarming,
}

/// What became of what was tried.
#[derive(Clone, Copy)]
enum Outcome {
    /// It came about.
    Done,
    /// Somebody was told no.
    Refused,
    /// It was allowed and did not come about.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

event_kinds! {
    /// A person signed in.
    SignedIn = "signed_in" Notable Done "a person signed in",
    /// A sign-in failed.
    SignInFailed = "sign_in_failed" Notable Refused "a sign-in failed",
    /// A person signed out.
    SignedOut = "signed_out" Notable Done "a person signed out",
    /// A person allowed a client.
    ConsentGiven = "consent_given" Notable Done "a person allowed a client",
    /// A person denied a client.
    ConsentDenied = "consent_denied" Notable Refused "a person denied a client",
    /// A client pushed an authorization request.
    RequestPushed = "request_pushed" Routine Done "an authorization request was pushed",
    /// A client got a code.
    CodeIssued = "code_issued" Routine Done "an authorization code was issued",
    /// A client exchanged a code.
    CodeExchanged = "code_exchanged" Routine Done "a code was exchanged for tokens",
    /// A code came a second time.
    CodeReused = "code_reused" Alarming Refused "a code came again; its grant is revoked",
    /// A device asks to be signed in.
    DeviceStarted = "device_started" Routine Done "a device asks to be signed in",
    /// A person approved a device.
    DeviceApproved = "device_approved" Notable Done "a person approved a device",
    /// A person denied a device.
    DeviceDenied = "device_denied" Notable Refused "a device was denied",
    /// A device was approved from afar.
    DeviceApprovedFar = "device_approved_far" Alarming Done "a device in another network was approved",
    /// A device got its tokens. The person's approval is the notable part.
    DeviceSignedIn = "device_signed_in" Routine Done "a device was signed in",
    /// A device polls in a storm.
    PollingStorm = "polling_storm" Alarming Refused "a device polls far too often",
    /// A refresh token was rotated.
    Refreshed = "refreshed" Routine Done "a refresh token was rotated",
    /// A rotation was repeated.
    RefreshRepeated = "refresh_repeated" Routine Done "a refresh was repeated and answered as before",
    /// A refresh token came again after it was given up.
    RefreshReused = "refresh_reused" Alarming Refused "a refresh token was used again; its family is revoked",
    /// A client got a token on its own behalf.
    TokenIssued = "token_issued" Routine Done "a client got a token",
    /// A token was exchanged for another.
    TokenExchanged = "token_exchanged" Routine Done "a token was exchanged",
    /// An assertion became a token.
    AssertionAccepted = "assertion_accepted" Routine Done "an assertion was accepted",
    /// An assertion was no good.
    AssertionRefused = "assertion_refused" Notable Refused "an assertion was refused",
    /// A token was revoked.
    TokenRevoked = "token_revoked" Notable Done "a token was revoked",
    /// A grant was revoked.
    GrantRevoked = "grant_revoked" Notable Done "a grant was revoked",
    /// A session was ended by the operator.
    SessionEnded = "session_ended" Notable Done "a session was ended by the operator",
    /// All that a person or a client has was ended by the operator.
    EverythingEnded = "everything_ended" Notable Done "all sign-ins of a person or a client were ended by the operator",
    /// A client was told of a sign-out.
    LogoutHeard = "logout_heard" Routine Done "a client was told of a sign-out",
    /// A client could not be told of a sign-out.
    LogoutUnheard = "logout_unheard" Notable Failed "a client could not be told of a sign-out",
    /// A signing key was made.
    KeyMade = "key_made" Notable Done "a signing key was made",
    /// A signing key was removed.
    KeyRemoved = "key_removed" Notable Done "a signing key was removed; nothing that it signed lives",
    /// A client failed to prove itself.
    ClientRefused = "client_refused" Notable Refused "a client failed to prove itself",
    /// A program registered itself.
    ClientRegistered = "client_registered" Notable Done "a client registered itself",
    /// A program changed its registration.
    ClientUpdated = "client_updated" Notable Done "a client changed its registration",
    /// A registration was removed.
    ClientDeleted = "client_deleted" Notable Done "a client was removed",
    /// A client's document was fetched.
    ClientDocumentFetched = "client_document_fetched" Routine Done "a client's document was fetched",
    /// A client's document will not do, or its site is down.
    ClientDocumentRefused = "client_document_refused" Notable Refused "a client's document could not be used",
    /// A proof of possession would not do.
    DpopRefused = "dpop_refused" Notable Refused "a DPoP proof was refused",
    /// A proof of possession came a second time.
    DpopReplayed = "dpop_replayed" Alarming Refused "a DPoP proof was used again",
    /// An access token was refused at this server's own API.
    TokenRefused = "token_refused" Notable Refused "an access token was refused",
    /// A client's request was refused; another event may say more of it.
    RequestRefused = "request_refused" Notable Refused "a client's request was refused",
    /// What is bound to one key came with another, or with none.
    WrongKey = "wrong_key" Alarming Refused "what is bound to a key came without it",
    /// There was more of something than the limits allow.
    Throttled = "throttled" Alarming Refused "there were too many attempts",
    /// Somebody tries passwords, codes, secrets or links.
    Guessing = "guessing" Alarming Refused "somebody may be guessing",
    /// The first account was made.
    SetUp = "set_up" Notable Done "the server has its owner",
    /// A person was added.
    UserAdded = "user_added" Notable Done "a person was added",
    /// A person's address was taken for proven.
    UserVerified = "user_verified" Notable Done "a person's address was verified",
    /// A person has another password.
    PasswordSet = "password_set" Notable Done "a person was given another password",
    /// A client was registered.
    ClientAdded = "client_added" Notable Done "a client was registered",
    /// A resource was registered.
    ResourceAdded = "resource_added" Notable Done "a resource was registered",
    /// A resource was removed.
    ResourceRemoved = "resource_removed" Notable Done "a resource was removed",
    /// A trust policy was made.
    TrustAdded = "trust_added" Notable Done "an issuer is trusted",
    /// A trust policy was removed.
    TrustRemoved = "trust_removed" Notable Done "an issuer is trusted no more",
    /// A service account was made.
    ServiceAdded = "service_added" Notable Done "a service account was added",
    /// A service account was disabled.
    ServiceDisabled = "service_disabled" Notable Done "a service account was disabled",
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EventKind {
    /// Whether a request of anybody brings it about, without a secret and without end.
    fn is_anybodys(self) -> bool {
        matches!(
            self,
            Self::ClientRefused
                | Self::AssertionRefused
                | Self::DpopRefused
                | Self::DpopReplayed
                | Self::WrongKey
                | Self::RequestRefused
                | Self::TokenRefused
        )
    }
}

/// There is no such kind of event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no kind of event")]
pub struct UnknownKind(String);

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// Who does what is done without a request.
pub const OPERATOR: &str = "operator";

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) kind: EventKind,
    pub(crate) user_id: Option<UserId>,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) subject: Option<TokenId>,
    /// What else tells it from others of its kind; the detail says so in words.
    pub(crate) object: Option<String>,
    pub(crate) actor: Option<&'static str>,
    pub(crate) address: String,
    pub(crate) user_agent: String,
    pub(crate) detail: String,
}

impl Event {
    /// Something happened.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            user_id: None,
            client_id: None,
            subject: None,
            object: None,
            actor: None,
            address: String::new(),
            user_agent: String::new(),
            detail: String::new(),
        }
    }

    /// To or by whom.
    #[must_use]
    pub fn user(self, id: UserId) -> Self {
        Self { user_id: Some(id), ..self }
    }

    /// By which program.
    #[must_use]
    pub fn client(self, id: &ClientId) -> Self {
        Self { client_id: Some(id.clone()), ..self }
    }

    /// On whose behalf a token is: a person, or a service account, which the detail names.
    pub(crate) fn on_behalf_of(self, token: &LiveAccessToken) -> Self {
        match (&token.user, &token.service) {
            (Some(user), _) => self.user(user.id),
            (None, Some(service)) => self.detail(format_args!("service account {}", service.name)),
            (None, None) => self,
        }
    }

    /// The grant, token, device, session or trust policy that it is about.
    #[must_use]
    pub fn about(self, id: TokenId) -> Self {
        Self { subject: Some(id), ..self }
    }

    /// What it happened to, where that has no identifier: a key, or an error of the standards. It is not kept; it keeps
    /// events apart of which only the first is.
    pub(crate) fn of(self, object: impl fmt::Display) -> Self {
        Self { object: Some(object.to_string()), ..self }
    }

    /// From where; of what happens all the time, the program is not kept.
    #[must_use]
    pub fn from(self, caller: &Caller) -> Self {
        let user_agent = if self.kind.rank() > Rank::Routine { caller.user_agent.clone() } else { String::new() };
        Self { address: caller.address.clone(), user_agent, ..self }
    }

    /// By the operator's hand.
    #[must_use]
    pub fn by_operator(self) -> Self {
        Self { actor: Some(OPERATOR), ..self }
    }

    /// What else there is to say; nothing secret.
    #[must_use]
    pub fn detail(self, detail: impl fmt::Display) -> Self {
        Self { detail: detail.to_string(), ..self }
    }
}

impl Event {
    pub(crate) fn into_row(self, id: TokenId) -> AuditRow {
        AuditRow {
            id,
            kind: Cow::Borrowed(self.kind.as_str()),
            actor: self.actor.map(Cow::Borrowed),
            user_id: self.user_id,
            client_id: self.client_id.map(Into::into),
            subject: self.subject,
            address: self.address,
            user_agent: self.user_agent,
            detail: self.detail,
        }
    }
}

impl Authority {
    /// Notes that something happened: in the counts, in the log and in the audit trail. Of what anybody may bring about
    /// as often as he likes, all but the first of its kind in a while is only counted, and the next one says how many.
    ///
    /// All that needs no waiting is done when this is called.
    pub(crate) fn record(&self, event: Event) -> impl Future<Output = ()> + Send {
        let kept = self.note(event);
        async move {
            if let Some(kept) = kept {
                kept.await;
            }
        }
    }

    fn note(&self, event: Event) -> Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        self.0.tally.count(event.kind);
        let event = match event.kind.is_anybodys() {
            false => event,
            true => match self.first_of_its_kind(&event) {
                None => return None,
                Some(0) => event,
                Some(more) => Event { detail: format!("{}; {more} more before this", event.detail), ..event },
            },
        };
        log(&event);
        self.keep(event)
    }
}

fn log(event: &Event) {
    let Event { kind, user_id, client_id, subject, actor, address, detail, .. } = event;
    let (user, client) = (user_id.map(tracing::field::display), client_id.as_ref().map(tracing::field::display));
    let subject = subject.as_ref().map(tracing::field::debug);
    match kind.rank() {
        Rank::Routine => {
            tracing::debug!(event = %kind, user, client, subject, actor, address, detail, "{}", kind.sentence())
        }
        Rank::Notable => {
            tracing::info!(event = %kind, user, client, subject, actor, address, detail, "{}", kind.sentence())
        }
        Rank::Alarming => {
            tracing::warn!(event = %kind, user, client, subject, actor, address, detail, "{}", kind.sentence())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_done() {
        let refused = EventKind::ALL.iter().filter(|kind| kind.as_str().ends_with("_refused"));
        let others = [EventKind::DpopReplayed, EventKind::WrongKey, EventKind::Throttled, EventKind::SignInFailed];
        for kind in refused.chain(&others) {
            assert_eq!(kind.outcome(), "refused", "{kind}");
        }
        assert_eq!(EventKind::LogoutUnheard.outcome(), "failed");
        assert_eq!(EventKind::DeviceApprovedFar.outcome(), "done");
    }
}
