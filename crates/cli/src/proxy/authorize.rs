//! How a token gets into a request: the only place.

use gatepass_client::{Bearer, Secret, SignIns};
use hyper::{
    HeaderMap, Method, Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};
use url::Url;

/// What opens the upstream.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The token of a sign-in, and what makes the proofs of its key.
    SignIn(Bearer, Box<SignIns>),
    /// A token of the environment, used as it is.
    Raw(Secret),
}

/// A token that no header can hold, or a key that makes no proof.
#[derive(Debug)]
pub(super) struct Unfit;

impl Credential {
    /// The headers that authorize one request (RFC 6750 §2.1, RFC 9449 §7.1). It is asked for each sending anew, with the
    /// method and the address as the upstream sees them, since a proof of a key is good for one request.
    pub(super) fn authorize(&self, method: &Method, uri: &Uri) -> Result<Vec<(HeaderName, HeaderValue)>, Unfit> {
        match self.bound() {
            None => Ok(vec![(AUTHORIZATION, secret(&format!("Bearer {}", self.token().expose()))?)]),
            Some((bearer, sign_ins)) => {
                let headers = sign_ins.headers(bearer, method.as_str(), &url(uri)?).map_err(|_| Unfit)?;
                headers.iter().map(|(name, text)| Ok((HeaderName::from_static(name), secret(text.expose())?))).collect()
            }
        }
    }

    /// Remembers the nonce that an answer brought (RFC 9449 §8.2).
    pub(super) fn hear(&self, uri: &Uri, answer: &HeaderMap) {
        if let Some((_, sign_ins)) = self.bound()
            && let Some(nonce) = answer.get("dpop-nonce").and_then(|value| value.to_str().ok())
            && let Ok(url) = url(uri)
        {
            sign_ins.transport().memory().set_nonce(&url, nonce);
        }
    }

    /// Whether a 401 asks for the same request with the nonce that it brought (RFC 9449 §9).
    pub(super) fn lacked_nonce(&self, answer: &HeaderMap) -> bool {
        let asks = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("use_dpop_nonce"));
        self.bound().is_some() && answer.get_all(WWW_AUTHENTICATE).iter().any(asks)
    }

    fn bound(&self) -> Option<(&Bearer, &SignIns)> {
        match self {
            Self::SignIn(bearer, sign_ins) if bearer.key().is_some() => Some((bearer, sign_ins)),
            _ => None,
        }
    }

    pub(super) fn token(&self) -> &Secret {
        match self {
            Self::SignIn(bearer, _) => bearer.token(),
            Self::Raw(token) => token,
        }
    }
}

fn url(uri: &Uri) -> Result<Url, Unfit> {
    uri.to_string().parse().map_err(|_| Unfit)
}

fn secret(text: &str) -> Result<HeaderValue, Unfit> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Unfit)?;
    value.set_sensitive(true);
    Ok(value)
}
