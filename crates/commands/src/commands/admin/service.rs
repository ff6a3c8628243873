//! `gatepass admin service`.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::Subcommand;
use gatepass_server::authority::{
    Authority,
    service_accounts::{ServiceAccount, ServiceRefused},
};
use serde_json::{Value, json};

/// How many are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Service {
    /// Add a service account: an identity for programs
    Add {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the service accounts
    List,
    /// Disable a service account: all its tokens end
    Disable {
        /// Its name
        name: String,
    },
}

impl Service {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let ui = context.ui;
        match self {
            Self::Add { name, description } => {
                let account = authority.add_service(&name, &description).await?;
                match ui.is_json() {
                    true => ui.object(&as_json(&account)),
                    false => ui.talk(&format!("The service account {} was added.", account.name)),
                }
            }
            Self::List => list(ui, authority).await?,
            Self::Disable { name } => {
                authority.disable_service(&name).await?;
                match ui.is_json() {
                    true => ui.object(&json!({ "name": name, "disabled": true })),
                    false => ui.talk(&format!("The service account {name} is disabled.")),
                }
            }
        }
        Ok(())
    }
}

fn as_json(account: &ServiceAccount) -> Value {
    json!({
        "id": account.id.to_string(),
        "name": account.name,
        "description": account.description,
        "disabled": account.disabled_at.is_some(),
    })
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = authority.services(&after, PAGE).await?;
        for account in &page {
            if ui.is_json() {
                ui.object(&as_json(account));
            } else {
                let state = if account.disabled_at.is_some() { "disabled" } else { "enabled" };
                ui.data(&format!("{}  {}  {state}  {}", account.id, account.name, account.description));
            }
        }
        match page.last() {
            Some(last) => after.clone_from(&last.name),
            None => return Ok(()),
        }
    }
}

impl From<ServiceRefused> for Error {
    fn from(refused: ServiceRefused) -> Self {
        match refused {
            ServiceRefused::Failure(failure) => failure.into(),
            ServiceRefused::Taken(_) | ServiceRefused::Unknown(_) => Self::new(Kind::Refused, refused),
            _ => Self::new(Kind::Usage, refused),
        }
    }
}
