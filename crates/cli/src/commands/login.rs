//! `gatepass login`: sign in, by whatever way works here.

use super::whoami;
use crate::{
    context::{Context, run_async},
    env,
    error::{Error, Kind},
    screen::{self, Screen},
};
use clap::{ArgGroup, Args};
use gatepass_client::{
    Account, Bearer, Custody, Home, KeyBinding, SignInRequest, SignIns, VaultError, Ways, environment::host_name,
    oauth::Issuer,
};
use serde_json::json;

/// The client that every gatepass server knows.
pub(crate) const CLIENT_ID: &str = "gatepass-cli";
/// What it asks for.
pub(crate) const SCOPE: &str = "openid profile email offline_access account";

/// Sign in
///
/// Chooses the way that works here and says why: by browser on this machine, with a short code on any
/// device, or by an address that you paste. Where several can work they are offered at once, and the
/// first to finish counts. The first account becomes the default; a later one does with --default.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").multiple(true))]
pub(crate) struct Login {
    /// Show a code to enter on any device; with --loopback both are offered
    #[arg(long, group = "way")]
    device: bool,
    /// Use a browser on this machine
    #[arg(long, group = "way")]
    loopback: bool,
    /// Show an address for any browser, and read the address of the last page from stdin
    #[arg(long, group = "way", conflicts_with_all = ["device", "loopback"])]
    paste: bool,
    /// Show the address, but open no browser
    #[arg(long)]
    no_browser: bool,
    /// Bind the sign-in to a key, so that a copied refresh token is of no use (RFC 9449)
    ///
    /// This is so without being asked for gatepass-cli at a gatepass server.
    #[arg(long)]
    dpop: bool,
    /// Bind the sign-in to no key
    #[arg(long, conflicts_with = "dpop")]
    no_dpop: bool,
    /// Put the address on the clipboard, by way of the terminal and of this machine's own
    #[arg(long)]
    copy: bool,
    /// Make the account the default
    #[arg(long)]
    default: bool,
    /// The scopes to ask for, with spaces between them
    #[arg(long, value_name = "SCOPE", default_value = SCOPE)]
    scope: String,
    /// The API that the token is for (RFC 8707)
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// The client to sign in as, at a server that does not know gatepass-cli
    #[arg(long, value_name = "ID", default_value = CLIENT_ID)]
    client_id: String,
}

impl Login {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let sign_ins = context.sign_ins()?;
        let contents = match sign_ins.vault().read() {
            // It is out of the way now, and whoever signs in wants a new one.
            Err(error @ VaultError::Damaged(_)) => {
                context.ui.warn(&error.to_string());
                Default::default()
            }
            other => other?,
        };
        let request = self.request(context.server(&contents)?, context.named_space()?)?;
        let had_vault = sign_ins.vault().custody()?.is_some();
        let screen = Screen { ways: self.ways(), no_browser: self.no_browser, copy: self.copy };
        if env::read(env::TOKEN).is_some() {
            context.ui.warn(&format!("{} is set and will be used instead of this sign-in", env::TOKEN));
        }
        let account = run_async(screen::sign_in(context.ui, &sign_ins, &request, screen))?;
        if self.dpop && !gives_bound_tokens(&sign_ins, &account)? {
            context.ui.warn(
                "the server gave a plain access token for the key; only it knows whether the refresh token is bound",
            );
        }
        if self.default {
            let id = account.id();
            let kept = sign_ins.vault().update(|contents| contents.default = Some(id));
            kept.map_err(|error| Error::from(error).about(&account))?;
        }
        done(context, &sign_ins, &account, had_vault)
    }

    fn ways(&self) -> Option<Ways> {
        match (self.device, self.loopback, self.paste) {
            (true, true, _) => Some(Ways::BrowserAndDevice),
            (true, ..) => Some(Ways::Device),
            (_, true, _) => Some(Ways::Browser),
            (.., true) => Some(Ways::Paste),
            _ => None,
        }
    }

    fn request(&self, server: Issuer, space: Option<String>) -> Result<SignInRequest, Error> {
        let usage = |option: &str, why: String| Error::new(Kind::Usage, format!("{option}: {why}"));
        let client_id = self.client_id.parse().map_err(|error| usage("--client-id", format!("{error}")))?;
        let mut request = SignInRequest::new(server, client_id);
        request.scope = self.scope.parse().map_err(|error| usage("--scope", format!("{error}")))?;
        request.resource = match &self.resource {
            Some(text) => Some(text.parse().map_err(|error| usage("--resource", format!("{error}")))?),
            None => None,
        };
        request.space = space;
        request.device_name = host_name(env::read);
        request.key_binding = match (self.dpop, self.no_dpop) {
            (true, _) => KeyBinding::Always,
            (_, true) => KeyBinding::Never,
            _ => KeyBinding::OwnSignIns,
        };
        Ok(request)
    }
}

fn gives_bound_tokens(sign_ins: &SignIns, account: &Account) -> Result<bool, Error> {
    let contents = sign_ins.vault().read()?;
    Ok(contents.get(&account.id()).and_then(Bearer::of).is_some_and(|bearer| bearer.key().is_some()))
}

/// Tells how it ended, and where a new vault's key is.
fn done(context: &Context<'_>, sign_ins: &SignIns, account: &Account, had_vault: bool) -> Result<(), Error> {
    let ui = context.ui;
    if ui.is_json() {
        ui.object(&json!({
            "event": "done",
            "id": account.id(),
            "server": account.issuer,
            "subject": account.subject,
            "email": account.email,
            "name": account.name,
            "space": account.space,
        }));
        return Ok(());
    }
    ui.talk(&format!("Signed in as {account}."));
    let contents = sign_ins.vault().read()?;
    if let Some(default) = contents.default.as_ref().and_then(|id| contents.get(id))
        && default.account.id() != account.id()
    {
        ui.talk(&format!("The default is still {}. To change that, run", default.account));
        ui.talk_strong(&format!("  gatepass accounts use {}", account.id()));
    }
    if let (false, Some(custody)) = (had_vault, sign_ins.vault().custody()?) {
        ui.talk(&format!("The tokens are encrypted; the key is kept by {custody}."));
        if custody == Custody::KeyFile {
            ui.talk(
                "Whoever reads that folder can read them. A keyring, a command or a passphrase guards them better.",
            );
        }
    }
    Ok(())
}

/// What `gatepass quickstart` shows: a sign-in with a code at `issuer`, kept in `home`, and then who it is.
pub(crate) async fn device_sign_in_and_whoami(
    context: &Context<'_>,
    issuer: Issuer,
    home: Home,
) -> Result<Account, Error> {
    let sign_ins = context.sign_ins_in(home)?;
    let invalid = |error: &dyn std::fmt::Display| Error::new(Kind::Usage, error.to_string());
    let mut request = SignInRequest::new(issuer, CLIENT_ID.parse().map_err(|error| invalid(&error))?);
    request.scope = SCOPE.parse().map_err(|error| invalid(&error))?;
    request.device_name = host_name(env::read);
    let screen = Screen { ways: Some(Ways::Device), ..Screen::default() };
    let account = screen::sign_in(context.ui, &sign_ins, &request, screen).await?;
    context.ui.talk(&format!("Signed in as {account}."));
    whoami::show(context, &sign_ins, &account).await?;
    Ok(account)
}
