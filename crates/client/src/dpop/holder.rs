//! Who holds the key that a token is bound to: the vault here, or an agent elsewhere, which makes proofs and keeps the key.

use super::DpopKey;
use crate::agent::{AgentError, Caller, Request};
use gatepass_keys::{Clock, Entropy, dpop::Wanted, jws::SigningKeyError};
use gatepass_oauth::Secret;
use tokio::task::spawn_blocking;

/// Who holds a key.
#[derive(Clone, Debug)]
pub enum KeyHolder {
    /// The vault, from which it was taken.
    Vault(DpopKey),
    /// The agent that handed out the token; it makes proofs for that token only.
    Agent(Caller),
}

/// The same, at work.
#[derive(Clone, Copy, Debug)]
pub enum Hand<'a> {
    /// The key itself.
    Key(&'a DpopKey),
    /// The agent.
    Agent(&'a Caller),
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// The key is damaged, or there is no randomness.
    #[error("the key of this sign-in makes no proof: {0}")]
    Key(#[from] SigningKeyError),
    /// The agent makes none.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl KeyHolder {
    /// What makes its proofs.
    #[must_use]
    pub fn hand(&self) -> Hand<'_> {
        match self {
            Self::Vault(key) => Hand::Key(key),
            Self::Agent(caller) => Hand::Agent(caller),
        }
    }
}

impl Hand<'_> {
    /// Makes a proof for one request (RFC 9449 §4.2); waits for an agent without holding up anybody else. An agent makes
    /// it by what it knows of the time.
    ///
    /// # Errors
    /// [`NoProof`].
    pub async fn prove(self, wanted: &Wanted<'_>, clock: &Clock, entropy: &Entropy) -> Result<Secret, NoProof> {
        let Self::Agent(caller) = self else { return self.prove_now(wanted, clock, entropy) };
        let (asks, request) = (caller.clone(), Request::proof(wanted));
        let made = spawn_blocking(move || asks.proof(request)).await;
        Ok(made.unwrap_or_else(|_| Err(AgentError::Silent(caller.address().clone())))?)
    }

    /// The same for whoever may wait.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn prove_now(self, wanted: &Wanted<'_>, clock: &Clock, entropy: &Entropy) -> Result<Secret, NoProof> {
        match self {
            Self::Key(key) => Ok(key.prove(wanted, clock, entropy)?),
            Self::Agent(caller) => Ok(caller.proof(Request::proof(wanted))?),
        }
    }
}
