//! Access tokens as JWTs (RFC 9068), for the resources that are registered for them.
//!
//! The row is kept as for an opaque token, under the hash of the JWT, and `jti` names the row: so introspection and
//! revocation know both forms. This server's own API takes opaque tokens only.

use crate::{Authentication, Authority, Failure};
use gatepass_keys::{HashedToken, PlainToken, TokenId, jose, token::AccessToken};
use gatepass_oauth::{Confirmation, Scope, Secret, TokenFormat};
use gatepass_store::access_token::NewAccessToken;
use serde::{Deserialize, Serialize};

/// `typ` of an access token (RFC 9068 §2.1).
const TYP: &str = "at+jwt";

/// RFC 9068 §2.2.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    exp: i64,
    aud: &'a str,
    sub: String,
    client_id: &'a str,
    iat: i64,
    jti: String,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: &'a Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Named {
    jti: String,
}

/// The name of a row in `jti`.
pub(crate) fn jti(TokenId(bytes): TokenId) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn read_jti(text: &str) -> Option<TokenId> {
    let all_hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    all_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(|number| TokenId(number.to_be_bytes()))
}

/// What a look-up needs of a presented access token in either form. Nothing of a JWT needs to be verified: the hash of
/// all of it must be that of the row.
pub(crate) fn recognise(text: &str) -> Option<(TokenId, HashedToken)> {
    PlainToken::<AccessToken>::recognise(text).or_else(|| {
        let (header, named) = jose::unverified::<Named>(text)?;
        let id = read_jti(&named.jti).filter(|_| header.is_of_type(TYP))?;
        Some((id, HashedToken::of(text)))
    })
}

impl Authority {
    /// The row and the text of a new access token, in the form that its resource asks for.
    pub(crate) async fn in_format(
        &self,
        token: NewAccessToken,
        plain: PlainToken<AccessToken>,
        authentication: Option<Authentication>,
    ) -> Result<(NewAccessToken, Secret), Failure> {
        if token.resource == *self.own_resource() {
            return Ok((token, plain.into_secret()));
        }
        match self.find_resource(&token.resource).await? {
            Some(resource) if resource.token_format == TokenFormat::Jwt => {
                let claims = self.claims(&token, authentication);
                // Signing may have to wait for a key, which most tokens need not carry along.
                let signed = Box::pin(self.sign(resource.signing_alg, TYP, &claims)).await?;
                let text = Secret::new(signed);
                Ok((NewAccessToken { hash: HashedToken::of(text.expose()), ..token }, text))
            }
            _ => Ok((token, plain.into_secret())),
        }
    }

    fn claims<'a>(&'a self, token: &'a NewAccessToken, authentication: Option<Authentication>) -> Claims<'a> {
        let sub = match (token.user_id, token.service_id) {
            (Some(user), _) => user.to_string(),
            (None, Some(service)) => service.to_string(),
            (None, None) => token.client_id.to_string(),
        };
        Claims {
            iss: self.issuer().as_str(),
            exp: token.expires_at.seconds(),
            aud: token.resource.as_str(),
            sub,
            client_id: token.client_id.as_str(),
            iat: token.issued_at.seconds(),
            jti: jti(token.id),
            scope: &token.scope,
            auth_time: authentication.map(|authentication| authentication.at.seconds()),
            acr: authentication.map(|authentication| authentication.method.acr()),
            amr: authentication.map(|authentication| authentication.method.amr()),
            cnf: token.confirmation.as_ref(),
            act: token.act.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_in_32_digits_that_read_back() {
        let id = TokenId([0x0f; 16]);
        assert_eq!(read_jti(&jti(id)), Some(id));
        for bad in ["", "0", "+f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "0F0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"] {
            assert_eq!(read_jti(bad), None, "{bad}");
        }
    }
}
