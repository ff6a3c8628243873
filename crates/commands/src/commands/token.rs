//! `gatepass token`: an access token on stdout, for scripts.
//!
//! With a fresh token this reads one file and prints one line: no network, no runtime, no TLS. A token that may do less is
//! asked of the server each time; an agent keeps those for their life.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::Args;
use gatepass_client::{
    Bearer, Clock, Entropy, Narrowing, Secret, WebUrl,
    calendar::rfc3339,
    oauth::{ResourceUri, Scope},
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
    /// Print all headers for one request, with a proof for it if the token is bound to a key (RFC 9449)
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    dpop_proof: Option<Vec<String>>,
    /// The nonce that the URL's server asked for in the header DPoP-Nonce
    #[arg(long, value_name = "NONCE", requires = "dpop_proof", allow_hyphen_values = true)]
    dpop_nonce: Option<String>,
}

/// A life that a token can have.
pub(super) fn life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if life < Duration::from_secs(1) { Err("a token lives at least a second".into()) } else { Ok(life) }
}

impl Token {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let wanted = self.dpop_proof.as_deref().map(wanted).transpose()?;
        let narrowing =
            Narrowing { scope: self.scope.clone(), resource: self.resource.clone(), audience: None, ttl: self.ttl };
        let bearer = context.narrowed_bearer(self.min_ttl, &narrowing)?;
        if let Some((method, url)) = wanted {
            return self.print_headers(context.ui, &bearer, &method, &url);
        }
        self.print(context.ui, &bearer);
        if bearer.key().is_some() {
            context.ui.talk("This token is bound to a key, and works only with proofs of it. For one request, run");
            context.ui.talk_strong("  gatepass token --dpop-proof METHOD URL");
        }
        Ok(())
    }

    fn print(&self, ui: &Ui, bearer: &Bearer) {
        let (token, scheme) = (bearer.token().expose(), bearer.scheme());
        if ui.is_json() {
            ui.object(&json!({
                "access_token": token,
                "token_type": scheme,
                "expires_at": bearer.expires_at().map(rfc3339),
            }));
        } else if self.header {
            ui.data(&format!("Authorization: {scheme} {token}"));
        } else {
            ui.data(token);
        }
    }

    fn print_headers(&self, ui: &Ui, bearer: &Bearer, method: &str, url: &WebUrl) -> Result<(), Error> {
        let nonce = self.dpop_nonce.as_deref();
        let headers = bearer.headers(method, url.url(), nonce, &Clock::System, &Entropy::system())?;
        if ui.is_json() {
            let shown = |(name, value): &(&str, Secret)| (shown(name).to_owned(), json!(value.expose()));
            ui.object(&headers.iter().map(shown).collect::<serde_json::Map<_, _>>().into());
        } else {
            for (name, value) in &headers {
                ui.data(&format!("{}: {}", shown(name), value.expose()));
            }
        }
        Ok(())
    }
}

/// The name as it is written.
fn shown(name: &str) -> &str {
    if name == "dpop" { "DPoP" } else { "Authorization" }
}

/// The request that a proof is for.
fn wanted(typed: &[String]) -> Result<(String, WebUrl), Error> {
    let usage = |why: &str| Error::new(Kind::Usage, format!("--dpop-proof: {why}"));
    let [method, url] = typed else { return Err(usage("it takes a method and a URL")) };
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Err(usage("a method is a word such as GET or POST"));
    }
    let url = url.parse().map_err(|error| usage(&format!("{error}")))?;
    Ok((method.clone(), url))
}
