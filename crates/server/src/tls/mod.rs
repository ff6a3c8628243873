//! TLS that the server speaks itself, and the certificates that clients show.
//!
//! - `listener`: the handshake. A client is asked for a certificate and need not show one; whoever shows one proves to
//!   hold its key. Who signed it does not matter there: the use cases decide what it is good for.
//! - `files`: the server's own certificate, read again when its files change.
//! - `policy`: which certificate a request counts as having shown: its connection's, or the one in a trusted proxy's
//!   header; and whether a trusted authority vouches for it.

mod files;
mod header;
mod listener;
mod policy;

pub(crate) use listener::{HTTP2, Listener};
pub(crate) use policy::{ByConnection, CertificatePolicy, Shown};

use std::{io, path::PathBuf};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there or may not be read.
    #[error("the TLS file {path} cannot be read ({source}); check the path and its permissions")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("the TLS file {path} holds no {what} in PEM")]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The files do not fit.
    #[error("the TLS certificate and key cannot be used: {0}")]
    Unusable(String),
}

/// The bytes of a file.
fn read(path: &std::path::Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}
