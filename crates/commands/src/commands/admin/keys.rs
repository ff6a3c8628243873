//! `gatepass admin keys`.

use crate::{context::Context, error::Error, ui::Ui};
use clap::Subcommand;
use gatepass_client::calendar::rfc3339;
use gatepass_keys::{Algorithm, SigningKey};
use gatepass_server::authority::{
    Authority,
    key_ring::{KeyInfo, TakeOver},
};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the keys that sign, that will, and that did
    List,
    /// Make the next key; it takes over once every verifier has had time to fetch it
    Rotate {
        /// Only for this algorithm [default: every one that has a key]
        #[arg(long, value_name = "ALG", value_parser = signing_algorithm)]
        alg: Option<Algorithm>,
        /// Let it take over at once, and take the old key away: it may have been seen, and what it signed fails from now on
        #[arg(long)]
        now: bool,
    },
}

fn signing_algorithm(text: &str) -> Result<Algorithm, String> {
    let known = SigningKey::ALGORITHMS.iter().copied().find(|algorithm| algorithm.as_str() == text);
    known.ok_or_else(|| "keys are for ES256, EdDSA or RS256".to_owned())
}

impl Keys {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        match self {
            Self::List => {}
            Self::Rotate { alg, now } => {
                let take_over = if now { TakeOver::Now } else { TakeOver::Ahead };
                let algorithms = match alg {
                    Some(alg) => vec![alg],
                    None => authority.key_algorithms().await?,
                };
                for algorithm in algorithms {
                    authority.rotate_keys(algorithm, take_over).await?;
                }
            }
        }
        list(context.ui, authority).await
    }
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    for key in &authority.keys().await? {
        if ui.is_json() {
            ui.object(&as_json(key));
        } else {
            let until = key.signs_until.map(|until| format!(" until {}", rfc3339(until))).unwrap_or_default();
            ui.data(&format!("{}  {}  {}  from {}{until}", key.kid, key.algorithm, key.state, rfc3339(key.signs_from)));
        }
    }
    Ok(())
}

fn as_json(key: &KeyInfo) -> serde_json::Value {
    json!({
        "kid": key.kid,
        "alg": key.algorithm.as_str(),
        "state": key.state.to_string(),
        "created_at": rfc3339(key.created_at),
        "signs_from": rfc3339(key.signs_from),
        "signs_until": key.signs_until.map(rfc3339),
    })
}
