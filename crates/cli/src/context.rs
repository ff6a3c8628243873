//! Which home, which server and which account a command is about.

use crate::{
    cli::Globals,
    env,
    error::{Error, Kind},
    ui::Ui,
};
use gatepass_client::{
    Account, AccountId, Bearer, Clock, Config, Contents, Entropy, Home, KeySources, Secret, Selection, SignIn, SignIns,
    Transport, Vault,
    config::CommandLine,
    folder::{Bindings, FolderFile},
    oauth::{Issuer, UtcMillis},
};
use std::{cell::OnceCell, path::PathBuf, sync::Arc, time::Duration};

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

    /// The settings; where no folder for them is known, there are none.
    pub(crate) fn config(&self) -> Result<&Config, Error> {
        if self.config.get().is_none() {
            let config = self.home().map_or_else(|_| Ok(Config::default()), |home| Config::read(&home))?;
            return Ok(self.config.get_or_init(|| config));
        }
        Ok(self.config.get_or_init(Config::default))
    }

    /// The sign-ins of the usual home. No I/O but for the settings.
    pub(crate) fn sign_ins(&self) -> Result<SignIns, Error> {
        let home = self.home()?;
        self.sign_ins_in(home)
    }

    /// The sign-ins of a home of the caller's choice.
    pub(crate) fn sign_ins_in(&self, home: Home) -> Result<SignIns, Error> {
        let (clock, entropy) = (Clock::System, Entropy::system());
        let vault = Vault::new(home, self.key_sources()?, clock.clone(), entropy.clone());
        Ok(SignIns::new(vault, Transport::new(), clock, entropy))
    }

    fn key_sources(&self) -> Result<KeySources, Error> {
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
        if self.typed_server().is_some() || self.typed_account().is_some() {
            let issuer = self.typed_server().map(server_of).transpose()?;
            return Ok(Selection { issuer, account: self.typed_account().map(str::to_owned) });
        }
        if let Some((_, file)) = self.folder_file()?
            && (file.server.is_some() || file.account.is_some())
        {
            let issuer = file.server.as_deref().map(server_of).transpose()?;
            return Ok(Selection { issuer, account: file.account.clone() });
        }
        Ok(Selection { issuer: None, account: self.bound_account()?.map(|id| id.to_string()) })
    }

    /// The account of that name, at the server that was typed if there is one.
    pub(crate) fn selection_of(&self, name: String) -> Result<Selection, Error> {
        Ok(Selection { issuer: self.typed_server().map(server_of).transpose()?, account: Some(name) })
    }

    fn bound_account(&self) -> Result<Option<AccountId>, Error> {
        let (Ok(folder), Ok(home)) = (std::env::current_dir(), self.home()) else { return Ok(None) };
        Ok(Bindings::read(&home)?.nearest(&folder).map(|(_, id)| id.clone()))
    }

    /// The sign-in that is meant.
    pub(crate) fn sign_in<'c>(&self, contents: &'c Contents) -> Result<&'c SignIn, Error> {
        contents.select(&self.selection()?).map_err(|error| {
            let typed = self.typed_server().is_some() || self.typed_account().is_some();
            match (typed, self.folder_file()) {
                (false, Ok(Some((path, _)))) => {
                    let told = Error::from(error);
                    Error { message: format!("{} (as {} asks)", told.message, path.display()), ..told }
                }
                _ => error.into(),
            }
        })
    }

    /// The account that is meant.
    pub(crate) fn account(&self, contents: &Contents) -> Result<Account, Error> {
        Ok(self.sign_in(contents)?.account.clone())
    }

    /// A token of the account that is meant, refreshed if need be, and when it ends; or the one of the environment. With
    /// a fresh token at hand there is no network, no runtime and no TLS.
    pub(crate) fn access_token(&self, min_ttl: Option<Duration>) -> Result<(Secret, Option<UtcMillis>), Error> {
        if let Some(token) = self.raw_token() {
            return Ok((header_safe(token)?, None));
        }
        let sign_ins = self.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        let sign_in = self.sign_in(&contents)?;
        if sign_ins.is_fresh(sign_in, min_ttl)
            && let Some(tokens) = &sign_in.tokens
        {
            return Ok((header_safe(tokens.access_token.clone())?, tokens.expires_at));
        }
        let account = &sign_in.account;
        let bearer: Bearer = run_async(async {
            sign_ins.bearer(&account.id(), min_ttl).await.map_err(|error| Error::of_account(error, account))
        })?;
        Ok((header_safe(bearer.token().clone())?, bearer.expires_at()))
    }

    /// The bearer of `GATEPASS_TOKEN`, and where it may be sent.
    pub(crate) fn raw_token(&self) -> Option<Secret> {
        env::read(env::TOKEN).map(Secret::from)
    }
}

/// A line end in a token would add a header to somebody's request.
fn header_safe(token: Secret) -> Result<Secret, Error> {
    if token.expose().bytes().all(|b| b.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Error::new(Kind::Usage, "the token holds characters that no token has"))
    }
}

/// A server by its URL.
pub(crate) fn server_of(text: &str) -> Result<Issuer, Error> {
    text.parse().map_err(|error| Error::new(Kind::Usage, format!("the server {text}: {error}")))
}

/// No server is known.
pub(crate) fn no_server() -> Error {
    Error::new(Kind::Usage, "no server is known").hint_command(
        "name one, such as the one that runs on this machine, with",
        "gatepass login --server http://127.0.0.1:8484",
    )
}

/// Runs something that needs the network, until it ends or Ctrl-C is pressed.
pub(crate) fn run_async<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
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
    // What is under way in a thread needs no waiting for: the vault is replaced wholly or not at all.
    runtime.shutdown_background();
    outcome
}
