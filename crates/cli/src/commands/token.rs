//! `gatepass token`: an access token on stdout, for scripts.
//!
//! With a fresh token this reads one file and prints one line: no network, no runtime, no TLS.

use crate::{context::Context, error::Error, ui::Ui};
use clap::Args;
use gatepass_client::{Secret, calendar::rfc3339, oauth::UtcMillis};
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
    /// Print the whole header: Authorization: Bearer …
    #[arg(long)]
    header: bool,
}

impl Token {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let (token, expires_at) = context.access_token(self.min_ttl)?;
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
