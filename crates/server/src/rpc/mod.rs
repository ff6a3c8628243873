//! The guarded API: JSON-RPC 2.0.

mod envelope;
pub(crate) mod user;
mod whoami;

use crate::web::caller;
use gatepass_authority::{Authority, Failure, LiveAccessToken, dpop};
use gatepass_keys::Algorithm;
use gatepass_oauth::{Confirmation, ErrorCode, ResourceUri, Scope};
use gatepass_resource::{
    ProofRefused, Proofs, ProvenRequest, Refusal, RefusedRequest, SignInFacts, TokenFacts, Unavailable, Verifier,
};
use ipnet::IpNet;
use std::sync::Arc;

/// Verifies access tokens in this very process.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) authority: Authority,
    pub(crate) trusted_proxies: Arc<[IpNet]>,
}

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

    fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_ref()
    }

    fn sign_in(&self) -> SignInFacts<'_> {
        let authentication = self.0.authentication;
        SignInFacts {
            auth_time: authentication.map(|authentication| authentication.at),
            acr: authentication.map(|authentication| authentication.method.acr()),
        }
    }
}

/// Proofs are remembered in the store, so that each passes once, whatever node it comes to.
impl Proofs for Tokens {
    fn algorithms(&self) -> &'static [Algorithm] {
        Algorithm::ALL
    }

    async fn check(&self, request: ProvenRequest<'_>) -> Result<Confirmation, ProofRefused> {
        let ProvenRequest { proof, method, url, access_token, headers, extensions } = request;
        let caller = caller::read(headers, extensions, &self.trusted_proxies);
        let access_token = Some(access_token);
        let request = dpop::ProvenRequest { proof, method, url, access_token, client: None, caller: &caller };
        self.authority.check_proof(request).await.map_err(|failure| match failure {
            Failure::Protocol(error) if error.code == ErrorCode::UseDpopNonce => {
                ProofRefused::UseNonce(self.authority.dpop_nonce())
            }
            Failure::Protocol(_) => ProofRefused::Invalid,
            other => {
                crate::web::failure::note(&other);
                ProofRefused::Unavailable
            }
        })
    }
}

impl Verifier for Tokens {
    type Token = Token;

    async fn verify(&self, token: &str) -> Result<Option<Token>, Unavailable> {
        self.authority.verify_access_token(token).await.map(|found| found.map(Token)).map_err(|failure: Failure| {
            crate::web::failure::note(&failure);
            Unavailable
        })
    }

    async fn refused(&self, request: RefusedRequest<'_, Token>) {
        let Some(code) = denial(&request) else { return };
        let caller = caller::read(request.headers, request.extensions, &self.trusted_proxies);
        let noted = self.authority.note_refused_token(code, request.token.map(|Token(token)| &**token), &caller);
        // On the heap, so that the requests that are let in do not carry room for it.
        Box::pin(noted).await;
    }
}

/// The error of a refusal that denies something: who comes without a token, or without a nonce that he was not given yet,
/// is only told what to bring. A proof that will not do is told of where it is looked at; none, or several, are not looked
/// at.
fn denial(request: &RefusedRequest<'_, Token>) -> Option<ErrorCode> {
    let mut proofs = request.headers.get_all(gatepass_oauth::dpop::HEADER).iter();
    let is_one = proofs.next().is_some_and(|proof| proof.to_str().is_ok()) && proofs.next().is_none();
    match request.refusal {
        Refusal::Missing | Refusal::UseNonce(_) | Refusal::Unavailable => None,
        Refusal::InvalidProof if is_one => None,
        refused => refused.code(),
    }
}
