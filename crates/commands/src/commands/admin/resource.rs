//! `gatepass admin resource`.

use super::client::read_jwks;
use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::{Args, Subcommand};
use gatepass_keys::Algorithm;
use gatepass_oauth::{ResourceUri, TokenFormat};
use gatepass_server::authority::{
    Authority,
    add_client::Registered,
    add_resource::{NewResource, Offered, Resource as Stored, ResourceRefused},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Resource {
    Add(Box<Add>),
    /// List the registered resources
    List,
    /// Forget a resource; its tokens live to their end
    Remove {
        /// Its URI
        uri: ResourceUri,
    },
}

/// Register an API that tokens are for, with the credential that its server introspects with
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its URI: the audience of its tokens
    #[arg(long)]
    uri: ResourceUri,
    /// Its name for people
    #[arg(long, default_value = "")]
    name: String,
    /// What its access tokens look like: opaque or jwt
    #[arg(long, value_name = "FORMAT", default_value = "opaque")]
    token_format: TokenFormat,
    /// What its tokens, when they are JWTs, and signed answers to its server are signed with: ES256, EdDSA or RS256
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    signing_alg: Algorithm,
    /// A scope of it; repeatable [default: any]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Every client may have tokens for it, not only those that are registered for it
    #[arg(long)]
    open: bool,
    /// The public keys of its server as a JWK set, instead of a secret
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// Another resource for which its server may exchange the tokens that it is called with; repeatable
    #[arg(long, value_name = "URI")]
    downstream: Vec<ResourceUri>,
}

impl Resource {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let ui = context.ui;
        match self {
            Self::Add(add) => {
                let (resource, registered) = authority.add_resource(add.registration()?).await?;
                show(ui, &resource, &registered);
            }
            Self::List => list(ui, authority).await?,
            Self::Remove { uri } => {
                authority.remove_resource(&uri).await?;
                match ui.is_json() {
                    true => ui.object(&json!({ "resource": uri, "removed": true })),
                    false => ui.talk(&format!("The resource {uri} is forgotten.")),
                }
            }
        }
        Ok(())
    }
}

impl Add {
    fn registration(self) -> Result<NewResource, Error> {
        let scope = self.scope.join(" ");
        Ok(NewResource {
            uri: self.uri,
            name: self.name,
            token_format: self.token_format,
            signing_alg: self.signing_alg,
            scope: scope.parse().map_err(|error| Error::new(Kind::Usage, error))?,
            offered: if self.open { Offered::ToAll } else { Offered::ToNamed },
            jwks: self.jwks_file.map(read_jwks).transpose()?,
            downstream: self.downstream,
        })
    }
}

fn show(ui: &Ui, resource: &Stored, Registered { client, secret }: &Registered) {
    if ui.is_json() {
        let mut object = as_json(resource);
        if let (Some(secret), Some(members)) = (secret, object.as_object_mut()) {
            members.insert("client_secret".into(), json!(secret.expose()));
        }
        return ui.object(&object);
    }
    let mut rows = vec![("resource", resource.uri.to_string()), ("client_id", client.id.to_string())];
    if let Some(secret) = secret {
        rows.push(("client_secret", secret.expose().to_owned()));
        ui.talk("The resource server introspects with this credential. Keep the secret now: it is not shown again.");
    }
    ui.table(&rows);
}

fn as_json(resource: &Stored) -> Value {
    json!({
        "resource": resource.uri,
        "resource_name": resource.name,
        "token_format": resource.token_format,
        "signing_alg": resource.signing_alg.as_str(),
        "scope": resource.scope,
        "open": resource.open_since.is_some(),
        "client_id": resource.client_id,
    })
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = authority.resources(&after, PAGE).await?;
        for resource in &page {
            if ui.is_json() {
                ui.object(&as_json(resource));
            } else {
                ui.data(&format!("{}  {}  {}", resource.uri, resource.token_format, resource.name));
            }
        }
        match page.last() {
            Some(last) => after = last.uri.canonical(),
            None => return Ok(()),
        }
    }
}

impl From<ResourceRefused> for Error {
    fn from(refused: ResourceRefused) -> Self {
        match refused {
            ResourceRefused::Failure(failure) => failure.into(),
            ResourceRefused::Client(refused) => refused.into(),
            ResourceRefused::Taken(_) | ResourceRefused::Unknown(_) => Self::new(Kind::Refused, refused),
            ResourceRefused::Own(_) | ResourceRefused::Algorithm => Self::new(Kind::Usage, refused),
        }
    }
}
