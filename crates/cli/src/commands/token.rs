//! `gatepass token`: an access token on stdout, for scripts.
//!
//! With a fresh token this reads one file and prints one line: no network, no runtime, no TLS.

use crate::{
    context::{Context, run_async},
    error::{Error, Kind},
    ui::Ui,
};
use clap::Args;
use gatepass_client::{Bearer, BearerError, Secret, calendar::rfc3339, oauth::UtcMillis};
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
        if let Some(token) = context.raw_token() {
            return self.print(context.ui, &token, None);
        }
        let sign_ins = context.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        let sign_in = context.sign_in(&contents)?;
        if sign_ins.is_fresh(sign_in, self.min_ttl)
            && let Some(tokens) = &sign_in.tokens
        {
            return self.print(context.ui, &tokens.access_token, tokens.expires_at);
        }
        let (id, server) = (sign_in.account.id(), sign_in.account.issuer.as_str());
        let bearer: Bearer = run_async(async {
            sign_ins.bearer(&id, self.min_ttl).await.map_err(|error| match error {
                BearerError::SignedOut | BearerError::Rejected(_) => Error::sign_in_needed(error, Some(server)),
                other => other.into(),
            })
        })?;
        self.print(context.ui, bearer.token(), bearer.expires_at())
    }

    fn print(&self, ui: &Ui, token: &Secret, expires_at: Option<UtcMillis>) -> Result<(), Error> {
        // A line end in a token of the environment would add a header to somebody's request.
        if !token.expose().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(Kind::Usage, "the token holds characters that no token has"));
        }
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
        Ok(())
    }
}
