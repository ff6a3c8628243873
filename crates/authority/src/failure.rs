//! Why a use case did not come to its end.

use crate::TooMany;
use gatepass_keys::{entropy::NoEntropy, jws::SigningKeyError, seal::SealError};
use gatepass_oauth::{Error, ErrorCode};

/// What a use case answers instead.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The standards have a word for it.
    #[error(transparent)]
    Protocol(#[from] Error),
    /// Too many attempts.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Our own trouble: the text is for the log, the caller only hears that it may try again.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// Our own trouble.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::Internal(detail.into())
    }

    /// The same in the words of the standards.
    #[must_use]
    pub fn into_protocol(self) -> Error {
        match self {
            Self::Protocol(error) => error,
            Self::TooMany(too_many) => Error::new(ErrorCode::TemporarilyUnavailable, too_many.to_string()),
            Self::Internal(detail) => {
                Error::new(ErrorCode::TemporarilyUnavailable, "the server cannot answer now; try again")
                    .with_detail(detail)
            }
        }
    }
}

impl From<gatepass_store::Error> for Failure {
    fn from(error: gatepass_store::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<NoEntropy> for Failure {
    fn from(error: NoEntropy) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<SigningKeyError> for Failure {
    fn from(error: SigningKeyError) -> Self {
        Self::Internal(error.to_string())
    }
}
