//! `gatepass admin trust`.

use super::client::read_jwks;
use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::{ArgGroup, Args, Subcommand};
use gatepass_oauth::{ClientId, ResourceUri, Scope};
use gatepass_server::authority::{
    Authority,
    trust::{EmailProof, NewTrust, Repeats, StandsFor, Trust as Stored, TrustGrants, TrustRefused, trust_name},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Trust {
    Add(Box<Add>),
    /// List the trust policies
    List,
    /// Remove a trust policy; the tokens that it gave live to their end
    Remove {
        /// Its identifier, as `list` shows it
        id: String,
    },
}

/// Take assertions of an issuer: of a workload's platform, or of an identity provider
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("stands_for").required(true).args(["service_account", "client", "user_by"]))]
pub(super) struct Add {
    /// The issuer: the claim `iss`
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The issuer's public keys as a JWK set [default: found by OpenID Connect discovery]
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// The pattern of the claim `sub`; * stands for any run of characters
    #[arg(long, value_name = "PATTERN")]
    subject: String,
    /// What the claim `aud` may name besides this server; repeatable
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// What another claim must be; a name that begins with / is a JSON pointer; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, String)>,
    /// The service account that the assertions stand for
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// The client that the assertions stand for
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// The assertions are those of people's sign-ins (ID-JAG), named by an email that they say is verified; governed-email:
    /// that need not say so, since the issuer governs all addresses that it names
    #[arg(long, value_name = "BY", value_parser = ["email", "governed-email"])]
    user_by: Option<String>,
    /// A scope that their tokens may have; repeatable
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The API that their tokens are for, instead of this server's own
    #[arg(long, value_name = "URI")]
    resource: Option<ResourceUri>,
    /// How long their tokens live at most
    #[arg(long, value_name = "TIME", default_value = "15m")]
    lifetime: humantime::Duration,
    /// An assertion may come again while it lives, an hour at most
    #[arg(long)]
    reusable: bool,
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a claim is NAME=VALUE")?;
    if name.is_empty() { Err("a claim has a name".into()) } else { Ok((name.to_owned(), value.to_owned())) }
}

impl Trust {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let ui = context.ui;
        match self {
            Self::Add(add) => {
                let trust = authority.add_trust(add.policy()?).await?;
                match ui.is_json() {
                    true => ui.object(&as_json(&trust)),
                    false => ui.table(&[("trust", trust_name(&trust)), ("issuer", trust.issuer.clone())]),
                }
            }
            Self::List => list(ui, authority).await?,
            Self::Remove { id } => {
                authority.remove_trust(&id).await?;
                match ui.is_json() {
                    true => ui.object(&json!({ "id": id, "removed": true })),
                    false => ui.talk(&format!("The trust policy {id} is removed.")),
                }
            }
        }
        Ok(())
    }
}

impl Add {
    fn policy(self) -> Result<NewTrust, Error> {
        let scope: Scope = self.scope.join(" ").parse().map_err(|error| Error::new(Kind::Usage, error))?;
        Ok(NewTrust {
            issuer: self.issuer,
            jwks: self.jwks_file.map(read_jwks).transpose()?,
            subject: self.subject,
            audiences: self.audience,
            claims: self.claim.into_iter().collect(),
            stands_for: match (self.service_account, self.client) {
                (Some(name), _) => StandsFor::Service(name),
                (None, Some(id)) => StandsFor::Client(id),
                (None, None) => StandsFor::UserByEmail(match self.user_by.as_deref() {
                    Some("governed-email") => EmailProof::Governed,
                    _ => EmailProof::Claimed,
                }),
            },
            scope,
            resource: self.resource,
            lifetime: self.lifetime.into(),
            repeats: if self.reusable { Repeats::Taken } else { Repeats::Refused },
        })
    }
}

fn as_json(trust: &Stored) -> Value {
    let stands_for = match &trust.grants {
        TrustGrants::Service(id) => json!({ "service_account": id.to_string() }),
        TrustGrants::Client(id) => json!({ "client_id": id }),
        TrustGrants::UserByEmail(proof) => json!({ "user_by": proof.as_str() }),
    };
    json!({
        "id": trust_name(trust),
        "issuer": trust.issuer,
        "subject": trust.subject,
        "audiences": trust.audiences,
        "claims": trust.claims,
        "stands_for": stands_for,
        "scope": trust.scope,
        "resource": trust.resource,
        "lifetime_seconds": trust.lifetime.as_secs(),
        "reusable": trust.reusable_since.is_some(),
    })
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = authority.trusts(after, PAGE).await?;
        for trust in &page {
            if ui.is_json() {
                ui.object(&as_json(trust));
            } else {
                ui.data(&format!("{}  {}  {}", trust_name(trust), trust.issuer, trust.subject));
            }
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

impl From<TrustRefused> for Error {
    fn from(refused: TrustRefused) -> Self {
        match refused {
            TrustRefused::Failure(failure) => failure.into(),
            TrustRefused::NoService(_) | TrustRefused::NoClient(_) | TrustRefused::Unknown(_) => {
                Self::new(Kind::Refused, refused)
            }
            _ => Self::new(Kind::Usage, refused),
        }
    }
}
