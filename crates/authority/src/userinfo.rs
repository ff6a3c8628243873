//! Who signed in (OpenID Connect Core §5.3).

use crate::issue::PersonClaims;
use gatepass_store::access_token::{LiveAccessToken, TokenUser};
use serde::Serialize;

/// The claims of the userinfo endpoint.
#[derive(Debug, Serialize)]
pub struct UserInfo<'a> {
    /// The subject.
    pub sub: String,
    /// What the scope opens.
    #[serde(flatten)]
    pub person: PersonClaims<'a>,
}

impl<'a> UserInfo<'a> {
    /// What this token may know of this person.
    #[must_use]
    pub fn new(token: &LiveAccessToken, user: &'a TokenUser) -> Self {
        Self {
            sub: user.id.to_string(),
            person: PersonClaims::new(&token.scope, &user.email, &user.name, user.email_verified_at.is_some()),
        }
    }
}
