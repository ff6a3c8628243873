//! The sign-ins of this machine: the one value that a program holds.

use crate::{
    Account, AccountId, Config, DpopKey, Environment, Event, Grant, Home, KeySources, Network, Server, SignInError,
    SignInRequest, Terms, Transport, Ways,
    choose::choose,
    discovery::discover,
    in_flight::InFlight,
    lock::{FileLock, LockError},
    refresh::{LOCK_WAIT, Transient},
    sign_in::{identity::identify, race::Race},
    tokens::Tokens,
    transport::Timeouts,
    vault::{Vault, VaultError, contents::SignIn},
};
use gatepass_keys::{Clock, Entropy};
use std::{fmt, io, sync::Arc};
use tokio::sync::mpsc;

/// The sign-ins of this machine. Cheap to clone; made without I/O.
#[derive(Clone, Debug)]
pub struct SignIns {
    vault: Arc<Vault>,
    transport: Transport,
    clock: Clock,
    entropy: Entropy,
    not_renewed: Hears,
    in_flight: InFlight,
}

/// Hears of an account's token that could not be renewed and is used as long as it works.
#[derive(Clone, Default)]
struct Hears(Option<Arc<NotRenewed>>);

type NotRenewed = dyn Fn(&Account, &Transient) + Send + Sync;

impl fmt::Debug for Hears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "somebody" } else { "nobody" })
    }
}

/// The person who signs in, as the program meets them.
pub struct Person<'a> {
    /// Where they are.
    pub environment: Environment,
    /// The ways to try; `None` lets the surroundings choose.
    pub ways: Option<Ways>,
    /// Lines that they paste.
    pub pasted: Option<mpsc::Receiver<String>>,
    /// Shows them what happens.
    pub tell: &'a (dyn Fn(Event) + Send + Sync),
}

impl<'a> Person<'a> {
    /// Somebody who can read what `tell` shows, and cannot paste.
    #[must_use]
    pub fn new(environment: Environment, tell: &'a (dyn Fn(Event) + Send + Sync)) -> Self {
        Self { environment, ways: None, pasted: None, tell }
    }
}

impl SignIns {
    /// The sign-ins in `vault`.
    #[must_use]
    pub fn new(vault: Vault, transport: Transport, clock: Clock, entropy: Entropy) -> Self {
        Self {
            vault: Arc::new(vault),
            transport,
            clock,
            entropy,
            not_renewed: Hears::default(),
            in_flight: InFlight::default(),
        }
    }

    /// Lets `hears` know of each token that could not be renewed and is used as long as it works. Otherwise nobody is
    /// told, since no harm is done yet.
    #[must_use]
    pub fn on_not_renewed(self, hears: impl Fn(&Account, &Transient) + Send + Sync + 'static) -> Self {
        Self { not_renewed: Hears(Some(Arc::new(hears))), ..self }
    }

    pub(crate) fn tell_not_renewed(&self, account: &Account, cause: &Transient) {
        if let Some(hears) = &self.not_renewed.0 {
            hears(account, cause);
        }
    }

    /// The sign-ins of a program called `name`, in the usual place, with the system's clock, the OS keyring
    /// or else a key file. `variable` reads one environment variable.
    ///
    /// # Errors
    /// [`VaultError::Io`] when the environment names no folder for settings.
    pub fn usual(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, VaultError> {
        let home = Home::usual(name, &variable).ok_or_else(|| VaultError::Io {
            what: "find the folder for",
            path: name.into(),
            source: io::Error::other("neither XDG_CONFIG_HOME nor HOME is set"),
        })?;
        let (clock, entropy) = (Clock::System, Entropy::system());
        let vault = Vault::new(home, KeySources::default(), clock.clone(), entropy.clone());
        // A variable that names no proxy is passed over, as other programs do.
        let network = Network::of(variable, &Config::default()).unwrap_or_default();
        Ok(Self::new(vault, Transport::with(Timeouts::default(), network), clock, entropy))
    }

    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The HTTP client.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The source of randomness.
    #[must_use]
    pub fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    /// Signs a person in and keeps the sign-in. An older sign-in of the
    /// same account is then revoked at the server, if that cannot end the new one too; when it fails, the person is told
    /// and no more.
    ///
    /// # Errors
    /// [`SignInError`]. Whatever was kept before is kept still.
    pub async fn sign_in(&self, request: &SignInRequest, person: Person<'_>) -> Result<Account, SignInError> {
        // A sign-in that could not be kept is not begun.
        self.with_vault(|vault| vault.read().and_then(|_| vault.rehearse())).await?;
        let server = discover(&self.transport, &request.issuer).await?;
        self.sign_in_at(server, request, person).await
    }

    /// Signs a person in at a server that was found.
    ///
    /// # Errors
    /// [`SignInError`].
    pub(crate) async fn sign_in_at(
        &self,
        server: Server,
        request: &SignInRequest,
        person: Person<'_>,
    ) -> Result<Account, SignInError> {
        let server = server.for_client(&request.authentication);
        let ways = match person.ways {
            Some(ways) => ways,
            None => {
                let choice = choose(&person.environment, &server)?;
                (person.tell)(Event::Chosen(choice));
                choice.ways
            }
        };
        tracing::debug!("signing in as client {} by {ways:?}", request.client_id);
        let bound = request.key_binding.binds(&request.client_id, &server).ok_or(SignInError::NoKeyBinding)?;
        let dpop_key = if bound { Some(DpopKey::generate()?) } else { None };
        let race = Race {
            transport: &self.transport,
            clock: &self.clock,
            entropy: &self.entropy,
            server: &server,
            request,
            dpop_key: dpop_key.as_ref(),
            tell: person.tell,
        };
        let won = race.run(ways, person.pasted).await?;
        request.key_binding.check(&won.tokens)?;
        let now = self.clock.now();
        let certified = request.authentication.certificate().map(|own| self.transport.showing(own.clone()));
        let transport = certified.as_ref().unwrap_or(&self.transport);
        let account = identify(transport, race.prover(), &server, request, &won.tokens, won.nonce.as_deref()).await?;
        let terms = Terms::of(&server, request);
        let sign_in = SignIn {
            account: account.clone(),
            scope: request.scope.clone(),
            resource: request.resource.clone(),
            tokens: Some(Tokens::from_response(won.tokens, &request.scope, None, now)),
            token_endpoint: server.token_endpoint,
            revocation_endpoint: server.revocation_endpoint,
            authentication: request.authentication.clone(),
            dpop_key,
            terms,
            renewal: Grant::RefreshToken,
            generation: 0,
        };
        tracing::debug!("account {} is kept", account.id());
        let kept = sign_in.clone();
        let replaced = self.keep(sign_in).await?;
        if let Some(replaced) = replaced
            && server.has_separate_grants
            && let Err(failure) = self.revoke_replaced(&replaced, &kept).await
        {
            (person.tell)(Event::NotRevoked(failure));
        }
        Ok(account)
    }

    /// Keeps a new sign-in, and gives back the one of the same account that it replaces. A refresh of that one comes to its
    /// end first; one that takes too long is not waited for, since it keeps only what follows the tokens that it has shown.
    pub(crate) async fn keep(&self, sign_in: SignIn) -> Result<Option<SignIn>, VaultError> {
        let this = self.clone();
        let keeping = self.see_through(async move {
            let lock = this.account_lock(&sign_in.account.id(), LOCK_WAIT).await?;
            let replaced = this.with_vault(move |vault| vault.update(|contents| contents.put(sign_in))).await;
            drop(lock);
            replaced
        });
        keeping.await?
    }

    /// Runs something with the vault in a thread that may wait for a disk, a keyring or a lock.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let vault = Arc::clone(&self.vault);
        let done = tokio::task::spawn_blocking(move || work(&vault)).await;
        done.unwrap_or_else(|error| {
            Err(VaultError::Io { what: "use", path: self.vault.home().vault(), source: io::Error::other(error) })
        })
    }

    /// The account's refresh lock, so that no refresh is under way while its sign-in is replaced or ended.
    pub(crate) async fn settle(&self, account: &AccountId) -> Result<FileLock, VaultError> {
        let lock = self.account_lock(account, LOCK_WAIT).await?;
        lock.ok_or_else(|| LockError::Busy(self.vault.home().account_lock(account)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::tests::{sign_in, vault};

    #[tokio::test(start_paused = true)]
    async fn a_new_sign_in_is_kept_however_long_its_account_is_busy() {
        let folder = tempfile::tempdir().unwrap();
        let sign_ins = SignIns::new(vault(folder.path()), Transport::new(), Clock::System, Entropy::system());
        assert!(sign_ins.keep(sign_in("u1")).await.unwrap().is_none());
        let account = sign_in("u1").account.id();
        let home = sign_ins.vault().home();
        let held = home.wanted(home.account_lock(&account)).try_take().unwrap();
        let mut second = sign_in("u1");
        second.tokens.as_mut().unwrap().access_token = "gpa_second".into();
        assert!(sign_ins.keep(second).await.unwrap().is_some());
        let kept = sign_ins.vault().read().unwrap().get(&account).unwrap().clone();
        assert_eq!((kept.tokens.unwrap().access_token.expose(), kept.generation), ("gpa_second", 2));
        drop(held);
    }
}
