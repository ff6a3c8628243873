//! Which home, which server and which account a command is about.

use crate::{
    agent,
    cli::Globals,
    env,
    error::{Error, Kind},
    ui::Ui,
};
use gatepass_client::{
    Account, AccountId, Bearer, Clock, Config, Contents, Entropy, Home, KeySources, Narrowing, Network, Secret,
    Selection, SignIn, SignIns, Transport, Vault,
    config::CommandLine,
    folder::{Bindings, FolderFile},
    oauth::Issuer,
    text::tidy,
    transport::Timeouts,
};
use std::{
    cell::OnceCell,
    path::PathBuf,
    sync::{Arc, Once},
    time::Duration,
};

/// What a command is given.
pub(crate) struct Context<'a> {
    globals: Globals,
    pub(crate) ui: &'a Ui,
    config: OnceCell<Config>,
    folder_file: OnceCell<Option<(PathBuf, FolderFile)>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(globals: Globals, ui: &'a Ui) -> Self {
        Self { globals, ui, config: OnceCell::new(), folder_file: OnceCell::new() }
    }

    /// The folder of settings and vault.
    pub(crate) fn home(&self) -> Result<Home, Error> {
        env::read(env::HOME).map(Home::at).or_else(|| Home::usual("gatepass", env::read)).ok_or_else(|| {
            Error::new(Kind::Usage, "no folder for settings is known, since HOME is not set")
                .hint(format!("set {} to a folder", env::HOME))
        })
    }

    /// The same, for a change of what lies there: with locks as the settings have them.
    pub(crate) fn home_to_change(&self) -> Result<Home, Error> {
        Ok(self.home()?.with_locking(self.config()?.locking))
    }

    /// The settings; where no folder for them is known, there are none.
    pub(crate) fn config(&self) -> Result<&Config, Error> {
        if self.config.get().is_none() {
            let config = self.home().map_or_else(|_| Ok(Config::default()), |home| Config::read(&home))?;
            if config.plain {
                self.ui.be_plain();
            }
            return Ok(self.config.get_or_init(|| config));
        }
        Ok(self.config.get_or_init(Config::default))
    }

    /// The sign-ins of the usual home. No I/O but for the settings.
    pub(crate) fn sign_ins(&self) -> Result<SignIns, Error> {
        let home = self.home()?;
        self.sign_ins_in(home)
    }

    /// The sign-ins of the usual home; where no folder for it is known, as in a bare container, there are none.
    pub(crate) fn sign_ins_or_none(&self) -> Result<SignIns, Error> {
        self.sign_ins_in(self.home().unwrap_or_else(|_| Home::at("/nonexistent")))
    }

    /// The sign-ins of a home of the caller's choice.
    pub(crate) fn sign_ins_in(&self, home: Home) -> Result<SignIns, Error> {
        let (clock, entropy) = (Clock::System, Entropy::system());
        let home = home.with_locking(self.config()?.locking);
        let vault = Vault::new(home, self.key_sources()?, clock.clone(), entropy.clone());
        let transport = Transport::with(Timeouts::default(), self.network()?);
        let (ui, told) = (self.ui.clone(), Once::new());
        Ok(SignIns::new(vault, transport, clock, entropy).on_not_renewed(move |account, cause| {
            told.call_once(|| {
                ui.talk(&format!(
                    "warning: the token of {account} is used until its end, since none could be had: {cause}"
                ));
            });
        }))
    }

    /// Whom to trust, and by which proxy: the flag, then the environment, then the settings.
    pub(crate) fn network(&self) -> Result<Network, Error> {
        let mut network = Network::of(env::read, self.config()?)
            .map_err(|(name, error)| Error::new(Kind::Usage, format!("{name}: {error}")))?;
        if let Some(file) = self.globals.ca_file.as_ref().filter(|file| !file.as_os_str().is_empty()) {
            network.ca_file = Some(file.clone());
        }
        Ok(network)
    }

    /// Where the vault's key may be had.
    pub(crate) fn key_sources(&self) -> Result<KeySources, Error> {
        let usage = |name: &str, why: &str| Error::new(Kind::Usage, format!("{name}: {why}"));
        let no_keyring = match env::read(env::KEYRING).as_deref() {
            None | Some("auto") => false,
            Some("off") => true,
            Some(_) => return Err(usage(env::KEYRING, "the values are auto and off")),
        };
        let command = match env::read(env::VAULT_KEY_COMMAND) {
            Some(line) => {
                Some(CommandLine::parse(&line).map_err(|error| usage(env::VAULT_KEY_COMMAND, &error.to_string()))?)
            }
            None => self.config()?.vault_key_command.clone(),
        };
        let ask = || rpassword::prompt_password("Passphrase of the gatepass vault: ").ok().map(Secret::from);
        Ok(KeySources {
            no_keyring,
            command,
            passphrase: env::read(env::VAULT_PASSPHRASE).map(Secret::from),
            ask: if self.ui.can_ask() { Some(Arc::new(ask)) } else { None },
        })
    }

    /// The server that was named: by `--server`, `GATEPASS_SERVER`, the folder's file, or the settings.
    pub(crate) fn named_server(&self) -> Result<Option<Issuer>, Error> {
        let text = match (self.typed_server(), self.folder_file()?) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some((_, FolderFile { server: Some(text), .. }))) => Some(text.clone()),
            _ => self.config()?.server.clone(),
        };
        text.map(|text| server_of(&text)).transpose()
    }

    fn typed_server(&self) -> Option<&str> {
        self.globals.server.as_deref().filter(|text| !text.is_empty())
    }

    fn typed_account(&self) -> Option<&str> {
        self.globals.account.as_deref().filter(|text| !text.is_empty())
    }

    fn typed_space(&self) -> Result<Option<String>, Error> {
        self.globals.space.as_deref().filter(|text| !text.is_empty()).map(space_of).transpose()
    }

    /// The space to sign in to: the one that was typed, or the folder's file's, if that means this server.
    pub(crate) fn named_space(&self) -> Result<Option<String>, Error> {
        match (self.typed_space()?, self.typed_server(), self.folder_file()?) {
            (Some(space), ..) => Ok(Some(space)),
            (None, None, Some((_, file))) => file.space.as_deref().map(space_of).transpose(),
            _ => Ok(None),
        }
    }

    /// The nearest `.gatepass.toml`, read once.
    fn folder_file(&self) -> Result<Option<&(PathBuf, FolderFile)>, Error> {
        if self.folder_file.get().is_none() {
            let found = match std::env::current_dir() {
                Ok(folder) => FolderFile::nearest(&folder)?,
                // A folder that was removed under us means nothing.
                Err(_) => None,
            };
            return Ok(self.folder_file.get_or_init(|| found).as_ref());
        }
        Ok(self.folder_file.get().and_then(Option::as_ref))
    }

    /// The server that a secret may be sent to: typed, or in the settings. The file of a folder names none, since the folder
    /// may have come from a stranger.
    fn server_for_secrets(&self) -> Result<Option<Issuer>, Error> {
        let text = match self.typed_server() {
            Some(text) => Some(text),
            None => self.config()?.server.as_deref(),
        };
        text.map(server_of).transpose()
    }

    /// The server to sign in to with a secret or an assertion, which nobody looks at before they are sent.
    pub(crate) fn server_to_prove_to(&self) -> Result<Issuer, Error> {
        self.server_for_secrets()?.ok_or_else(|| {
            Error::new(Kind::Usage, "no server is named that the secret or the assertion is for")
                .hint(format!("name it with --server or {}; a .gatepass.toml does not count", env::SERVER))
        })
    }

    /// The server to talk to: the one that was named, else the default account's.
    pub(crate) fn server(&self, contents: &Contents) -> Result<Issuer, Error> {
        if let Some(server) = self.named_server()? {
            return Ok(server);
        }
        let default = contents.default.as_ref().and_then(|id| contents.get(id)).or(contents.sign_ins.last());
        default.map(|sign_in| sign_in.account.issuer.clone()).ok_or_else(no_server)
    }

    /// Which account is meant: what was typed or set decides alone; else the folder's file; else the folder's binding.
    pub(crate) fn selection(&self) -> Result<Selection, Error> {
        // A server that was typed narrows the choice; one from the settings is only where to sign in.
        if self.account_was_typed()? {
            let issuer = self.typed_server().map(server_of).transpose()?;
            let account = self.typed_account().map(str::to_owned);
            return Ok(Selection { issuer, account, space: self.typed_space()? });
        }
        if let Some((_, file)) = self.folder_file()?
            && (file.server.is_some() || file.account.is_some() || file.space.is_some())
        {
            let issuer = file.server.as_deref().map(server_of).transpose()?;
            let space = file.space.as_deref().map(space_of).transpose()?;
            return Ok(Selection { issuer, account: file.account.clone(), space });
        }
        Ok(Selection { account: self.bound_account()?.map(|id| id.to_string()), ..Selection::default() })
    }

    /// The same for a command in a tool's configuration. It names an account by its whole id, which is of one server and
    /// one space: what the surroundings of the day say of those does not count then.
    pub(crate) fn selection_by_id(&self) -> Result<Selection, Error> {
        match self.typed_account().and_then(AccountId::whole) {
            Some(id) => Ok(Selection { account: Some(id.to_string()), ..Selection::default() }),
            None => self.selection(),
        }
    }

    /// The account of that name, at the server that was typed if there is one.
    pub(crate) fn selection_of(&self, name: String) -> Result<Selection, Error> {
        let issuer = self.typed_server().map(server_of).transpose()?;
        Ok(Selection { issuer, account: Some(name), space: self.typed_space()? })
    }

    fn bound_account(&self) -> Result<Option<AccountId>, Error> {
        let (Ok(folder), Ok(home)) = (std::env::current_dir(), self.home()) else { return Ok(None) };
        Ok(Bindings::read(&home)?.nearest(&folder).map(|(_, id)| id.clone()))
    }

    /// The sign-in that is meant.
    pub(crate) fn sign_in<'c>(&self, contents: &'c Contents) -> Result<&'c SignIn, Error> {
        contents.select(&self.selection()?).map_err(|error| match (self.account_was_typed(), self.folder_file()) {
            (Ok(false), Ok(Some((path, _)))) => {
                let told = Error::from(error);
                Error { message: format!("{} (as {} asks)", told.message, path.display()), ..told }
            }
            _ => error.into(),
        })
    }

    /// The account that is meant.
    pub(crate) fn account(&self, contents: &Contents) -> Result<Account, Error> {
        Ok(self.sign_in(contents)?.account.clone())
    }

    /// Whether the command line or the environment names an account, a server or a space.
    pub(crate) fn account_was_typed(&self) -> Result<bool, Error> {
        Ok(self.typed_server().is_some() || self.typed_account().is_some() || self.typed_space()?.is_some())
    }

    /// A token of the account that is meant, refreshed if need be, and when it ends; or the one of the environment. With
    /// a fresh token at hand there is no network, no runtime and no TLS.
    pub(crate) fn bearer(&self, min_ttl: Option<Duration>) -> Result<Bearer, Error> {
        self.narrowed_bearer(min_ttl, &Narrowing::default())
    }

    /// The same for a token that may do less.
    pub(crate) fn narrowed_bearer(&self, min_ttl: Option<Duration>, narrowing: &Narrowing) -> Result<Bearer, Error> {
        if let Some(raw) = self.raw() {
            if !narrowing.is_empty() {
                let message = format!("{} is used as it is, and cannot be narrowed", raw.variable);
                return Err(Error::new(Kind::Usage, message));
            }
            return header_safe(Bearer::plain(raw.secret, None));
        }
        if let Some(handed_out) = agent::token(self, min_ttl, narrowing)? {
            return header_safe(handed_out.bearer);
        }
        let sign_ins = self.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        let sign_in = self.sign_in(&contents)?;
        if narrowing.is_met_by(sign_in)
            && sign_ins.is_fresh(sign_in, min_ttl)
            && let Some(bearer) = Bearer::of(sign_in)
        {
            tracing::debug!("the stored token of account {} is fresh", sign_in.account.id());
            return header_safe(bearer);
        }
        let account = &sign_in.account;
        let bearer = run_with(&sign_ins, async {
            let narrowed = sign_ins.narrowed_bearer(&account.id(), narrowing, min_ttl).await;
            narrowed.map_err(|error| Error::of_narrowing(error, account))
        })?;
        header_safe(bearer)
    }

    /// The same for those who hand the token on as it is. One that is bound to a key is of no use to them.
    pub(crate) fn plain_token(&self, min_ttl: Option<Duration>) -> Result<Secret, Error> {
        Ok(Error::unless_bound(self.bearer(min_ttl)?, "URL")?.token().clone())
    }

    /// The credential of the environment: what is shorter lived before what is not. A key stays a key under both names, as
    /// 'gatepass exec' gives it.
    pub(crate) fn raw(&self) -> Option<Raw> {
        let (token, key) = (env::read(env::TOKEN), env::read(env::API_KEY));
        let token = token.filter(|token| key.as_ref() != Some(token));
        let token = token.map(|token| Raw { secret: token.into(), variable: env::TOKEN });
        token.or_else(|| Some(Raw { secret: key?.into(), variable: env::API_KEY }))
    }

    /// The one server that the credential of the environment is sent to.
    pub(crate) fn server_of_raw(&self, raw: &Raw) -> Result<Issuer, Error> {
        self.server_for_secrets()?.ok_or_else(|| {
            Error::new(Kind::Usage, format!("{} is set, but no server that it is for", raw.variable))
                .hint(format!("name it with --server or {}; a .gatepass.toml does not count", env::SERVER))
        })
    }
}

/// A credential of the environment, used as it is.
pub(crate) struct Raw {
    pub(crate) secret: Secret,
    /// Where it is from.
    pub(crate) variable: &'static str,
}

impl Raw {
    /// Whether it is a key of the server's own API, and for nobody else.
    pub(crate) fn is_api_key(&self) -> bool {
        self.variable == env::API_KEY
    }
}

/// A line end in a token would add a header to somebody's request.
fn header_safe(token: Bearer) -> Result<Bearer, Error> {
    if token.token().expose().bytes().all(|b| b.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Error::new(Kind::Usage, "the token holds characters that no token has"))
    }
}

/// A server by its URL.
pub(crate) fn server_of(text: &str) -> Result<Issuer, Error> {
    text.parse().map_err(|error| Error::new(Kind::Usage, format!("the server {text}: {error}")))
}

/// A space by its name.
fn space_of(text: &str) -> Result<String, Error> {
    let good = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match good {
        true => Ok(text.to_owned()),
        false => Err(Error::new(
            Kind::Usage,
            format!("the space {}: a name of letters, digits, '-', '_' and '.'", tidy(text, 80)),
        )),
    }
}

/// No server is known.
pub(crate) fn no_server() -> Error {
    Error::new(Kind::Usage, "no server is known").hint_command(
        "name one, such as the one that runs on this machine, with",
        "gatepass login --server http://127.0.0.1:8484",
    )
}

/// Runs something that needs the network, until it ends or Ctrl-C is pressed. It uses no sign-in.
pub(crate) fn run_async<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    run(work, std::future::ready(()))
}

/// The same for what uses sign-ins: a refresh that is under way comes to its end, unless Ctrl-C is pressed again.
pub(crate) fn run_with<T>(sign_ins: &SignIns, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    run(
        work,
        finished(sign_ins, async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }),
    )
}

/// Comes when no refresh is under way any more, or somebody will not wait for it.
pub(crate) async fn finished(sign_ins: &SignIns, impatience: impl Future<Output = ()>) {
    tokio::select! {
        () = sign_ins.finish() => {}
        () = impatience => {}
    }
}

fn run<T>(work: impl Future<Output = Result<T, Error>>, last: impl Future<Output = ()>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Failed, format!("the runtime cannot be started: {error}")))?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            pressed = tokio::signal::ctrl_c() => Err(match pressed {
                Ok(()) => Error::new(Kind::Interrupted, "interrupted"),
                Err(error) => Error::new(Kind::Failed, format!("Ctrl-C cannot be heard: {error}")),
            }),
        }
    });
    runtime.block_on(last);
    // What is under way in a thread needs no waiting for: the vault is replaced wholly or not at all.
    runtime.shutdown_background();
    outcome
}
