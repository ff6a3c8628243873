//! How a token gets into a request: the only place.

use gatepass_client::{Bearer, Secret};
use hyper::{
    Method, Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue},
};

/// What opens the upstream.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The token of a sign-in.
    SignIn(Bearer),
    /// A token of the environment, used as it is.
    Raw(Secret),
}

impl Credential {
    pub(super) fn token(&self) -> &Secret {
        match self {
            Self::SignIn(bearer) => bearer.token(),
            Self::Raw(token) => token,
        }
    }
}

/// The headers that authorize one request (RFC 6750 §2.1). It is asked for each sending anew, with the method and the
/// address as the upstream sees them, so that a proof of a key can be made for each.
///
/// # Errors
/// For a token that holds characters no header may hold.
pub(super) fn authorize(
    credential: &Credential,
    _method: &Method,
    _url: &Uri,
) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", credential.token().expose()))?;
    value.set_sensitive(true);
    Ok(vec![(AUTHORIZATION, value)])
}
