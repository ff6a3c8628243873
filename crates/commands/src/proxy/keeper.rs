//! The token of the moment, kept in memory.
//!
//! A request takes it without looking anywhere, for a second at most. Then one request looks whether the vault's file has
//! changed: so `gatepass logout` elsewhere stops the proxy within the second, and a new `gatepass login` sets it going
//! again. The vault is opened only when its file has changed, when the token nears its end, or after a 401.
//!
//! One refresh at a time: who meets a token that is over waits for the refresh that is under way. While the old token
//! still works nobody waits: the refresh is made beside.
//!
//! Where an agent is named, it is asked instead of the vault: once a second at most, while there are requests. Whether a token
//! is due is the agent's to know. Asked again, it is asked for the account of the first token.
//!
//! A 401 to a token that was just fetched says that the upstream does not want this sign-in's tokens, and fetching more
//! of them does not help: for [`PATIENCE`] such answers are passed on. Nor are more than
//! [`REPLACED`] tokens replaced in that time.

use super::{Credential, problem::Problem};
use crate::{
    agent,
    error::{Error, Kind},
};
use gatepass_client::{
    Account, Bearer, BearerError, SignIns,
    agent::{Caller, Request},
    oauth::UtcMillis,
};
use std::{
    collections::VecDeque,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// How long the vault's file is not looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long before its end a token is asked after; the library decides whether it is due.
const MARGIN: Duration = Duration::from_secs(120);
/// How soon after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long an upstream that refuses new tokens is given no newer ones.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many refused tokens are replaced within [`PATIENCE`]: an upstream that refuses every other request would have us
/// refresh all the time.
const REPLACED: usize = 3;

/// Keeps the token of one account, of an agent, or the one of the environment.
pub(crate) struct Keeper {
    source: Source,
    tell: Tell,
    state: Mutex<State>,
    flight: tokio::sync::Mutex<()>,
}

enum Source {
    Raw(Arc<Credential>),
    Renewed(Box<Renewed>),
}

/// Tokens that follow one another.
struct Renewed {
    sign_ins: SignIns,
    origin: Origin,
}

/// Where they come from.
enum Origin {
    /// The vault.
    Account(Account),
    /// An agent.
    Agent(Box<Asked>),
}

/// An agent that is asked for tokens of one account: that of the first one, whatever becomes the default later.
struct Asked {
    caller: Caller,
    request: Request,
    again: OnceLock<Request>,
}

/// Hears why there is no token, once for each time that this begins.
type Tell = Box<dyn Fn(&Error) + Send + Sync>;

struct State {
    held: Held,
    /// The vault's file when it was read last.
    seen: Option<Stamp>,
    /// Until when nobody looks.
    look_at: Instant,
    /// When to ask for the next token.
    ask_at: Option<UtcMillis>,
    /// When the upstream refused a token that was just fetched.
    refused_at: Option<Instant>,
    /// When tokens were fetched because the upstream refused the one before.
    replaced: Replaced,
}

#[derive(Clone)]
enum Held {
    Token(Arc<Credential>, Option<UtcMillis>),
    None(Problem),
    /// Nothing was asked yet.
    Nothing,
}

/// What tells a file from what replaced it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

/// When refused tokens were replaced, the last few times.
#[derive(Default)]
struct Replaced(VecDeque<Instant>);

impl Replaced {
    fn push(&mut self) {
        self.0.truncate(REPLACED - 1);
        self.0.push_front(Instant::now());
    }

    /// Whether it was done so often lately that it is not done now.
    fn is_full(&self) -> bool {
        self.0.get(REPLACED - 1).is_some_and(|at| at.elapsed() < PATIENCE)
    }
}

enum Found {
    Fresh(Bearer),
    Due,
}

impl Keeper {
    /// A keeper of a token that is used as it is.
    pub(crate) fn of_token(credential: Credential) -> Arc<Self> {
        Arc::new(Self::new(Source::Raw(Arc::new(credential)), Box::new(|_| {})))
    }

    /// A keeper of an account's tokens; `tell` hears of trouble.
    pub(crate) fn of_account(
        sign_ins: SignIns,
        account: Account,
        tell: impl Fn(&Error) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::of(sign_ins, Origin::Account(account), Box::new(tell))
    }

    /// A keeper of tokens that an agent hands out; `tell` hears of trouble.
    pub(crate) fn of_agent(
        sign_ins: SignIns,
        caller: Caller,
        request: Request,
        tell: impl Fn(&Error) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let asked = Asked { caller, request, again: OnceLock::new() };
        Self::of(sign_ins, Origin::Agent(Box::new(asked)), Box::new(tell))
    }

    fn of(sign_ins: SignIns, origin: Origin, tell: Tell) -> Arc<Self> {
        Arc::new(Self::new(Source::Renewed(Box::new(Renewed { sign_ins, origin })), tell))
    }

    fn new(source: Source, tell: Tell) -> Self {
        let state = State {
            held: Held::Nothing,
            seen: None,
            look_at: Instant::now(),
            ask_at: None,
            refused_at: None,
            replaced: Replaced::default(),
        };
        Self { source, tell, state: Mutex::new(state), flight: tokio::sync::Mutex::new(()) }
    }

    /// The sign-ins that are used, if there are any.
    pub(crate) fn sign_ins(&self) -> Option<&SignIns> {
        match &self.source {
            Source::Raw(_) => None,
            Source::Renewed(renewed) => Some(&renewed.sign_ins),
        }
    }

    /// Whether a 401 can be answered with another token.
    pub(super) fn can_refresh(&self) -> bool {
        matches!(self.source, Source::Renewed(_))
    }

    /// Fetches a token before the first request comes.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<(), Error> {
        let Source::Renewed(source) = &self.source else { return Ok(()) };
        let seen = source.stamp().await;
        let bearer = source.renew().await?;
        self.hold(&source.sign_ins, bearer, seen);
        Ok(())
    }

    /// The token for a request.
    pub(super) async fn credential(self: &Arc<Self>) -> Result<Arc<Credential>, Problem> {
        let source = match &self.source {
            Source::Raw(credential) => return Ok(Arc::clone(credential)),
            Source::Renewed(source) => source,
        };
        match self.at_hand() {
            Some(known) => known,
            // In a box: what looks, asks and renews takes kibibytes, which every request would carry along.
            None => Box::pin(self.look(source)).await,
        }
    }

    /// The token, when it is not known whether the one at hand will do.
    async fn look(self: &Arc<Self>, source: &Renewed) -> Result<Arc<Credential>, Problem> {
        let sign_ins = &source.sign_ins;
        let _flight = match (self.flight.try_lock(), self.usable(sign_ins)) {
            (Ok(flight), _) => flight,
            (Err(_), Some(credential)) => return Ok(credential),
            (Err(_), None) => self.flight.lock().await,
        };
        // Somebody else may have looked meanwhile.
        if let Some(known) = self.at_hand() {
            return known;
        }
        let stamp = source.stamp().await;
        if let Some(known) = self.unchanged(sign_ins, stamp.as_ref()) {
            return known;
        }
        match source.find().await {
            Ok(Found::Fresh(bearer)) => Ok(self.hold(sign_ins, bearer, stamp)),
            Ok(Found::Due) => match self.usable(sign_ins) {
                Some(credential) => {
                    self.ask_again_later(sign_ins, stamp);
                    let keeper = Arc::clone(self);
                    tokio::spawn(async move { keeper.renew_beside().await });
                    Ok(credential)
                }
                None => self.renew(source, stamp).await,
            },
            Err(error) => self.lose(sign_ins, error, stamp),
        }
    }

    /// The token to repeat a request with after a 401 to `used`; `None` when the answer is to be passed on.
    pub(super) async fn after_401(&self, used: &Credential) -> Result<Option<Arc<Credential>>, Problem> {
        let (Source::Renewed(source), Some(bearer)) = (&self.source, used.bearer()) else {
            return Ok(None);
        };
        let _flight = self.flight.lock().await;
        if let Some(known) = self.instead_of(bearer) {
            return Ok(known);
        }
        let (sign_ins, stamp) = (&source.sign_ins, source.stamp().await);
        match source.instead_of(bearer).await {
            // There is no other one.
            Ok(next) if next.token().expose() == bearer.token().expose() => Ok(None),
            Ok(next) => {
                let next = self.hold(sign_ins, next, stamp);
                self.state().replaced.push();
                Ok(Some(next))
            }
            Err(error) if error.kind == Kind::SignInNeeded => self.lose(sign_ins, error, stamp).map(Some),
            // The old token may be good for other requests.
            Err(error) => Err(Problem::no_token(&error)),
        }
    }

    /// The upstream refused the new token as well.
    pub(super) fn still_refused(&self) {
        self.state().refused_at = Some(Instant::now());
    }

    /// What to use after a 401 without asking for a new token: one that another request has got since, or none.
    fn instead_of(&self, refused: &Bearer) -> Option<Option<Arc<Credential>>> {
        let state = self.state();
        match &state.held {
            Held::Token(held, _) if held.token().expose() != refused.token().expose() => Some(Some(Arc::clone(held))),
            _ if state.refused_at.is_some_and(|at| at.elapsed() < PATIENCE) => Some(None),
            _ if state.replaced.is_full() => Some(None),
            _ => None,
        }
    }

    /// What is known without looking.
    fn at_hand(&self) -> Option<Result<Arc<Credential>, Problem>> {
        let state = self.state();
        match &state.held {
            Held::Nothing => None,
            _ if Instant::now() >= state.look_at => None,
            Held::Token(credential, _) => Some(Ok(Arc::clone(credential))),
            Held::None(problem) => Some(Err(problem.clone())),
        }
    }

    /// The token in memory, unless it is over.
    fn usable(&self, sign_ins: &SignIns) -> Option<Arc<Credential>> {
        match &self.state().held {
            Held::Token(credential, end) if end.is_none_or(|end| sign_ins.clock().now() < end) => {
                Some(Arc::clone(credential))
            }
            _ => None,
        }
    }

    /// What is known, if the vault is as it was and the token is not due.
    fn unchanged(&self, sign_ins: &SignIns, stamp: Option<&Stamp>) -> Option<Result<Arc<Credential>, Problem>> {
        let mut state = self.state();
        let now = sign_ins.clock().now();
        if state.seen.as_ref() != stamp || stamp.is_none() || state.ask_at.is_some_and(|at| now >= at) {
            return None;
        }
        let known = match &state.held {
            Held::Token(credential, _) => Ok(Arc::clone(credential)),
            Held::None(problem) if problem.is_sign_in_needed() => Err(problem.clone()),
            _ => return None,
        };
        state.look_at = next_look(state.ask_at, now);
        Some(known)
    }

    /// Fetches the next token while the old one still works.
    async fn renew_beside(&self) {
        let Source::Renewed(source) = &self.source else { return };
        let _flight = self.flight.lock().await;
        let stamp = source.stamp().await;
        // What stands in the way is met again when the token is over.
        let _ = self.renew(source, stamp).await;
    }

    async fn renew(&self, source: &Renewed, stamp: Option<Stamp>) -> Result<Arc<Credential>, Problem> {
        match source.renew().await {
            Ok(bearer) => Ok(self.hold(&source.sign_ins, bearer, stamp)),
            Err(error) => self.lose(&source.sign_ins, error, stamp),
        }
    }

    fn hold(&self, sign_ins: &SignIns, bearer: Bearer, seen: Option<Stamp>) -> Arc<Credential> {
        let (now, end) = (sign_ins.clock().now(), bearer.expires_at());
        let credential = Arc::new(Credential::of_sign_in(bearer, sign_ins.clone()));
        let mut state = self.state();
        state.held = Held::Token(Arc::clone(&credential), end);
        state.seen = seen;
        state.ask_at = end.map(|end| ask_at(now, end));
        state.look_at = next_look(state.ask_at, now);
        credential
    }

    /// There is no new token. One that still works is used on, unless the sign-in has ended.
    fn lose(&self, sign_ins: &SignIns, error: Error, seen: Option<Stamp>) -> Result<Arc<Credential>, Problem> {
        let has_ended = error.kind == Kind::SignInNeeded;
        if let (false, Some(credential)) = (has_ended, self.usable(sign_ins)) {
            self.ask_again_later(sign_ins, seen);
            return Ok(credential);
        }
        let problem = Problem::no_token(&error);
        let mut state = self.state();
        let is_news = !matches!(&state.held, Held::None(known) if known.is_sign_in_needed() == has_ended);
        state.held = Held::None(problem.clone());
        (state.seen, state.ask_at) = (seen, None);
        state.look_at = Instant::now() + LOOK;
        drop(state);
        if is_news {
            (self.tell)(&error);
        }
        Err(problem)
    }

    fn ask_again_later(&self, sign_ins: &SignIns, seen: Option<Stamp>) {
        let now = sign_ins.clock().now();
        let mut state = self.state();
        let soon = now.plus(AGAIN);
        state.ask_at = Some(match &state.held {
            Held::Token(_, Some(end)) if *end < soon => *end,
            _ => soon,
        });
        state.seen = seen;
        state.look_at = next_look(state.ask_at, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renewed {
    /// What the vault's file is like; of an agent nothing is known without asking.
    async fn stamp(&self) -> Option<Stamp> {
        let Origin::Account(_) = &self.origin else { return None };
        self.sign_ins.with_vault(|vault| Ok(Stamp::of(&vault.home().vault()))).await.ok().flatten()
    }

    /// Reads the vault, or asks the agent.
    async fn find(&self) -> Result<Found, Error> {
        let Origin::Account(account) = &self.origin else { return self.renew().await.map(Found::Fresh) };
        let (own, id) = (self.sign_ins.clone(), account.id());
        let found = self.sign_ins.with_vault(move |vault| {
            let contents = vault.read()?;
            Ok(match contents.get(&id).filter(|sign_in| sign_in.tokens.is_some()) {
                None => None,
                Some(_) => Some(own.fresh_bearer(&id, None)?.map_or(Found::Due, Found::Fresh)),
            })
        });
        found.await?.ok_or_else(|| Error::of_account(BearerError::SignedOut, account))
    }

    /// A token that may be used now.
    async fn renew(&self) -> Result<Bearer, Error> {
        match &self.origin {
            Origin::Account(account) => {
                let bearer = self.sign_ins.bearer(&account.id(), None).await;
                bearer.map_err(|error| Error::of_account(error, account))
            }
            Origin::Agent(asked) => asked.ask(|request| request).await,
        }
    }

    /// The token after one that was answered 401; perhaps the same, if the agent has no other.
    async fn instead_of(&self, refused: &Bearer) -> Result<Bearer, Error> {
        match &self.origin {
            Origin::Account(account) => {
                let bearer = self.sign_ins.refresh_after_401(&account.id(), refused).await;
                bearer.map_err(|error| Error::of_account(error, account))
            }
            Origin::Agent(asked) => asked.ask(|request| request.instead_of(refused.token())).await,
        }
    }
}

impl Asked {
    /// Asks the agent, which may take its time.
    async fn ask(&self, so: impl FnOnce(Request) -> Request) -> Result<Bearer, Error> {
        let request = so(self.again.get().unwrap_or(&self.request).clone());
        let caller = self.caller.clone();
        let asked = tokio::task::spawn_blocking(move || agent::ask(&caller, request)).await;
        let handed_out =
            asked.map_err(|error| Error::new(Kind::Failed, format!("the agent was not asked: {error}")))??;
        if let Some(id) = &handed_out.account {
            self.again.get_or_init(|| self.request.clone().of_account(&handed_out.server, id));
        }
        Ok(handed_out.bearer)
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        Some(Self {
            modified: data.modified().ok(),
            length: data.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&data),
        })
    }
}

/// When to ask after a token that ends at `end`: [`MARGIN`] before, and when that is past, every [`AGAIN`], or sooner for
/// a token that has not much longer.
fn ask_at(now: UtcMillis, end: UtcMillis) -> UtcMillis {
    let left = now.until(end);
    let wait = left.saturating_sub(MARGIN).max(AGAIN.min(left / 4)).max(Duration::from_millis(100));
    now.plus(wait)
}

/// The next look: in a second, or when the next token is to be asked for.
fn next_look(ask_at: Option<UtcMillis>, now: UtcMillis) -> Instant {
    Instant::now() + ask_at.map_or(LOOK, |at| now.until(at).min(LOOK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_after_well_before_its_end_and_not_all_the_time() {
        let now = UtcMillis(1_000_000);
        let wait = |left: u64| now.until(ask_at(now, now.plus(Duration::from_millis(left))));
        assert_eq!(wait(3_600_000), Duration::from_secs(3480));
        assert_eq!(wait(60_000), Duration::from_secs(5));
        assert_eq!(wait(4_000), Duration::from_secs(1));
        assert_eq!(wait(0), Duration::from_millis(100));
    }
}
