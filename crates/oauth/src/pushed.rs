//! Pushed authorization requests (RFC 9126): the answer, and the URI that stands for a request.

use crate::{Params, Secret};
use serde::{Deserialize, Serialize};

/// What stands before the reference (RFC 9126 §2.2).
pub const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The answer of the endpoint (RFC 9126 §2.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushedResponse {
    /// What the browser carries to the authorization endpoint.
    pub request_uri: Secret,
    /// Its life in seconds.
    pub expires_in: u64,
    /// A short link that leads the same way, for a screen from which it must be typed or copied: gatepass's own addition,
    /// given to its own programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_uri: Option<Secret>,
}

/// The reference of a request that was pushed; `None` when the request speaks for itself, or refers to something that was
/// not pushed here.
#[must_use]
pub fn reference<'a>(params: &'a Params<'_>) -> Option<&'a str> {
    params.get("request_uri")?.strip_prefix(REQUEST_URI_PREFIX)
}
