//! How a client named and proved itself in one request (RFC 6749 §2.3, RFC 7523 §2.2).
//!
//! A client uses at most one method per request (RFC 6749 §2.3). Which one it *should* use is its
//! registration's business; here is only what it sent.

use crate::{ClientId, Error, Params, Secret, params::form_decoded};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request says of its client.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Who it says it is.
    pub client_id: ClientId,
    /// What it shows for it.
    pub proof: PresentedProof,
}

/// What a client shows.
#[derive(Clone, Debug)]
pub enum PresentedProof {
    /// Only its name.
    Nothing,
    /// A secret in the `Authorization` header.
    Basic(Secret),
    /// A secret in the body.
    Post(Secret),
    /// A signed assertion.
    Assertion(Secret),
}

impl ClientCredentials {
    /// Reads them from the `Authorization` header and the body.
    ///
    /// # Errors
    /// `invalid_request` for more than one method, `invalid_client` for none or a malformed one.
    pub fn read(authorization: Option<&str>, params: &Params<'_>) -> Result<Self, Error> {
        let named = params.get("client_id").map(parse_id).transpose()?;
        let secret = params.get("client_secret").map(Secret::from);
        let assertion = match (params.get("client_assertion"), params.get("client_assertion_type")) {
            (None, None) => None,
            (Some(assertion), Some(JWT_BEARER)) => Some(Secret::from(assertion)),
            _ => return Err(Error::invalid_request("client_assertion comes with the client_assertion_type of a JWT")),
        };
        let (client_id, proof) = match (authorization, secret, assertion) {
            (None, None, None) => (named.clone(), PresentedProof::Nothing),
            (None, Some(secret), None) => (named.clone(), PresentedProof::Post(secret)),
            (None, None, Some(assertion)) => {
                let id = named.clone().map_or_else(|| unverified_subject(&assertion), Ok)?;
                (Some(id), PresentedProof::Assertion(assertion))
            }
            (Some(header), None, None) => {
                let (id, secret) = read_basic(header)?;
                (Some(id), PresentedProof::Basic(secret))
            }
            _ => return Err(Error::invalid_request("a client authenticates in one way per request")),
        };
        let client_id = client_id.ok_or_else(Error::invalid_client)?;
        if named.is_some_and(|named| named != client_id) {
            return Err(Error::invalid_request("client_id names another client than the credentials do"));
        }
        Ok(Self { client_id, proof })
    }
}

fn parse_id(text: &str) -> Result<ClientId, Error> {
    text.parse().map_err(|_| Error::invalid_client())
}

/// `Basic`: identifier and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn read_basic(header: &str) -> Result<(ClientId, Secret), Error> {
    let (scheme, encoded) = header.split_once(' ').ok_or_else(Error::invalid_client)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Error::invalid_client());
    }
    let plain = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let plain = Secret::new(plain.ok_or_else(Error::invalid_client)?);
    let (id, secret) = plain.expose().split_once(':').ok_or_else(Error::invalid_client)?;
    Ok((parse_id(&decoded(id)?)?, Secret::new(decoded(secret)?.into_owned())))
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Error> {
    form_decoded(text.as_bytes()).ok_or_else(Error::invalid_client)
}

/// Whose assertion it claims to be (RFC 7523 §3 lets `client_id` be left out). Proven later.
fn unverified_subject(assertion: &Secret) -> Result<ClientId, Error> {
    let payload = assertion
        .expose()
        .split('.')
        .nth(1)
        .and_then(|part| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok());
    let claims: serde_json::Value =
        payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(Error::invalid_client)?;
    claims.get("sub").and_then(serde_json::Value::as_str).ok_or_else(Error::invalid_client).and_then(parse_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn read(authorization: Option<&str>, body: &str) -> Result<ClientCredentials, Error> {
        ClientCredentials::read(authorization, &Params::parse(body.as_bytes()).unwrap())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn identifier_and_secret_are_form_decoded() {
        let read = read(Some(&basic("my+app%3A1:s%25cret")), "").unwrap();
        assert_eq!(read.client_id.as_str(), "my app:1");
        assert!(matches!(read.proof, PresentedProof::Basic(secret) if secret.expose() == "s%cret"));
    }

    #[test]
    fn two_methods_at_once_are_refused() {
        let header = basic("a:b");
        for (header, body) in [
            (Some(header.as_str()), "client_secret=x"),
            (Some(header.as_str()), "client_id=other"),
            (
                None,
                "client_id=a&client_secret=x&client_assertion=y&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            (None, "client_id=a&client_assertion=y"),
        ] {
            assert_eq!(read(header, body).unwrap_err().code, ErrorCode::InvalidRequest, "{body}");
        }
    }

    #[test]
    fn no_or_broken_credentials_are_an_unknown_client() {
        for (header, body) in [
            (None, ""),
            (Some("Bearer x"), ""),
            (Some("Basic"), ""),
            (Some("Basic !!!"), ""),
            (Some("Basic YQ=="), ""),
            (
                None,
                "client_assertion=x.y.z&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
        ] {
            assert_eq!(read(header, body).unwrap_err().code, ErrorCode::InvalidClient, "{header:?} {body}");
        }
    }
}
