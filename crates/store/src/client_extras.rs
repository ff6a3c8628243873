//! Members of a client's registration that concern ID tokens, sign-out and pushed requests.
//!
//! Who needs one of them asks through a method here, so that this is the one place that knows where they are kept.

use crate::{Change, Error, Store, client::Client};
use gatepass_db::params;
use gatepass_keys::{Algorithm, SigningKey};
use gatepass_oauth::{ClientId, RedirectUri};
use serde::{Deserialize, Serialize};

/// The members (OpenID Connect Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2, RFC 9126 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientExtras {
    /// Where a browser may go on after a sign-out.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Who hears of a sign-out.
    pub backchannel_logout_uri: Option<String>,
    /// Whether a notice without `sid` is of no use there.
    pub backchannel_logout_session_required: bool,
    /// What its ID tokens are signed with.
    pub id_token_signed_response_alg: Option<String>,
    /// Whether its authorization requests must be pushed.
    pub require_pushed_authorization_requests: bool,
}

pub(crate) const STATEMENTS: &[&str] = &[SET];

const SET: &str = "update client set extras = $2 where id = $1";

impl Client {
    /// Where a browser may go on after a sign-out, compared character by character.
    #[must_use]
    pub fn post_logout_redirect_uris(&self) -> &[RedirectUri] {
        &self.extras.post_logout_redirect_uris
    }

    /// Who hears of a sign-out.
    #[must_use]
    pub fn backchannel_logout_uri(&self) -> Option<&str> {
        self.extras.backchannel_logout_uri.as_deref()
    }

    /// Whether a notice without `sid` is of no use to it.
    #[must_use]
    pub fn needs_session_in_logout(&self) -> bool {
        self.extras.backchannel_logout_session_required
    }

    /// What its ID tokens are signed with; ES256 unless it chose another that is offered.
    #[must_use]
    pub fn id_token_algorithm(&self) -> Algorithm {
        let chosen = self.extras.id_token_signed_response_alg.as_deref().and_then(|name| name.parse().ok());
        chosen.filter(|chosen| SigningKey::ALGORITHMS.contains(chosen)).unwrap_or(Algorithm::Es256)
    }

    /// Whether its authorization requests must be pushed.
    #[must_use]
    pub fn must_push(&self) -> bool {
        self.extras.require_pushed_authorization_requests
    }
}

impl Store {
    /// Changes these members of a client; too late when it is gone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_client_extras(&self, id: &ClientId, extras: &ClientExtras) -> Result<Change, Error> {
        let text = serde_json::to_string(extras).map_err(|error| Error::Corrupt { what: error.to_string() })?;
        self.db.execute(SET, params![id.as_str(), text]).await.map(Change::from_rows)
    }
}
