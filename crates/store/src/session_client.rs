//! Which clients were told in an ID token that a person is signed in, by session: they are told when that is over, whatever
//! has become of their grants (OpenID Connect Back-Channel Logout 1.0 §2.7).
//!
//! A row is written with a client's first ID token in a session, only for clients that want to hear, and goes with the
//! session.

use gatepass_db::{Stmt, params};
use gatepass_keys::TokenId;
use gatepass_oauth::{ClientId, UtcMillis};

/// A client that knows of a session.
#[derive(Clone, Debug)]
pub struct SessionClient {
    /// The first session of the browser.
    pub session_id: TokenId,
    /// The client.
    pub client_id: ClientId,
    /// Since when.
    pub told_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[NOTE, FORGET];

const NOTE: &str = "insert into session_client (session_id, client_id, told_at) values ($1, $2, $3)
 on conflict (session_id, client_id) do nothing";
const FORGET: &str = "delete from session_client where session_id = $1";

impl SessionClient {
    pub(crate) fn note(&self) -> Stmt {
        Stmt::new(NOTE, params![self.session_id.0, self.client_id.as_str(), self.told_at.0])
    }
}

/// The session is over, and its clients are told.
pub(crate) fn forget(session: TokenId) -> Stmt {
    Stmt::new(FORGET, params![session.0])
}
