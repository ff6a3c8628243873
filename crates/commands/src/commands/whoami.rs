//! `gatepass whoami`: who the server takes us for. A gatepass server is asked by its API, another one by its userinfo
//! endpoint; where that is missing, what it said at the sign-in is shown.

use crate::{
    agent,
    context::{Context, run_async, run_with, server_of},
    error::{Error, Kind},
    rpc::{self, As},
    ui::Ui,
};
use clap::Args;
use gatepass_client::{
    Account, Bearer, Narrowing, SignIns, discover,
    oauth::Issuer,
    text::tidy,
    who::{self, Who},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Ask the server who it takes you for
#[derive(Debug, Args)]
pub(crate) struct Whoami {}

/// The answer of the method `whoami`. Members that this program does not know are kept for `--json`.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Identity {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    id: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    credential: Option<String>,
    /// Told at the sign-in, not now.
    #[serde(skip)]
    is_old: bool,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

impl Whoami {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        if let Some(raw) = context.raw() {
            let (sign_ins, server) = (context.sign_ins_or_none()?, context.server_of_raw(&raw)?);
            let bearer = context.bearer(None)?;
            let identity = run_async(async {
                match raw.is_api_key() {
                    // What metadata says of other hosts is not asked.
                    true => rpc::user(&sign_ins, &server, As::Token(&bearer), "whoami").await,
                    false => ask_with(&sign_ins, &server, &bearer).await,
                }
            })?;
            return print(context.ui, &identity, server.as_str());
        }
        if let Some(handed_out) = agent::token(context, None, &Narrowing::default())? {
            let (sign_ins, server) = (context.sign_ins_or_none()?, server_of(&handed_out.server)?);
            let identity = run_async(ask_with(&sign_ins, &server, &handed_out.bearer))?;
            return print(context.ui, &identity, server.as_str());
        }
        let sign_ins = context.sign_ins()?;
        let account = context.account(&sign_ins.vault().read()?)?;
        run_with(&sign_ins, show(context, &sign_ins, &account))
    }
}

/// Asks for an account and prints the answer.
pub(crate) async fn show(context: &Context<'_>, sign_ins: &SignIns, account: &Account) -> Result<(), Error> {
    let identity = ask(sign_ins, account).await?;
    if identity.is_old {
        context
            .ui
            .talk("This is what the server said at the sign-in; it has nothing that could be asked with this token.");
    }
    print(context.ui, &identity, account.issuer.as_str())
}

/// Asks for an account: a gatepass server by its API, another by its userinfo endpoint.
pub(crate) async fn ask(sign_ins: &SignIns, account: &Account) -> Result<Identity, Error> {
    let id = account.id();
    match sign_ins.who(&id).await {
        Ok(Who::AskGatepass) => {}
        Ok(Who::Says(claims)) => return Ok(Identity::told(claims, Some(account))),
        Ok(Who::SaidAtSignIn) => return Ok(Identity::kept(account)),
        Err(error) => {
            let told = Error::from(error);
            return Err(match told.kind {
                Kind::SignInNeeded => Error::sign_in_needed(told.message, Some(account.issuer.as_str())),
                _ => told,
            });
        }
    }
    rpc::user(sign_ins, &account.issuer, As::Account(&id), "whoami").await.map_err(|error| match error.kind {
        Kind::SignInNeeded => Error::sign_in_again(error.message, account).about(account),
        _ => error.about(account),
    })
}

/// Asks with a token of the environment or an agent. Nothing is known of its server yet, so its metadata is read.
async fn ask_with(sign_ins: &SignIns, server: &Issuer, bearer: &Bearer) -> Result<Identity, Error> {
    let found = discover(sign_ins.transport(), server).await;
    match found.ok().filter(|found| found.gatepass_client_id.is_none()).and_then(|found| found.userinfo_endpoint) {
        None => rpc::user(sign_ins, server, As::Token(bearer), "whoami").await,
        Some(endpoint) => match sign_ins.userinfo(&endpoint, bearer).await? {
            Some(claims) => Ok(Identity::told(claims, None)),
            None => Err(Error::sign_in_needed(format!("{server} does not accept the token"), Some(server.as_str()))),
        },
    }
}

impl Identity {
    /// What a userinfo endpoint tells.
    fn told(mut claims: serde_json::Map<String, Value>, account: Option<&Account>) -> Self {
        // Some vendors write truth as text.
        let email_verified = match claims.remove("email_verified") {
            Some(Value::Bool(verified)) => Some(verified),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let mut member = |name: &str| claims.remove(name).as_ref().and_then(|value| who::text(Some(value)));
        let (sub, email, name) = (member("sub").or_else(|| member("id")), member("email"), member("name"));
        // What the others are called stays apart from what this program says.
        for own in ["id", "type", "client_id", "scopes", "credential"] {
            claims.remove(own);
        }
        let known = |pick: fn(&Account) -> &Option<String>| account.and_then(|account| pick(account).clone());
        Self {
            id: sub.or_else(|| known(|account| &account.subject)),
            email: email.or_else(|| known(|account| &account.email)),
            email_verified,
            name: name.or_else(|| known(|account| &account.name)),
            client_id: account.map(|account| account.client_id.to_string()),
            others: claims,
            ..Self::default()
        }
    }

    /// What was told at the sign-in.
    fn kept(account: &Account) -> Self {
        Self {
            id: account.subject.clone(),
            email: account.email.clone(),
            name: account.name.clone(),
            client_id: Some(account.client_id.to_string()),
            is_old: true,
            ..Self::default()
        }
    }

    /// Whether the server was asked just now.
    pub(crate) fn is_confirmed(&self) -> bool {
        !self.is_old
    }
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
