//! What can go wrong between us and a server, in three kinds that must never be mixed up.
//!
//! A train in a tunnel is not a log-out. Only [`Failure::Refused`] is the server's own word on what
//! we asked; the other two say nothing about our sign-in.

use crate::trust::Untrusted;
use gatepass_oauth::ErrorCode;
use std::borrow::Cow;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server answered with an OAuth error.
    #[error("{0}")]
    Refused(Refusal),
    /// Something answered, but not as the standards say: a captive portal, a proxy, a wrong address.
    #[error("{host} gave an answer that makes no sense: {what}")]
    Nonsense {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was wrong with it; never the answer's own text.
        what: Cow<'static, str>,
    },
    /// Nobody answered, or the server said that it cannot now.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What happened.
        why: Unreachable,
    },
}

/// An OAuth error answer (RFC 6749 §5.2), made fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, perhaps one that we do not know.
    pub code: String,
    /// A sentence, perhaps.
    pub description: Option<String>,
}

/// Why nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// No connection: DNS, routing, a closed port, a certificate that is not trusted.
    #[error("{0}")]
    NoConnection(String),
    /// The server's certificate is not trusted.
    #[error("{0}")]
    Untrusted(Box<Untrusted>),
    /// The proxy stood in the way.
    #[error("the proxy {proxy} {why}")]
    Proxy {
        /// Which, without its password.
        proxy: String,
        /// What it did.
        why: ProxyTrouble,
    },
    /// What is set for the network cannot be used: a file of authorities, a proxy.
    #[error("{0}")]
    Settings(String),
    /// The time allowed for an answer ran out.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke before the answer was whole.
    #[error("the connection broke off")]
    BrokenOff,
    /// The server answered with 429 or 5xx.
    #[error("it answers with status {0}")]
    Busy(u16),
}

/// What a proxy did instead of letting a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyTrouble {
    /// It answered 407, and was given no password.
    #[error("asks for a user and a password")]
    WantsPassword,
    /// It answered 407 to the password that it was given.
    #[error("does not accept the user and password that it was given")]
    WrongPassword,
    /// It answered something else than yes.
    #[error("refuses to connect to it")]
    Refused,
    /// It cannot be reached itself.
    #[error("cannot be reached itself")]
    Away,
}

impl Failure {
    /// Whether the server refused with this code.
    #[must_use]
    pub fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is(code))
    }
}

impl Refusal {
    /// Whether the refusal carries this code.
    #[must_use]
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code == code.as_str()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{description} ({})", self.code),
            None => write!(f, "the server refused with {}", self.code),
        }
    }
}
