//! Who signed in (OpenID Connect Core §5.3).

use crate::issue::PersonClaims;
use gatepass_store::{access_token::LiveAccessToken, user_account::Person};
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
    pub fn new(token: &LiveAccessToken, user: &'a Person) -> Self {
        Self { sub: user.id.to_string(), person: PersonClaims::new(&token.scope, user) }
    }
}
