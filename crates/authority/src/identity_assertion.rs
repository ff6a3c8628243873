//! A person's sign-in at an identity provider, carried here by a client (Identity Assertion JWT Authorization Grant,
//! draft-ietf-oauth-identity-assertion-authz-grant): the enterprise decides which client may act for whom, nobody is asked.
//!
//! It is a JWT bearer grant ([`redeem_assertion`](crate::redeem_assertion)) with rules of its own:
//!
//! - its type is `oauth-id-jag+jwt`, and its audience is this issuer alone: no ID token of the provider will do;
//! - `client_id` is the client that has proven itself here; `jti`, `iat` and `exp` are there;
//! - one that says what it gives by
//!   `authorization_details`, which are not offered here, is refused: without them it would give more;
//! - the person is named by an address, and has an account here with the same address, verified. No account is made on the
//!   way. That the address is theirs at the provider too, the assertion says with `email_verified`, which the draft does not
//!   ask for; or the operator has said that the provider governs all addresses that it names.

use crate::{
    Asking, Authority, Failure, add_user::addr_spec, assertion_claims::AssertionClaims, redeem_assertion::refused,
};
use gatepass_oauth::{Error, ErrorCode, ResourceUri};
use gatepass_store::{UserId, trust::EmailProof};
use serde_json::Value;

/// `typ` of an identity assertion.
pub(crate) const TYP: &str = "oauth-id-jag+jwt";
/// The name of this profile of the JWT bearer grant, for metadata.
pub const PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// Where a token of an identity assertion is for: the one of its `resource`, which may be a list, that is asked for, or the
/// only one.
pub(crate) fn target(claims: &AssertionClaims, asked: Option<&ResourceUri>) -> Result<Option<ResourceUri>, Error> {
    let invalid = |description: &'static str| Error::new(ErrorCode::InvalidTarget, description);
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<ResourceUri>().ok());
    let named: Option<Vec<ResourceUri>> = match claims.others.get("resource") {
        None => return Ok(asked.cloned()),
        Some(Value::Array(all)) => all.iter().map(parse).collect(),
        Some(one) => parse(one).map(|one| vec![one]),
    };
    let named = named.ok_or_else(|| refused("its resource is no URI and no list of them"))?;
    match (asked, named.as_slice()) {
        (None, [only]) => Ok(Some(only.clone())),
        (None, _) => Err(invalid("the assertion names several resources, or none: name one of them")),
        (Some(asked), all) => match all.iter().find(|one| one.names_same(asked)) {
            Some(one) => Ok(Some(one.clone())),
            None => Err(invalid("the assertion is for another resource")),
        },
    }
}

impl Authority {
    /// The person that an identity assertion names to this client.
    pub(crate) async fn person_of(
        &self,
        asking: Asking<'_>,
        claims: &AssertionClaims,
        email: EmailProof,
    ) -> Result<UserId, Failure> {
        if !asking.client.is_confidential() {
            let description = "an identity assertion is for a client that proves itself";
            return Err(Error::new(ErrorCode::UnauthorizedClient, description).into());
        }
        if claims.text("client_id") != Some(asking.client.id.as_str()) {
            return Err(refused("its client_id is another client").into());
        }
        if claims.aud.len() != 1 || claims.jti.is_none() || claims.iat.is_none() {
            return Err(refused("an identity assertion has one aud, a jti and an iat").into());
        }
        if claims.others.contains_key("authorization_details") {
            return Err(refused("authorization_details are not offered here").into());
        }
        let is_verified = match (claims.others.get("email_verified"), email) {
            (Some(said), _) => *said == Value::Bool(true),
            (None, proof) => proof == EmailProof::Governed,
        };
        let email = claims.others.get("email").and_then(Value::as_str).filter(|_| is_verified);
        let email = email.and_then(addr_spec).ok_or_else(|| refused("it names no verified email"))?;
        let user = self.0.store.user_by_email(&email).await?.filter(|user| user.email_verified_at.is_some());
        user.map(|user| user.id).ok_or_else(|| refused("the person has no account here").into())
    }
}
