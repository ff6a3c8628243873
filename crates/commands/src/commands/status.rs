//! `gatepass status`: what is known here, without asking anybody unless told to.

use super::whoami;
use crate::{
    context::{Context, run_with},
    env,
    error::Error,
};
use clap::Args;
use gatepass_client::{Contents, Custody, SignIn, Vault, calendar::rfc3339, oauth::UtcMillis};
use serde_json::{Value, json};

/// Show accounts, vault and settings, offline
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Ask the server whether the sign-in still holds
    #[arg(long)]
    online: bool,
}

impl Status {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let sign_ins = context.sign_ins()?;
        let (contents, custody) = (sign_ins.vault().read()?, sign_ins.vault().custody()?);
        let now = sign_ins.clock().now();
        if !context.ui.is_json() {
            print(context, sign_ins.vault(), &contents, custody, now);
        }
        let online = match self.online {
            true => {
                let account = context.account(&contents)?;
                Some(
                    run_with(&sign_ins, whoami::ask(&sign_ins, &account))
                        .map(|identity| (account, identity.is_confirmed())),
                )
            }
            false => None,
        };
        if context.ui.is_json() {
            context.ui.object(&as_json(
                sign_ins.vault(),
                &contents,
                custody,
                now,
                online.as_ref().map(|outcome| matches!(outcome, Ok((_, true)))),
            ));
        }
        match online {
            Some(Ok((account, true))) => {
                context.ui.talk(&format!("The server confirms {account}."));
                Ok(())
            }
            Some(Ok((account, false))) => {
                context.ui.talk(&format!("The server of {account} has nothing that could be asked with this token."));
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Ok(()),
        }
    }
}

fn print(context: &Context<'_>, vault: &Vault, contents: &Contents, custody: Option<Custody>, now: UtcMillis) {
    let ui = context.ui;
    let mut rows = vec![("vault", vault.home().vault().display().to_string())];
    rows.push(("key", custody.map_or_else(|| "none yet".into(), |custody| custody.to_string())));
    for (name, value) in overrides() {
        rows.push((name, value));
    }
    ui.table(&rows);
    for sign_in in &contents.sign_ins {
        let account = &sign_in.account;
        let space = account.space.as_ref().map(|space| format!(", space {space}")).unwrap_or_default();
        let default = if contents.default.as_ref() == Some(&account.id()) { " (default)" } else { "" };
        ui.data("");
        let mut rows = vec![
            ("account", format!("{}{default}", account.label())),
            ("id", account.id().to_string()),
            ("server", format!("{}{space}", account.issuer)),
            ("client", account.client_id.to_string()),
            ("scopes", sign_in.tokens.as_ref().map_or(&sign_in.scope, |tokens| &tokens.scope).to_string()),
            ("token", token_state(sign_in, now)),
        ];
        if sign_in.dpop_key.is_some() {
            rows.push(("bound to", "a key in this vault".to_owned()));
        }
        ui.table(&rows);
    }
    if contents.sign_ins.is_empty() {
        ui.talk("Nobody is signed in.");
    }
}

/// Our own variables that are set; a secret's value is not shown.
fn overrides() -> impl Iterator<Item = (&'static str, String)> {
    env::ALL.iter().filter_map(|(name, _)| {
        let value = env::read(name)?;
        Some((*name, if env::is_secret(name) { "set".to_owned() } else { value }))
    })
}

fn token_state(sign_in: &SignIn, now: UtcMillis) -> String {
    let Some(tokens) = &sign_in.tokens else { return "ended by the server; sign in again".into() };
    let renewed = sign_in.is_renewed();
    match tokens.expires_at {
        None => "does not say when it ends".into(),
        Some(end) if end > now => format!("until {} ({} left)", rfc3339(end), span(now.until(end).as_secs())),
        Some(_) if renewed => "over, renewed when it is needed".into(),
        Some(_) => "over; sign in again".into(),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn as_json(
    vault: &Vault,
    contents: &Contents,
    custody: Option<Custody>,
    now: UtcMillis,
    online: Option<bool>,
) -> Value {
    let accounts: Vec<Value> = contents
        .sign_ins
        .iter()
        .map(|sign_in| {
            let account = &sign_in.account;
            let tokens = sign_in.tokens.as_ref();
            json!({
                "id": account.id(),
                "default": contents.default.as_ref() == Some(&account.id()),
                "server": account.issuer,
                "client_id": account.client_id,
                "subject": account.subject,
                "email": account.email,
                "name": account.name,
                "space": account.space,
                "scopes": tokens.map_or(&sign_in.scope, |tokens| &tokens.scope).iter().collect::<Vec<_>>(),
                "signed_in": tokens.is_some_and(|t| sign_in.is_renewed() || t.expires_at.is_none_or(|end| end > now)),
                "key_bound": sign_in.dpop_key.is_some(),
                "expires_at": tokens.and_then(|tokens| tokens.expires_at).map(rfc3339),
            })
        })
        .collect();
    json!({
        "vault": vault.home().vault(),
        "key": custody.map(|custody| custody.to_string()),
        "environment": overrides().collect::<std::collections::BTreeMap<_, _>>(),
        "accounts": accounts,
        "confirmed": online,
    })
}
