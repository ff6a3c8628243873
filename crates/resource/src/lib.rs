//! A guard for APIs and MCP servers: only requests with a good access token come in.
//!
//! ```
//! use gatepass_resource::{Guard, LocalProofs, Settings, TokenFacts, Unavailable, Verifier};
//! use gatepass_keys::Clock;
//! use gatepass_oauth::{Confirmation, ResourceUri, Scope};
//!
//! /// What this API keeps of a verified token.
//! #[derive(Clone)]
//! struct Token { audience: ResourceUri, scope: Scope, confirmation: Option<Confirmation> }
//!
//! impl TokenFacts for Token {
//!     fn audience(&self) -> &ResourceUri { &self.audience }
//!     fn scope(&self) -> &Scope { &self.scope }
//!     fn confirmation(&self) -> Option<&Confirmation> { self.confirmation.as_ref() }
//! }
//!
//! #[derive(Clone)]
//! struct MyVerifier;
//!
//! impl Verifier for MyVerifier {
//!     type Token = Token;
//!     async fn verify(&self, token: &str) -> Result<Option<Token>, Unavailable> {
//!         # let _ = token;
//!         Ok(None) // look the token up here; `None` is "not a live token"
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new("https://api.example.com".parse()?).with_scope("read".parse()?);
//! let app: axum::Router = axum::Router::new()
//!     .route("/", axum::routing::get(|| async { "hello" }))
//!     .layer(Guard::new(MyVerifier, settings).with_proofs(LocalProofs::new(Clock::System)));
//! # Ok(())
//! # }
//! ```
//!
//! Two verifiers come with it, for APIs that stand elsewhere than the authorization server: [`JwtVerifier`] checks
//! signatures with its published keys, [`IntrospectionVerifier`] asks it.
//!
//! The rules of RFC 6750, RFC 8705, RFC 8707, RFC 9449 and RFC 9728, in the order in which they are applied:
//!
//! 1. No credential: `401` with a challenge that names no error, only where to look ([`bearer`]).
//! 2. Not a bearer token: `401`; a malformed one: `400 invalid_request`. The token is taken from the
//!    `Authorization` header only, never from the query or a cookie.
//! 3. Not live, or for another audience: `401 invalid_token`.
//! 4. Bound to a key whose holder did not send it: `401 invalid_token`; bound to a DPoP key and without one good
//!    proof: `401 invalid_dpop_proof` or `use_dpop_nonce` ([`proof`]). A token that is not bound is no `DPoP` token.
//! 5. Live, but without the scope: `403 insufficient_scope`, naming the scope.
//! 6. Live, but the person's sign-in is too old or too weak: `401 insufficient_user_authentication`, naming what would do
//!    (RFC 9470).
//! 7. The verifier cannot answer: `503`. Nobody comes in by accident.
//!
//! A verifier that has [`Verifier::refused`] hears of every refusal.

pub mod bearer;
mod guard;
mod introspection;
mod jwt;
mod metadata;
pub mod proof;
mod refusal;
mod step_up;
mod verified;

pub use gatepass_keys::ClientCertificate;
pub use guard::{Guard, GuardService, Missing, RefusedRequest, Settings, TokenFacts, Unavailable, Verifier};
pub use introspection::{Introspection, IntrospectionVerifier};
pub use jwt::JwtVerifier;
pub use metadata::ResourceMetadata;
pub use proof::{LocalProofs, NoProofs, ProofRefused, Proofs, ProvenRequest};
pub use refusal::Refusal;
pub use step_up::{SignInFacts, StepUp};
pub use verified::VerifiedToken;
