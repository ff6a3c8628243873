//! `gatepass whoami`: who the server takes us for.

use crate::{
    agent,
    context::{Context, no_server, run_async, server_of},
    error::{Error, Kind},
    rpc::{self, As},
    ui::Ui,
};
use clap::Args;
use gatepass_client::{Account, Narrowing, SignIns, text::tidy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Ask the server who it takes you for
#[derive(Debug, Args)]
pub(crate) struct Whoami {}

/// The answer of the method `whoami`. Members that this program does not know are kept for `--json`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Identity {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    credential: Option<String>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

impl Whoami {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        if let Some(token) = context.raw_token() {
            let sign_ins = context.sign_ins_or_none()?;
            let server = context.named_server()?.ok_or_else(no_server)?;
            let identity: Identity = rpc::user_blocking(&sign_ins, &server, As::Token(&token), "whoami")?;
            return print(context.ui, &identity, server.as_str());
        }
        if let Some(granted) = agent::token(context, None, &Narrowing::default())? {
            let (sign_ins, server) = (context.sign_ins_or_none()?, server_of(&granted.server)?);
            let identity: Identity =
                rpc::user_blocking(&sign_ins, &server, As::Token(&granted.access_token), "whoami")?;
            return print(context.ui, &identity, server.as_str());
        }
        let sign_ins = context.sign_ins()?;
        let account = context.account(&sign_ins.vault().read()?)?;
        run_async(show(context, &sign_ins, &account))
    }
}

/// Asks for an account and prints the answer.
pub(crate) async fn show(context: &Context<'_>, sign_ins: &SignIns, account: &Account) -> Result<(), Error> {
    let identity = ask(sign_ins, account).await?;
    print(context.ui, &identity, account.issuer.as_str())
}

/// Asks for an account.
pub(crate) async fn ask(sign_ins: &SignIns, account: &Account) -> Result<Identity, Error> {
    let id = account.id();
    rpc::user(sign_ins, &account.issuer, As::Account(&id), "whoami").await.map_err(|error| match error.kind {
        Kind::SignInNeeded => Error::sign_in_again(error.message, account).about(account),
        _ => error.about(account),
    })
}

fn print(ui: &Ui, identity: &Identity, server: &str) -> Result<(), Error> {
    if ui.is_json() {
        let object = serde_json::to_value(identity).map_err(|error| Error::new(Kind::Failed, error))?;
        ui.object(&object);
        return Ok(());
    }
    let clean = |text: &Option<String>| text.as_deref().map(|text| tidy(text, 320)).unwrap_or_default();
    let email = match (clean(&identity.email), identity.email_verified) {
        (email, Some(false)) if !email.is_empty() => format!("{email} (not verified)"),
        (email, _) => email,
    };
    let rows = [
        ("type", clean(&identity.kind)),
        ("email", email),
        ("name", clean(&identity.name)),
        ("id", clean(&identity.id)),
        ("client", clean(&identity.client_id)),
        ("scopes", tidy(&identity.scopes.join(" "), 2048)),
        ("credential", clean(&identity.credential)),
        ("server", server.to_owned()),
    ];
    let rows: Vec<(&str, String)> = rows.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    ui.table(&rows);
    Ok(())
}
