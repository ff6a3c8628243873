//! `gatepass admin`: administration of a server's database, also while the server runs.

mod audit;
mod client;
mod keys;
mod resource;
mod revoke;
mod service;
mod trust;
mod user;

use super::serve::{Storage, runtime, world};
use crate::{context::Context, error::Error};
use clap::{Args, Subcommand};
use gatepass_server::{Config, authority::Authority, config::DEFAULT_LISTEN, open_authority};

/// Administer a server's database, also while it runs
#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    storage: Storage,
    #[command(subcommand)]
    object: Object,
}

#[derive(Debug, Subcommand)]
enum Object {
    /// People with a local account
    User {
        #[command(subcommand)]
        verb: user::User,
    },
    Audit(audit::Audit),
    /// Programs that ask for tokens
    Client {
        #[command(subcommand)]
        verb: client::Client,
    },
    /// Keys that sign ID tokens
    Keys {
        #[command(subcommand)]
        verb: keys::Keys,
    },
    Revoke(revoke::Revoke),
    /// APIs that tokens are for
    Resource {
        #[command(subcommand)]
        verb: resource::Resource,
    },
    /// Service accounts: identities for programs
    Service {
        #[command(subcommand)]
        verb: service::Service,
    },
    /// Issuers whose assertions are taken
    Trust {
        #[command(subcommand)]
        verb: trust::Trust,
    },
}

impl Admin {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let config = Config::resolve(self.storage.overrides())?;
        runtime()?.block_on(async {
            let authority = open(&config).await?;
            let outcome = match self.object {
                Object::User { verb } => verb.run(context, &authority).await,
                Object::Audit(audit) => audit.run(context, &authority).await,
                Object::Client { verb } => verb.run(context, &authority).await,
                Object::Keys { verb } => verb.run(context, &authority).await,
                Object::Revoke(revoke) => revoke.run(context, &authority).await,
                Object::Resource { verb } => verb.run(context, &authority).await,
                Object::Service { verb } => verb.run(context, &authority).await,
                Object::Trust { verb } => verb.run(context, &authority).await,
            };
            authority.close().await;
            outcome
        })
    }
}

/// Administration issues no token, so any name will do where the server's own is not known here.
async fn open(config: &Config) -> Result<Authority, Error> {
    let nameless = || format!("http://{DEFAULT_LISTEN}").parse().ok();
    let issuer = config
        .public_url
        .clone()
        .or_else(nameless)
        .ok_or_else(|| Error::new(crate::error::Kind::Failed, "the server has no name"))?;
    Ok(open_authority(config, issuer, &world()).await?)
}
