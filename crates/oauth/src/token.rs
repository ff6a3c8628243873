//! The answer of the token endpoint (RFC 6749 §5.1).

use crate::{Confirmation, Scope, Secret, TokenTypeUri};
use serde::{Deserialize, Serialize};

/// `token_type`. The text is compared without regard to case (RFC 6749 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// Whoever holds it may use it (RFC 6750).
    #[serde(alias = "bearer", alias = "BEARER")]
    Bearer,
    /// Only the holder of a key may use it, with a proof (RFC 9449 §5).
    #[serde(rename = "DPoP", alias = "dpop", alias = "DPOP")]
    Dpop,
}

impl TokenType {
    /// How a token with this confirmation is used. One that is bound to a certificate is a bearer token to
    /// look at (RFC 8705 §3).
    #[must_use]
    pub fn of(confirmation: Option<&Confirmation>) -> Self {
        match confirmation {
            Some(Confirmation::Jkt(_)) => Self::Dpop,
            Some(Confirmation::X5tS256(_)) | None => Self::Bearer,
        }
    }
}

/// The answer to a good token request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenResponse {
    /// What opens the API.
    pub access_token: Secret,
    /// How it is used.
    pub token_type: TokenType,
    /// Its life in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// What the next token is fetched with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// What was granted; a client takes a missing one as what it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Who signed in (OpenID Connect Core §3.1.3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
    /// What kind of token an exchange gave (RFC 8693 §2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<TokenTypeUri>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_in_any_case_and_prints_without_its_tokens() {
        let answer: TokenResponse =
            serde_json::from_str(r#"{"access_token":"abc","token_type":"bearer","expires_in":60}"#).unwrap();
        assert_eq!(answer.token_type, TokenType::Bearer);
        assert!(!format!("{answer:?}").contains("abc"));
        for (text, read) in [("DPoP", TokenType::Dpop), ("dpop", TokenType::Dpop), ("Bearer", TokenType::Bearer)] {
            assert_eq!(serde_json::from_str::<TokenType>(&format!("\"{text}\"")).unwrap(), read);
        }
        assert_eq!(serde_json::to_string(&TokenType::Dpop).unwrap(), "\"DPoP\"");
    }
}
