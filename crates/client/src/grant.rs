//! What the next access token is fetched with.
//!
//! | kind | the request | when |
//! |---|---|---|
//! | [`Grant::RefreshToken`] | the refresh token (RFC 6749 §6) | a person signed in |
//! | [`Grant::ClientCredentials`] | the client's own proof (RFC 6749 §4.4) | a service is itself |
//! | [`Grant::Assertion`] | what its platform says of it, fetched anew each time (RFC 7523 §2.1) | a workload |
//!
//! The latter two have no refresh token and need none: the request of the sign-in is made again, for as long as the server
//! takes it.

use crate::{
    Failure, Transport,
    assertion::{AssertionSource, NoAssertion},
    token_endpoint::TokenEndpoint,
};
use gatepass_oauth::{Scope, Secret, TokenResponse};
use serde::{Deserialize, Serialize};

/// What the next access token is fetched with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "grant", rename_all = "snake_case")]
pub enum Grant {
    /// The refresh token.
    #[default]
    RefreshToken,
    /// The client's proof alone.
    ClientCredentials,
    /// An assertion.
    Assertion {
        /// Where it comes from.
        source: AssertionSource,
    },
}

/// Why a grant brought no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// The server.
    #[error(transparent)]
    Server(#[from] Failure),
    /// There was nothing to show.
    #[error(transparent)]
    NoAssertion(#[from] NoAssertion),
}

impl Grant {
    /// Whether it is a person's sign-in, which rests on a refresh token.
    #[must_use]
    pub fn is_of_a_person(&self) -> bool {
        matches!(self, Self::RefreshToken)
    }

    /// Asks for a token without a refresh token.
    ///
    /// # Errors
    /// [`NotGranted`].
    pub(crate) async fn ask(
        &self,
        transport: &Transport,
        endpoint: &TokenEndpoint<'_>,
        scope: &Scope,
    ) -> Result<(TokenResponse, Option<Secret>), NotGranted> {
        let (response, assertion) = match self {
            Self::Assertion { source } => {
                let assertion = source.fetch(transport).await?;
                (endpoint.assertion(&assertion, scope).await?, Some(assertion))
            }
            Self::ClientCredentials | Self::RefreshToken => (endpoint.client_credentials(scope).await?, None),
        };
        // A refresh token would only be one more thing to lose (RFC 6749 §4.4.3).
        Ok((TokenResponse { refresh_token: None, id_token: None, ..response }, assertion))
    }
}
