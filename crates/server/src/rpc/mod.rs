//! The guarded API: JSON-RPC 2.0.

mod envelope;
pub(crate) mod user;
mod whoami;

use gatepass_authority::{Authority, Failure, LiveAccessToken};
use gatepass_oauth::{ResourceUri, Scope};
use gatepass_resource::{SignInFacts, TokenFacts, Unavailable, Verifier};
use std::sync::Arc;

/// Verifies access tokens in this very process.
#[derive(Clone)]
pub(crate) struct Tokens(pub(crate) Authority);

/// A verified token, as the guard hands it on.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) Arc<LiveAccessToken>);

impl TokenFacts for Token {
    fn audience(&self) -> &ResourceUri {
        &self.0.resource
    }

    fn scope(&self) -> &Scope {
        &self.0.scope
    }

    fn sign_in(&self) -> SignInFacts<'_> {
        let authentication = self.0.authentication;
        SignInFacts {
            auth_time: authentication.map(|authentication| authentication.at),
            acr: authentication.map(|authentication| authentication.method.acr()),
        }
    }
}

impl Verifier for Tokens {
    type Token = Token;

    async fn verify(&self, token: &str) -> Result<Option<Token>, Unavailable> {
        self.0.verify_access_token(token).await.map(|found| found.map(Token)).map_err(|failure: Failure| {
            crate::web::failure::note(&failure);
            Unavailable
        })
    }
}
