//! A person's sign-in at an identity provider, carried here by a client (Identity Assertion JWT Authorization Grant,
//! draft-ietf-oauth-identity-assertion-authz-grant): the enterprise decides which client may act for whom, nobody is asked.
//!
//! It is a JWT bearer grant ([`redeem_assertion`](crate::redeem_assertion)) with rules of its own:
//!
//! - its type is `oauth-id-jag+jwt`, and its audience is this issuer alone: no ID token of the provider will do;
//! - `client_id` is the client that has proven itself here;
//! - the person is named by an address that the provider has verified, and has an account here with the same address,
//!   verified too. No account is made on the way.

use crate::{
    Asking, Authority, Failure, add_user::normalised_email, assertion_claims::AssertionClaims,
    redeem_assertion::refused,
};
use gatepass_oauth::{Error, ErrorCode};
use gatepass_store::UserId;
use serde_json::Value;

/// `typ` of an identity assertion.
pub(crate) const TYP: &str = "oauth-id-jag+jwt";

impl Authority {
    /// The person that an identity assertion names to this client.
    pub(crate) async fn person_of(&self, asking: Asking<'_>, claims: &AssertionClaims) -> Result<UserId, Failure> {
        if !asking.client.is_confidential() {
            let description = "an identity assertion is for a client that proves itself";
            return Err(Error::new(ErrorCode::UnauthorizedClient, description).into());
        }
        if claims.text("client_id") != Some(asking.client.id.as_str()) {
            return Err(refused("its client_id is another client").into());
        }
        if claims.aud.len() != 1 || claims.jti.is_none() {
            return Err(refused("an identity assertion has one aud and a jti").into());
        }
        let is_verified = claims.others.get("email_verified") == Some(&Value::Bool(true));
        let email = claims.others.get("email").and_then(Value::as_str).filter(|_| is_verified);
        let email = email.and_then(normalised_email).ok_or_else(|| refused("it names no verified email"))?;
        let user = self.0.store.user_by_email(&email).await?.filter(|user| user.email_verified_at.is_some());
        user.map(|user| user.id).ok_or_else(|| refused("the person has no account here").into())
    }
}
