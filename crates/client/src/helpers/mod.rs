//! Tokens for other tools, over those tools' own helper protocols.
//!
//! The danger is audience confusion: a tool asks in the name of whatever address it was told to talk to, and that address
//! may be a stranger's. So there is one rule above all: **a token goes to a place that its owner has named, and to no
//! other**. The names are kept in `helpers.toml` of the home ([`installed`]), or stand in the tool's own configuration
//! beside the command (kubectl, aws).
//!
//! | idea | where |
//! |---|---|
//! | a place that a token may go to, exactly | [`site`] |
//! | what was named, for which tool and account | [`installed`] |
//! | git: `gitcredentials(7)`, `git-credential(1)` | [`git`] |
//! | docker: `docker-credential-helpers` | [`docker`] |
//! | kubectl: `ExecCredential` | [`exec_credential`] |
//! | aws: `credential_process`, and STS before it | [`aws`], [`sts`] |
//! | a token that a tool's server refused, fetched anew | [`refused`] |
//! | changing a tool's own files and nothing else in them | [`edit`], [`json_members`], [`ini`] |

pub mod aws;
pub mod docker;
pub mod edit;
pub mod exec_credential;
pub mod git;
pub mod ini;
pub mod installed;
pub mod json_members;
pub mod refused;
pub mod site;
pub mod sts;

pub use aws::AwsCredentials;
pub use installed::Installed;
pub use site::Site;

use gatepass_oauth::{Secret, UtcMillis};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// The most that a tool may say on stdin, in bytes.
pub const MAX_INPUT: u64 = 64 * 1024;

/// What the vault keeps for tools, beside the sign-ins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Tokens that a tool's server refused, until they are replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<refused::Refused>,
    /// Credentials of AWS roles, until they end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aws: Vec<AwsCredentials>,
}

impl Kept {
    /// Forgets all that came of an account.
    pub fn forget(&mut self, account: &crate::AccountId) {
        self.refused.retain(|known| known.account != *account);
        self.aws.retain(|known| known.account != *account);
    }
}

/// Why what a tool said is not read.
#[derive(Debug, thiserror::Error)]
pub enum BadInput {
    /// It is longer than [`MAX_INPUT`].
    #[error("the input is longer than 64 KiB")]
    TooLong,
    /// It is not what the protocol says.
    #[error("the input is not what the protocol of {0} says")]
    Malformed(&'static str),
    /// It cannot be read.
    #[error("the input cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// All of a tool's input; it may hold a password.
pub(crate) fn bounded(input: impl Read, protocol: &'static str) -> Result<Secret, BadInput> {
    let mut text = String::new();
    match input.take(MAX_INPUT + 1).read_to_string(&mut text) {
        Ok(length) if u64::try_from(length).is_ok_and(|length| length > MAX_INPUT) => Err(BadInput::TooLong),
        Ok(_) => Ok(Secret::new(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(BadInput::Malformed(protocol)),
        Err(error) => Err(error.into()),
    }
}

/// A token as a helper hands it out.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The token.
    pub token: &'a Secret,
    /// When it ends.
    pub expires_at: Option<UtcMillis>,
}
