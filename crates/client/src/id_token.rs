//! Who signed in, as the ID token says (OpenID Connect Core §2).
//!
//! The token comes to us straight from the token endpoint, so its signature adds nothing to what TLS
//! said of the server already (§3.1.3.7, step 6); issuer, audience and nonce are checked. It came just now,
//! so its end is compared with its beginning: the clock of this machine may be wrong (step 9). Here it only
//! labels an account. Whoever takes an ID token from other hands must verify it.

use crate::{AccountId, BearerError, IssuerName, SignIn, SignIns, Tokens};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_oauth::{ClientId, Secret, UtcMillis};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// How much of its life an ID token must have left to be handed out.
const LEAST: Duration = Duration::from_secs(60);

/// The claims that an account is named by.
#[derive(Clone, Debug, Deserialize)]
pub struct IdClaims {
    iss: String,
    /// The subject: never reassigned within its issuer.
    pub sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    iat: f64,
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

impl Audience {
    fn is_one(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Many(audiences) => audiences.len() == 1,
        }
    }

    fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(audience) => is(audience),
            Self::Many(audiences) => audiences.iter().any(|audience| is(audience)),
        }
    }
}

/// Whether a token is a JWT that says for whom it is, and names nobody that `is` (RFC 9068 §2.2). Of another token nothing
/// can be known.
pub(crate) fn is_for_others(token: &Secret, is: impl Fn(&str) -> bool) -> bool {
    #[derive(Deserialize)]
    struct For {
        aud: Audience,
    }
    claims::<For>(token).is_some_and(|claims| !claims.aud.any(is))
}

/// The claims of a JWT that nobody verifies here; `None` for what is none.
fn claims<C: DeserializeOwned>(token: &Secret) -> Option<C> {
    let mut parts = token.expose().split('.');
    let (Some(_), Some(payload), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return None };
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
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
    /// It ends before it begins.
    #[error("the server sent an ID token that was never good")]
    NeverGood,
    /// It answers another request.
    #[error("the server sent an ID token that answers another sign-in")]
    WrongNonce,
}

/// Reads an ID token that came from the token endpoint itself. `iss` is the issuer as it spells itself, `nonce` what the
/// authorization request sent, if it sent one.
///
/// # Errors
/// [`InvalidIdToken`].
pub fn read(
    token: &Secret,
    iss: &IssuerName,
    client_id: &ClientId,
    nonce: Option<&str>,
) -> Result<IdClaims, InvalidIdToken> {
    let claims: IdClaims = claims(token).ok_or(InvalidIdToken::Unreadable)?;
    if !iss.is(&claims.iss) {
        return Err(InvalidIdToken::WrongIssuer);
    }
    let is_us = |name: &str| name == client_id.as_str();
    // One that is for others too must have been given to us.
    let is_ours = claims.aud.any(is_us) && (claims.aud.is_one() || claims.azp.as_deref().is_some_and(is_us));
    if !is_ours {
        return Err(InvalidIdToken::WrongAudience);
    }
    if claims.exp <= claims.iat {
        return Err(InvalidIdToken::NeverGood);
    }
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(InvalidIdToken::WrongNonce);
    }
    Ok(claims)
}

/// When an ID token ends (`exp`).
#[must_use]
pub fn ends_at(token: &Secret) -> Option<UtcMillis> {
    #[derive(Deserialize)]
    struct End {
        exp: f64,
    }
    let End { exp } = claims(token)?;
    let seconds = format!("{:.0}", exp.floor().clamp(0.0, 1e12)).parse::<i64>().ok()?;
    seconds.checked_mul(1000).map(UtcMillis)
}

fn lasts(token: &Secret, now: UtcMillis) -> bool {
    ends_at(token).is_some_and(|end| now < end && now.until(end) >= LEAST)
}

/// The ID token to keep after a refresh: a new one that says the same of the same person (OpenID Connect Core §12.2), else
/// the old one as long as it lasts. One that is over is given up, so that it is not asked for again and again.
pub(crate) fn next(new: Option<Secret>, old: &Tokens, sign_in: &SignIn, now: UtcMillis) -> Option<Secret> {
    let account = &sign_in.account;
    let is_theirs = |token: &Secret| {
        read(token, &sign_in.iss(), &account.client_id, None)
            .is_ok_and(|claims| account.subject.as_deref() == Some(claims.sub.as_str()))
    };
    new.filter(is_theirs).or_else(|| old.id_token.clone()).filter(|token| lasts(token, now))
}

/// Why there is no ID token to hand out.
#[derive(Debug, thiserror::Error)]
pub enum NoIdToken {
    /// The sign-in has none: it did not ask for `openid`, or the server gives none when it refreshes.
    #[error("the sign-in has no ID token that lasts, and a refresh brought none")]
    None,
    /// It could not be fetched.
    #[error(transparent)]
    Bearer(#[from] BearerError),
}

impl SignIns {
    /// The ID token of an account and its end: the kept one as long as it lasts, then the one that a refresh brings.
    ///
    /// # Errors
    /// [`NoIdToken`].
    pub async fn id_token(&self, account: &AccountId) -> Result<(Secret, UtcMillis), NoIdToken> {
        let bearer = self.bearer_for_helper(account).await?;
        match self.kept_id_token(account).map_err(BearerError::from)? {
            Kept::Lasting(token, end) => Ok((token, end)),
            Kept::None => Err(NoIdToken::None),
            Kept::Over => {
                self.refresh_after_401(account, &bearer).await?;
                match self.kept_id_token(account).map_err(BearerError::from)? {
                    Kept::Lasting(token, end) => Ok((token, end)),
                    Kept::Over | Kept::None => Err(NoIdToken::None),
                }
            }
        }
    }

    fn kept_id_token(&self, account: &AccountId) -> Result<Kept, crate::VaultError> {
        let (contents, now) = (self.vault().read()?, self.clock().now());
        let token = contents.get(account).and_then(|sign_in| sign_in.tokens.as_ref()?.id_token.clone());
        Ok(match token {
            None => Kept::None,
            Some(token) => match ends_at(&token).filter(|_| lasts(&token, now)) {
                Some(end) => Kept::Lasting(token, end),
                None => Kept::Over,
            },
        })
    }
}

enum Kept {
    Lasting(Secret, UtcMillis),
    Over,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_end_is_read_in_every_shape() {
        for (exp, end) in [
            (json!(1_790_000_000), Some(1_790_000_000_000)),
            (json!(1.5), Some(1000)),
            (json!(-3), Some(0)),
            (json!("x"), None),
        ] {
            assert_eq!(ends_at(&token(&json!({"exp": exp}))).map(|end| end.0), end, "{exp}");
        }
        assert_eq!(ends_at(&"junk".into()), None);
    }

    fn token(claims: &serde_json::Value) -> Secret {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    #[test]
    fn issuer_audience_and_nonce_must_be_ours() {
        let issuer = IssuerName::new("https://a.example".parse().unwrap(), Some("https://a.example".into()));
        let client = "cli".parse().unwrap();
        let good =
            json!({"iss": "https://a.example", "sub": "u1", "aud": ["cli"], "nonce": "n", "exp": 2000, "iat": 1000.5});
        assert_eq!(read(&token(&good), &issuer, &client, Some("n")).unwrap().sub, "u1");
        assert!(read(&token(&good), &issuer, &client, None).is_ok());
        let changed = |member: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[member] = value;
            read(&token(&claims), &issuer, &client, Some("n")).unwrap_err()
        };
        for other in ["https://b.example", "https://a.example/", "https://A.example", ""] {
            assert_eq!(changed("iss", json!(other)), InvalidIdToken::WrongIssuer, "{other}");
        }
        assert_eq!(changed("aud", json!("other")), InvalidIdToken::WrongAudience);
        assert_eq!(changed("aud", json!(["x", "cli"])), InvalidIdToken::WrongAudience);
        let mut for_both = good.clone();
        (for_both["aud"], for_both["azp"]) = (json!(["x", "cli"]), json!("cli"));
        assert!(read(&token(&for_both), &issuer, &client, Some("n")).is_ok());
        assert_eq!(changed("exp", json!(1000)), InvalidIdToken::NeverGood);
        for required in ["exp", "iat"] {
            assert_eq!(changed(required, json!(null)), InvalidIdToken::Unreadable, "{required}");
        }
        assert_eq!(changed("nonce", json!("m")), InvalidIdToken::WrongNonce);
        assert_eq!(changed("sub", json!(7)), InvalidIdToken::Unreadable);
        assert_eq!(read(&"junk".into(), &issuer, &client, None).unwrap_err(), InvalidIdToken::Unreadable);
    }
}
