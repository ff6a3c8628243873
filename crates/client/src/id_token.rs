//! Who signed in, as the ID token says (OpenID Connect Core §2).
//!
//! The token comes to us straight from the token endpoint, so its signature adds nothing to what TLS
//! said of the server already (§3.1.3.7, step 6); issuer, audience and nonce are checked. Here it only
//! labels an account. Whoever takes an ID token from other hands must verify it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_oauth::{ClientId, Issuer, Secret};
use serde::Deserialize;

/// The claims that an account is named by.
#[derive(Clone, Debug, Deserialize)]
pub struct IdClaims {
    iss: String,
    /// The subject: never reassigned within its issuer.
    pub sub: String,
    aud: Audience,
    #[serde(default)]
    nonce: Option<String>,
    /// The email address, for people.
    #[serde(default)]
    pub email: Option<String>,
    /// The full name, for people.
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Why an ID token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdToken {
    /// It is no JWT with the claims that every ID token has.
    #[error("the server sent an ID token that cannot be read")]
    Unreadable,
    /// It names another issuer.
    #[error("the server sent an ID token of another issuer")]
    WrongIssuer,
    /// It is for another client.
    #[error("the server sent an ID token for another client")]
    WrongAudience,
    /// It answers another request.
    #[error("the server sent an ID token that answers another sign-in")]
    WrongNonce,
}

/// Reads an ID token that came from the token endpoint itself. `nonce` is what the authorization
/// request sent, if it sent one.
///
/// # Errors
/// [`InvalidIdToken`].
pub fn read(
    token: &Secret,
    issuer: &Issuer,
    client_id: &ClientId,
    nonce: Option<&str>,
) -> Result<IdClaims, InvalidIdToken> {
    let payload = token.expose().split('.').nth(1).ok_or(InvalidIdToken::Unreadable)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| InvalidIdToken::Unreadable)?;
    let claims: IdClaims = serde_json::from_slice(&json).map_err(|_| InvalidIdToken::Unreadable)?;
    if claims.iss.strip_suffix('/').unwrap_or(&claims.iss) != issuer.as_str() {
        return Err(InvalidIdToken::WrongIssuer);
    }
    let for_us = match &claims.aud {
        Audience::One(audience) => audience == client_id.as_str(),
        Audience::Many(audiences) => audiences.iter().any(|audience| audience == client_id.as_str()),
    };
    if !for_us {
        return Err(InvalidIdToken::WrongAudience);
    }
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(InvalidIdToken::WrongNonce);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &serde_json::Value) -> Secret {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    #[test]
    fn issuer_audience_and_nonce_must_be_ours() {
        let (issuer, client) = ("https://a.example".parse().unwrap(), "cli".parse().unwrap());
        let good =
            json!({"iss": "https://a.example", "sub": "u1", "aud": ["x", "cli"], "nonce": "n", "email": "a@b.c"});
        assert_eq!(read(&token(&good), &issuer, &client, Some("n")).unwrap().sub, "u1");
        assert!(read(&token(&good), &issuer, &client, None).is_ok());
        let changed = |member: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[member] = value;
            read(&token(&claims), &issuer, &client, Some("n")).unwrap_err()
        };
        assert_eq!(changed("iss", json!("https://b.example")), InvalidIdToken::WrongIssuer);
        assert_eq!(changed("aud", json!("other")), InvalidIdToken::WrongAudience);
        assert_eq!(changed("nonce", json!("m")), InvalidIdToken::WrongNonce);
        assert_eq!(changed("sub", json!(7)), InvalidIdToken::Unreadable);
        assert_eq!(read(&"junk".into(), &issuer, &client, None).unwrap_err(), InvalidIdToken::Unreadable);
    }
}
