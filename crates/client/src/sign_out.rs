//! Signing out: the server first (RFC 7009), then here.
//!
//! A token that is only forgotten here goes on working for whoever has a copy of it. So a server that
//! cannot be told keeps the sign-in in the vault, to be revoked later; [`SignIns::forget`] is for those
//! who will not wait.

use crate::{
    AccountId, Failure, Refusal, SignIns, Unreachable, Vault,
    token_endpoint::revoke,
    vault::{VaultError, contents::SignIn},
};
use gatepass_oauth::Secret;
use std::time::Duration;

/// How long somebody who has just signed in waits for the end of the older sign-in.
const REPLACED_WAIT: Duration = Duration::from_secs(5);

/// How a sign-in was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedOut {
    /// The server revoked the tokens.
    Revoked,
    /// There was nothing to revoke: the sign-in had ended before.
    Already,
    /// The server offers no revocation: the tokens live on until they expire.
    NotOffered,
    /// The server refused to revoke.
    Refused(Refusal),
}

/// Why a sign-in was not ended. It is kept.
#[derive(Debug, thiserror::Error)]
pub enum SignOutError {
    /// The server was not told.
    #[error("the server could not be told: {0}")]
    NotTold(#[from] Failure),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl SignIns {
    /// Signs an account out: tells the server (RFC 7009), then forgets.
    ///
    /// # Errors
    /// [`SignOutError`]; then the sign-in is kept, so that it can be revoked later.
    pub async fn sign_out(&self, account: &AccountId) -> Result<SignedOut, SignOutError> {
        let _lock = self.settle(account).await?;
        let id = account.clone();
        let stored = self.with_vault(move |vault| Ok(vault.read()?.get(&id).cloned())).await?;
        let Some(stored) = stored else { return Ok(SignedOut::Already) };
        let outcome = match (&stored.tokens, &stored.revocation_endpoint) {
            (None, _) => SignedOut::Already,
            (_, None) => SignedOut::NotOffered,
            (Some(tokens), Some(endpoint)) => {
                let token = match &tokens.refresh_token {
                    Some(token) => ("refresh_token", token),
                    None => ("access_token", &tokens.access_token),
                };
                match revoke(stored.asker(self), endpoint, token).await {
                    Ok(()) => SignedOut::Revoked,
                    Err(Failure::Refused(refusal)) => SignedOut::Refused(refusal),
                    Err(failure) => return Err(failure.into()),
                }
            }
        };
        // A sign-in that came meanwhile is another one.
        let id = account.clone();
        let ended = stored.generation;
        let forget = move |vault: &Vault| {
            vault.update(|contents| {
                if contents.get(&id).is_some_and(|sign_in| sign_in.generation == ended) {
                    contents.remove(&id);
                }
            })
        };
        self.with_vault(forget).await?;
        Ok(outcome)
    }

    /// Revokes the refresh token of a sign-in that another one replaced in the vault: nobody has it any
    /// more, so nobody could do it later. A server may give the same token again; then it is left alone.
    ///
    /// Only for a server that says that its grants are separate. RFC 7009 §2.1 lets a revocation end all that rests on "the
    /// same authorization grant", and what that is, servers decide: at some (Google, Keycloak with offline sessions,
    /// Auth0 as a setting) it is all that a person ever allowed the client, the sign-in of a second ago among it. An old
    /// refresh token that lives on unused, and that nobody has, is the smaller harm. It cannot be done before the new
    /// sign-in either: only its tokens say whose it is.
    pub(crate) async fn revoke_replaced(&self, replaced: &SignIn, kept: &SignIn) -> Result<(), Failure> {
        let (Some(old), Some(endpoint)) = (refresh_token(replaced), &replaced.revocation_endpoint) else {
            return Ok(());
        };
        if refresh_token(kept).is_some_and(|new| new.expose() == old.expose()) {
            return Ok(());
        }
        let told = revoke(replaced.asker(self), endpoint, ("refresh_token", old));
        tokio::time::timeout(REPLACED_WAIT, told)
            .await
            .unwrap_or_else(|_| Err(Failure::Unreachable { host: endpoint.host(), why: Unreachable::Timeout }))
    }

    /// Forgets an account without telling the server.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn forget(&self, account: &AccountId) -> Result<(), VaultError> {
        let id = account.clone();
        self.with_vault(move |vault| vault.update(|contents| contents.remove(&id))).await
    }
}

fn refresh_token(sign_in: &SignIn) -> Option<&Secret> {
    sign_in.tokens.as_ref()?.refresh_token.as_ref()
}
