//! `gatepass login`: sign in, by whatever way works here.

use super::{
    client_options::ClientOptions, server_options::ServerOptions, unattended_options::UnattendedOptions, whoami,
};
use crate::{
    context::{Context, run_with, server_of},
    env,
    error::{Error, Kind},
    screen::{self, Screen},
};
use clap::{ArgGroup, Args};
use gatepass_client::{
    Account, Bearer, Custody, Home, KeyBinding, SignIns, VaultError, Ways, Wish,
    calendar::rfc3339,
    environment::host_name,
    oauth::{ClientId, ClientIdUrl, Issuer},
};
use serde_json::json;
use std::{fmt::Display, str::FromStr};

/// The client that every gatepass server knows.
pub(crate) const CLIENT_ID: &str = "gatepass-cli";
/// What it asks for.
pub(crate) const SCOPE: &str = "openid profile email offline_access account";

const EXAMPLES: &str = "Examples:
  gatepass login --server https://auth.example.com
  gatepass login --issuer https://github.com --client-id Iv1.0123 --device
  gatepass login --issuer https://accounts.google.com --client-id ID --client-secret-file FILE
  gatepass login --issuer https://tenant.eu.auth0.com --client-id ID --audience urn:my:api
  gatepass login --client-credentials --client-id ID --client-secret-file FILE
  gatepass login --assertion kubernetes
  pass show app | gatepass login --issuer https://sso.example --client-id ID --client-secret-file -";

/// Sign in
///
/// Chooses the way that works here and says why: by browser on this machine, with a short code on any
/// device, or by an address that you paste. Where several can work they are offered at once, and the
/// first to finish counts. The first account becomes the default; a later one does with --default.
///
/// It signs in at any OAuth or OpenID Connect server. A client is found by itself at a gatepass server, and where programs
/// may register themselves; elsewhere make one and name it. What is known of GitHub, Google, Microsoft Entra ID, Okta,
/// Auth0, Keycloak and GitLab is built in.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").multiple(true), after_long_help = EXAMPLES)]
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
    /// The server, as --server: other vendors call it the issuer
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The scopes to ask for, with spaces between them; without it those that bring an identity and a lasting sign-in
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// The API that the token is for (RFC 8707), sent as it is typed
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// The API that the token is for, at a vendor who calls it so
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,
    /// Where the browser's answer comes back, as the client has it registered, such as http://localhost:8400/callback
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    #[command(flatten)]
    unattended: UnattendedOptions,
    #[command(flatten)]
    client: ClientOptions,
    #[command(flatten)]
    at: ServerOptions,
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
        let server = match &self.issuer {
            Some(text) => server_of(text)?,
            None if self.unattended.is_asked_for() || self.client.has_proof() => context.server_to_prove_to()?,
            None => context.server(&contents)?,
        };
        let grant = self.unattended.grant(&self.client, &server)?;
        let wish = self.wish(context, server)?;
        let had_vault = sign_ins.vault().custody()?.is_some();
        let screen = Screen { ways: self.ways(), no_browser: self.no_browser, copy: self.copy };
        if let Some(raw) = context.raw() {
            context.ui.warn(&format!("{} is set and will be used instead of this sign-in", raw.variable));
        }
        let account = run_with(&sign_ins, async {
            match grant {
                Some(grant) => Ok(sign_ins.sign_in_unattended(&wish, grant).await?),
                None => screen::sign_in(context.ui, &sign_ins, &wish, screen).await,
            }
        })?;
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

    fn wish(&self, context: &Context<'_>, server: Issuer) -> Result<Wish, Error> {
        fn read<T: FromStr<Err: Display>>(option: &str, text: Option<&String>) -> Result<Option<T>, Error> {
            let parsed = text.map(|text| text.parse()).transpose();
            parsed.map_err(|error| Error::new(Kind::Usage, format!("{option}: {error}")))
        }
        if self.paste && self.client.reads_stdin() {
            let twice = "stdin cannot bring both the client's secret and what is pasted";
            return Err(Error::new(Kind::Usage, twice).hint("put the secret into a file"));
        }
        let audience = self.audience.clone().filter(|text| !text.is_empty());
        if audience.as_ref().is_some_and(|text| text.len() > 2048 || text.chars().any(char::is_control)) {
            return Err(Error::new(Kind::Usage, "--audience: it is longer than 2048 bytes, or no text"));
        }
        Ok(Wish {
            endpoints: self.at.endpoints()?,
            provider: self.at.provider(),
            client_id: self.client.client_id()?,
            client_url: client_url(context.config()?.client_url.as_deref())?,
            proof: self.client.proof(context.ui)?,
            scope: read("--scope", self.scope.as_ref())?,
            resource: read("--resource", self.resource.as_ref())?,
            audience,
            redirect: read("--redirect-uri", self.redirect_uri.as_ref())?,
            space: context.named_space()?,
            device_name: host_name(env::read),
            key_binding: match (self.dpop, self.no_dpop) {
                (true, _) => KeyBinding::Always,
                (_, true) => KeyBinding::Never,
                _ => KeyBinding::OwnSignIns,
            },
            ..Wish::new(server)
        })
    }
}

/// The address of this program's own document, if the settings name one.
fn client_url(text: Option<&str>) -> Result<Option<ClientId>, Error> {
    let Some(text) = text else { return Ok(None) };
    let refused = |why: String| Error::new(Kind::Usage, format!("client_url in the settings: {why}"));
    let id: ClientId = text.parse().map_err(|error| refused(format!("{error}")))?;
    ClientIdUrl::read(&id, |_| false).map_err(|error| refused(error.to_string()))?;
    Ok(Some(id))
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
    let kept = contents.get(&account.id());
    if kept.is_some_and(|sign_in| !sign_in.renewal.is_of_a_person()) {
        ui.talk("It is renewed without a person, for as long as the server allows.");
    } else if let Some(tokens) = kept.and_then(|sign_in| sign_in.tokens.as_ref())
        && let (None, Some(end)) = (&tokens.refresh_token, tokens.expires_at)
    {
        ui.talk(&format!("The server gave no refresh token, so this lasts until {} only.", rfc3339(end)));
    }
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
    let wish = Wish { device_name: host_name(env::read), ..Wish::new(issuer) };
    let screen = Screen { ways: Some(Ways::Device), ..Screen::default() };
    let account = screen::sign_in(context.ui, &sign_ins, &wish, screen).await?;
    context.ui.talk(&format!("Signed in as {account}."));
    whoami::show(context, &sign_ins, &account).await?;
    Ok(account)
}
