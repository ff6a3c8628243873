//! Which home, which server and which account a command is about.

use crate::{
    cli::Globals,
    env,
    error::{Error, Kind},
    ui::Ui,
};
use gatepass_client::{
    Account, Clock, Config, Contents, Entropy, Home, KeySources, Secret, Selection, SignIns, Transport, Vault,
    config::CommandLine, oauth::Issuer,
};
use std::{cell::OnceCell, sync::Arc};

/// What a command is given.
pub(crate) struct Context<'a> {
    globals: Globals,
    pub(crate) ui: &'a Ui,
    config: OnceCell<Config>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(globals: Globals, ui: &'a Ui) -> Self {
        Self { globals, ui, config: OnceCell::new() }
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

    /// The server that was named: by `--server`, `GATEPASS_SERVER`, or the settings.
    pub(crate) fn named_server(&self) -> Result<Option<Issuer>, Error> {
        let typed = self.globals.server.as_deref().filter(|text| !text.is_empty());
        let text = match typed {
            Some(text) => Some(text.to_owned()),
            None => self.config()?.server.clone(),
        };
        let Some(text) = text else { return Ok(None) };
        text.parse().map(Some).map_err(|error| Error::new(Kind::Usage, format!("the server {text}: {error}")))
    }

    /// The server to talk to: the one that was named, else the default account's.
    pub(crate) fn server(&self, contents: &Contents) -> Result<Issuer, Error> {
        if let Some(server) = self.named_server()? {
            return Ok(server);
        }
        let default = contents.default.as_ref().and_then(|id| contents.get(id)).or(contents.sign_ins.last());
        default.map(|sign_in| sign_in.account.issuer.clone()).ok_or_else(no_server)
    }

    /// Which account is meant.
    pub(crate) fn selection(&self) -> Result<Selection, Error> {
        // A server that was typed narrows the choice; one from the settings is only where to sign in.
        let issuer = match self.globals.server.as_deref().filter(|text| !text.is_empty()) {
            Some(_) => self.named_server()?,
            None => None,
        };
        Ok(Selection { issuer, account: self.globals.account.clone().filter(|text| !text.is_empty()) })
    }

    /// The account that is meant.
    pub(crate) fn account(&self, contents: &Contents) -> Result<Account, Error> {
        Ok(contents.select(&self.selection()?)?.account.clone())
    }

    /// The bearer of `GATEPASS_TOKEN`, and where it may be sent.
    pub(crate) fn raw_token(&self) -> Option<Secret> {
        env::read(env::TOKEN).map(Secret::from)
    }
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
