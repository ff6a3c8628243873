//! What the agent answers.

use super::{
    kept::Kept,
    message::{Answer, Granted, Op, Request, Status, Trouble, TroubleKind},
    proofs::{Bound, Proofs},
    serve::Agent,
};
use crate::{
    Account, AccountId, Bearer, BearerError, Contents, Failure, NarrowError, NotSelected, Selection, SignIn, Tokens,
    Transient, VaultError,
};
use gatepass_oauth::{Issuer, Secret, TokenType, UtcMillis, dpop};
use std::{
    collections::HashSet,
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// A token that is younger than this is not replaced because somebody wants a longer life: who asks so all the time
/// would have us refresh all the time.
const YOUNG: Duration = Duration::from_secs(30);

pub(super) struct Desk {
    agent: Agent,
    kept: Kept,
    proofs: Proofs,
    served: Mutex<HashSet<AccountId>>,
    used_at: Mutex<Instant>,
    started_at: UtcMillis,
    tokens: AtomicU64,
}

impl Desk {
    pub(super) fn new(agent: Agent) -> Self {
        Self {
            kept: Kept::default(),
            proofs: Proofs::default(),
            served: Mutex::default(),
            used_at: Mutex::new(Instant::now()),
            started_at: agent.sign_ins.clock().now(),
            tokens: AtomicU64::new(0),
            agent,
        }
    }

    /// Somebody asked.
    pub(super) fn touch(&self) {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When the agent ends, if nobody asks before.
    pub(super) fn idle_at(&self) -> Instant {
        let used_at = *self.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Further than any clock goes is as good as never.
        used_at.checked_add(self.agent.idle).unwrap_or_else(|| used_at + Duration::from_secs(3_000_000_000))
    }

    pub(super) async fn answer(&self, request: &Request) -> Answer {
        match request.op() {
            Op::Status => Answer::Status(self.status()),
            Op::Stop => Answer::Stopping,
            Op::Token => match self.token(request).await {
                Ok(granted) => {
                    self.tokens.fetch_add(1, Ordering::Relaxed);
                    Answer::Token(granted)
                }
                Err(trouble) => Answer::Trouble(trouble),
            },
            Op::Proof => self.proof(request).await.map_or_else(Answer::Trouble, Answer::Proof),
        }
    }

    fn status(&self) -> Status {
        let ceiling = &self.agent.ceiling;
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: self.started_at.seconds(),
            idle: self.agent.idle.as_secs(),
            tokens: self.tokens.load(Ordering::Relaxed),
            account: self.agent.only.as_ref().map(ToString::to_string),
            scope: ceiling.scope.as_ref().map(ToString::to_string),
            resource: ceiling.resource.as_ref().map(ToString::to_string),
            ttl: ceiling.ttl.map(|ttl| ttl.as_secs()),
        }
    }

    async fn token(&self, request: &Request) -> Result<Granted, Trouble> {
        let (selection, asked) = request.read()?;
        let sign_ins = &self.agent.sign_ins;
        let contents = self.contents().await?;
        let sign_in = contents.select(&selection).map_err(|error| self.not_selected(&error, &selection))?;
        let (account, id) = (&sign_in.account, sign_in.account.id());
        let Some(tokens) = &sign_in.tokens else {
            return Err(self.sign_in_needed(format!("{account}: {}", BearerError::SignedOut), Some(account)));
        };
        let above = |error: &dyn Display| Trouble::new(TroubleKind::Refused, format!("{account}: {error}"));
        let narrowing = asked.under(&self.agent.ceiling, &tokens.scope).map_err(|error| above(&error))?;
        let now = sign_ins.clock().now();
        let at_least = request.min_ttl().filter(|_| tokens.obtained_at.until(now) >= YOUNG);
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        if request.refuses(&tokens.access_token)
            && tokens.obtained_at.until(now) >= YOUNG
            && let Some(refused) = Bearer::of(sign_in)
        {
            let renewed = sign_ins.refresh_after_401(&id, &refused).await;
            renewed.map_err(|error| self.no_token(&error.into(), account))?;
        }
        let outcome = if narrowing.is_met_by(sign_in) {
            sign_ins.narrowed(&id, &narrowing, at_least).await
        } else {
            let refused =
                |token: &Tokens| request.refuses(&token.access_token) && token.obtained_at.until(now) >= YOUNG;
            self.kept.get(sign_ins, (id, narrowing), &tokens.access_token, at_least, refused).await
        };
        let given = outcome.map_err(|error| self.no_token(&error, account))?;
        let token_type = match given.token_type {
            TokenType::Bearer => "Bearer",
            TokenType::Dpop => {
                let bound = Bound::of(&given.access_token, sign_in);
                self.proofs.note(bound.ok_or_else(|| above(&"its token is bound to a key that is not here"))?);
                "DPoP"
            }
        };
        Ok(Granted {
            access_token: given.access_token.clone(),
            token_type: token_type.into(),
            expires_at: given.expires_at.map(UtcMillis::seconds),
            scope: given.scope.to_string(),
            server: account.issuer.to_string(),
            account: account.label(),
            id: Some(account.id()),
        })
    }

    /// A proof for a token that was handed out here, by the server's time as far as it is known.
    async fn proof(&self, request: &Request) -> Result<Secret, Trouble> {
        let (wanted, ath) = request.read_proof()?;
        let unknown = || Trouble::new(TroubleKind::Refused, "this agent has handed out no such token; ask for another");
        let bound = self.proofs.find(ath).ok_or_else(unknown)?;
        let contents = self.contents().await?;
        let sign_in = contents.get(&bound.account).filter(|sign_in| bound.is_of(sign_in)).ok_or_else(unknown)?;
        let key = sign_in.dpop_key.as_ref().ok_or_else(unknown)?;
        let (sign_ins, server) = (&self.agent.sign_ins, sign_in.token_endpoint.url());
        let own = [Some(&sign_in.token_endpoint), sign_in.revocation_endpoint.as_ref()];
        // As a server would compare it: letters of the host, a port that goes without saying, escapes.
        let asked = dpop::target(wanted.url);
        if asked.is_none() || own.into_iter().flatten().any(|own| asked == dpop::target(own.as_str())) {
            return Err(Trouble::new(
                TroubleKind::Refused,
                "this agent makes no proofs for where tokens are refreshed",
            ));
        }
        // An API has its server's time, where nothing else is known of it.
        let urls = wanted.url.parse().into_iter().chain([server.clone()]);
        let known = urls.map(|url| sign_ins.transport().memory().of(&url)).find(|known| known.clock_ahead != 0);
        let clock = known.unwrap_or_default().clock(sign_ins.clock());
        let failed =
            |error| Trouble::new(TroubleKind::Failed, format!("the key of this sign-in makes no proof: {error}"));
        key.prove_by_hash(&wanted, ath, &clock, sign_ins.entropy()).map_err(failed)
    }

    /// The sign-ins as they are now.
    async fn contents(&self) -> Result<Contents, Trouble> {
        let contents = self.agent.sign_ins.with_vault(|vault| vault.read()).await;
        contents.map(|contents| self.of_whom_we_serve(contents)).map_err(|error| vault_trouble(&error))
    }

    /// An agent for one account knows no other.
    fn of_whom_we_serve(&self, mut contents: Contents) -> Contents {
        if let Some(only) = self.agent.only.as_ref().map(Account::id) {
            contents.sign_ins.retain(|sign_in: &SignIn| sign_in.account.id() == only);
            contents.default = Some(only);
        }
        contents
    }

    fn is_for(&self, account: &AccountId) -> bool {
        self.agent.only.as_ref().is_none_or(|only| only.id() == *account)
    }

    fn not_selected(&self, error: &NotSelected, selection: &Selection) -> Trouble {
        match error {
            // Who knows an account by its id had it before: it was signed out, unless it was never this agent's.
            NotSelected::Unknown(text) if AccountId::whole(text).is_some_and(|id| self.is_for(&id)) => {
                self.command(error.to_string(), selection.issuer.as_ref().map(Issuer::as_str))
            }
            NotSelected::Nobody(None) => self.sign_in_needed(error.to_string(), self.agent.only.as_ref()),
            NotSelected::Nobody(Some(issuer)) => self.command(error.to_string(), Some(issuer.as_str())),
            NotSelected::Unknown(_) | NotSelected::Several(_) | NotSelected::NoSpace(_) => {
                Trouble::usage(error.to_string())
            }
        }
    }

    fn no_token(&self, error: &NarrowError, account: &Account) -> Trouble {
        let message = format!("{account}: {error}");
        let kind = match error {
            NarrowError::Bearer(BearerError::SignedOut | BearerError::Rejected(_)) => {
                return self.sign_in_needed(message, Some(account));
            }
            NarrowError::Bearer(BearerError::Transient(Transient::Server(Failure::Unreachable { .. }))) => {
                TroubleKind::Unreachable
            }
            NarrowError::Refused(_) | NarrowError::NotOffered | NarrowError::TooLong => TroubleKind::Refused,
            NarrowError::Bearer(_) | NarrowError::Wider | NarrowError::Elsewhere => TroubleKind::Failed,
        };
        Trouble::new(kind, message)
    }

    fn sign_in_needed(&self, message: String, account: Option<&Account>) -> Trouble {
        self.command(message, account.map(|account| account.issuer.as_str()))
    }

    fn command(&self, message: String, server: Option<&str>) -> Trouble {
        let login = &self.agent.login_command;
        let command = server.map_or_else(|| login.clone(), |server| format!("{login} --server {server}"));
        Trouble { command: Some(command), ..Trouble::new(TroubleKind::SignInNeeded, message) }
    }

    /// Renews what was asked for ahead of time, until the agent ends; never in the middle of it.
    pub(super) async fn keep_fresh(&self, mut ending: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.agent.round) => {}
                _ = ending.wait_for(|over| *over) => return,
            }
            let served: Vec<AccountId> =
                self.served.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            for account in served {
                let outcome = self.agent.sign_ins.bearer(&account, None).await;
                if matches!(outcome, Err(BearerError::SignedOut | BearerError::Rejected(_))) {
                    self.served.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
                }
            }
        }
    }
}

fn vault_trouble(error: &VaultError) -> Trouble {
    Trouble::new(TroubleKind::Failed, error.to_string())
}
