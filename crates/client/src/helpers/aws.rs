//! `credential_process` of aws: credentials of a role as a JSON document, `Version` 1.
//!
//! aws runs the command at each of its own commands, so the credentials are kept in the vault until a quarter of an hour
//! before their end; the SDKs ask for new ones by then.

use super::sts::Role;
use crate::{AccountId, SignIns, calendar::rfc3339, vault::VaultError};
use gatepass_oauth::{Secret, UtcMillis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long before their end credentials are replaced; half of their life, if that is less.
const MARGIN: Duration = Duration::from_secs(15 * 60);
/// How many the vault keeps; the oldest goes first.
const MOST: usize = 64;

/// Credentials of a role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AwsCredentials {
    /// Whose token they came of.
    pub account: AccountId,
    /// What was asked for.
    pub role: Role,
    /// The name of the key; no secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// What makes it a session's.
    pub session_token: Secret,
    /// When they end.
    pub expires_at: UtcMillis,
}

impl AwsCredentials {
    /// The document that aws reads.
    #[must_use]
    pub fn document(&self) -> Secret {
        let document = serde_json::json!({
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key.expose(),
            "SessionToken": self.session_token.expose(),
            "Expiration": rfc3339(self.expires_at),
        });
        Secret::new(document.to_string())
    }

    fn is_fresh(&self, now: UtcMillis) -> bool {
        let margin = MARGIN.min(Duration::from_secs(self.role.duration / 2));
        now < self.expires_at && now.until(self.expires_at) > margin
    }
}

impl SignIns {
    /// The kept credentials of a role, if they last and the sign-in that they came of does too. No network.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn aws_credentials(&self, account: &AccountId, role: &Role) -> Result<Option<AwsCredentials>, VaultError> {
        let (contents, now) = (self.vault().read()?, self.clock().now());
        let signed_in = contents.get(account).is_some_and(|sign_in| sign_in.tokens.is_some());
        let mut kept = contents.helpers.aws.into_iter();
        Ok(kept.find(|known| signed_in && known.account == *account && known.role == *role && known.is_fresh(now)))
    }

    /// Keeps credentials in place of older ones of the same role.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn keep_aws_credentials(&self, new: AwsCredentials) -> Result<(), VaultError> {
        let now = self.clock().now();
        self.vault().update(|contents| {
            let kept = &mut contents.helpers.aws;
            kept.retain(|known| now < known.expires_at && (known.account != new.account || known.role != new.role));
            let over = (kept.len() + 1).saturating_sub(MOST);
            kept.drain(..over);
            kept.push(new);
        })
    }
}
