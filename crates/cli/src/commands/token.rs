//! `gatepass token`: an access token on stdout, for scripts.
//!
//! With a fresh token this reads one file and prints one line: no network, no runtime, no TLS. A token that may do less is
//! asked of the server each time; an agent keeps those for their life.

use crate::{context::Context, error::Error, ui::Ui};
use clap::Args;
use gatepass_client::{
    Narrowing, Secret,
    calendar::rfc3339,
    oauth::{ResourceUri, Scope, UtcMillis},
};
use serde_json::json;
use std::time::Duration;

/// Print an access token, refreshed if need be
///
/// Nothing else is printed on stdout. Use it as in: curl -H @<(gatepass token --header) URL
///
/// This way of bash and zsh keeps the token out of the list of processes, which everybody can read.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Fetch a new token if less than this is left, as in 60s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    min_ttl: Option<Duration>,
    /// Ask for a token with these scopes only, of those that the sign-in has
    #[arg(long, value_name = "SCOPES")]
    scope: Option<Scope>,
    /// Ask for a token for this API
    #[arg(long, value_name = "URI")]
    resource: Option<ResourceUri>,
    /// Ask for a token that lives this long at most, as in 60s or 5m
    #[arg(long, value_name = "TIME", value_parser = life)]
    ttl: Option<Duration>,
    /// Print the whole header: Authorization: Bearer …
    #[arg(long)]
    header: bool,
}

/// A life that a token can have.
pub(super) fn life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if life < Duration::from_secs(1) { Err("a token lives at least a second".into()) } else { Ok(life) }
}

impl Token {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let narrowing =
            Narrowing { scope: self.scope.clone(), resource: self.resource.clone(), audience: None, ttl: self.ttl };
        let (token, expires_at) = context.narrowed_token(self.min_ttl, &narrowing)?;
        self.print(context.ui, &token, expires_at);
        Ok(())
    }

    fn print(&self, ui: &Ui, token: &Secret, expires_at: Option<UtcMillis>) {
        if ui.is_json() {
            ui.object(&json!({
                "access_token": token.expose(),
                "token_type": "Bearer",
                "expires_at": expires_at.map(rfc3339),
            }));
        } else if self.header {
            ui.data(&format!("Authorization: Bearer {}", token.expose()));
        } else {
            ui.data(token.expose());
        }
    }
}
