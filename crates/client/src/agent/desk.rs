//! What the agent answers.

use super::{
    kept::Kept,
    message::{Answer, Granted, Op, Request, Status, Trouble, TroubleKind},
    serve::Agent,
};
use crate::{
    Account, AccountId, BearerError, Contents, Failure, NarrowError, NotSelected, SignIn, Transient, VaultError,
};
use gatepass_oauth::{TokenType, UtcMillis};
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
    served: Mutex<HashSet<AccountId>>,
    used_at: Mutex<Instant>,
    started_at: UtcMillis,
    tokens: AtomicU64,
}

impl Desk {
    pub(super) fn new(agent: Agent) -> Self {
        Self {
            kept: Kept::default(),
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
        let contents = sign_ins.with_vault(|vault| vault.read()).await.map_err(|error| vault_trouble(&error))?;
        let contents = self.of_whom_we_serve(contents);
        let sign_in = contents.select(&selection).map_err(|error| self.not_selected(&error))?;
        let (account, id) = (&sign_in.account, sign_in.account.id());
        let Some(tokens) = &sign_in.tokens else {
            return Err(self.sign_in_needed(format!("{account}: {}", BearerError::SignedOut), Some(account)));
        };
        let above = |error: &dyn Display| Trouble::new(TroubleKind::Refused, format!("{account}: {error}"));
        let narrowing = asked.under(&self.agent.ceiling, &tokens.scope).map_err(|error| above(&error))?;
        let now = sign_ins.clock().now();
        let at_least = request.min_ttl().filter(|_| tokens.obtained_at.until(now) >= YOUNG);
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        let outcome = if narrowing.is_met_by(sign_in) {
            sign_ins.narrowed(&id, &narrowing, at_least).await
        } else {
            self.kept.get(sign_ins, (id, narrowing), &tokens.access_token, at_least).await
        };
        let given = outcome.map_err(|error| self.no_token(&error, account))?;
        if given.token_type != TokenType::Bearer {
            return Err(above(&"its tokens are bound to a key that is not handed out; use 'gatepass proxy'"));
        }
        Ok(Granted {
            access_token: given.access_token.clone(),
            token_type: "Bearer".into(),
            expires_at: given.expires_at.map(UtcMillis::seconds),
            scope: given.scope.to_string(),
            server: account.issuer.to_string(),
            account: account.label(),
        })
    }

    /// An agent for one account knows no other.
    fn of_whom_we_serve(&self, mut contents: Contents) -> Contents {
        if let Some(only) = self.agent.only.as_ref().map(Account::id) {
            contents.sign_ins.retain(|sign_in: &SignIn| sign_in.account.id() == only);
            contents.default = Some(only);
        }
        contents
    }

    fn not_selected(&self, error: &NotSelected) -> Trouble {
        match error {
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
            NarrowError::Bearer(_) | NarrowError::Wider => TroubleKind::Failed,
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
