//! The options that name a server's endpoints, for one that publishes no metadata, and its vendor.

use crate::error::{Error, Kind};
use clap::Args;
use gatepass_client::{
    WebUrl,
    providers::{self, Provider},
    sign_in::wish::Endpoints,
};

/// What the server does not say of itself.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A server without metadata, or on a domain of its own")]
pub(crate) struct ServerOptions {
    /// Whose notes count, as in docs/providers.md; without it those of the vendor whose issuer it is
    #[arg(long, value_name = "VENDOR", value_parser = vendor)]
    provider: Option<&'static Provider>,
    /// Where people are asked
    #[arg(long, value_name = "URL")]
    authorization_endpoint: Option<String>,
    /// Where tokens are fetched; with it no metadata is asked for
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<String>,
    /// Where device codes are fetched
    #[arg(long, value_name = "URL")]
    device_authorization_endpoint: Option<String>,
    /// Where tokens are revoked
    #[arg(long, value_name = "URL")]
    revocation_endpoint: Option<String>,
    /// Where it is told whose token it is
    #[arg(long, value_name = "URL")]
    userinfo_endpoint: Option<String>,
}

fn vendor(text: &str) -> Result<&'static Provider, String> {
    providers::named(text).ok_or_else(|| {
        let known: Vec<&str> = providers::all().iter().map(|provider| provider.id.as_str()).collect();
        format!("the vendors are {}", known.join(", "))
    })
}

impl ServerOptions {
    /// The vendor that was named.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        self.provider
    }

    /// The endpoints that were named.
    pub(crate) fn endpoints(&self) -> Result<Endpoints, Error> {
        let read = |option: &str, text: &Option<String>| -> Result<Option<WebUrl>, Error> {
            let parsed = text.as_ref().map(|text| text.parse::<WebUrl>()).transpose();
            parsed.map_err(|error| Error::new(Kind::Usage, format!("{option}: {error}")))
        };
        Ok(Endpoints {
            authorization: read("--authorization-endpoint", &self.authorization_endpoint)?,
            token: read("--token-endpoint", &self.token_endpoint)?,
            device_authorization: read("--device-authorization-endpoint", &self.device_authorization_endpoint)?,
            revocation: read("--revocation-endpoint", &self.revocation_endpoint)?,
            userinfo: read("--userinfo-endpoint", &self.userinfo_endpoint)?,
        })
    }
}
