//! An ID token that comes back as a hint (OpenID Connect Core §3.1.2.1, RP-Initiated Logout 1.0 §2).
//!
//! Its header says that it is one: an access token in the form of a JWT is signed with the same keys (RFC 9068 §2.1).
//! It is believed when this server has signed it, also when it is over: it says who was meant, and opens nothing.

use crate::{Authority, Failure, LiveSession};
use gatepass_keys::{TokenId, jose, jws, jws::base64url};
use gatepass_oauth::Secret;
use serde::{Deserialize, de::IgnoredAny};

/// The `typ` of the ID tokens that this server signs.
pub(crate) const TYP: &str = "JWT";

/// What a hint says.
#[derive(Debug, Deserialize)]
pub(crate) struct Hint {
    iss: String,
    /// Who was signed in.
    pub(crate) sub: String,
    /// To which client that was said.
    pub(crate) aud: String,
    /// In which session.
    #[serde(default)]
    pub(crate) sid: Option<String>,
    /// Only a logout token has events; it is no ID token.
    #[serde(default)]
    events: Option<serde_json::Value>,
}

impl Hint {
    /// Whether it speaks of this very session.
    pub(crate) fn is_of(&self, session: &LiveSession, authority: &Authority) -> bool {
        self.sub == session.user_id.to_string() && self.sid.as_deref() == Some(&authority.public_sid(session.origin_id))
    }
}

/// What becomes of a hint.
#[derive(Debug)]
pub(crate) enum Read {
    /// This server has signed it.
    Signed(Hint),
    /// It says that this server has signed it, with a key that is published no more: nobody can tell.
    Outlived(Hint),
    /// It is none, or forged.
    Bad,
}

impl Read {
    /// What was signed here.
    pub(crate) fn signed(self) -> Option<Hint> {
        match self {
            Self::Signed(hint) => Some(hint),
            Self::Outlived(_) | Self::Bad => None,
        }
    }
}

impl Authority {
    /// What an ID token says, and whether that is so.
    pub(crate) async fn read_hint(&self, hint: &Secret) -> Result<Read, Failure> {
        let Some((header, said)) = jose::unverified::<Hint>(hint.expose()) else { return Ok(Read::Bad) };
        if !header.is_of_type(TYP) || said.iss != self.issuer().as_str() || said.events.is_some() {
            return Ok(Read::Bad);
        }
        let keys = self.published_keys().await?;
        let is_published = keys.keys.iter().any(|key| key.kid == header.kid);
        Ok(match jws::verify::<IgnoredAny>(hint.expose(), &keys) {
            Ok(_) => Read::Signed(said),
            Err(_) if header.kid.is_some() && !is_published => Read::Outlived(said),
            Err(_) => Read::Bad,
        })
    }

    /// The public name of a session, `sid`: it tells sessions apart and names none to this server. A client that has it
    /// knows no cookie, and nobody without the server's secret can make one.
    pub(crate) fn public_sid(&self, origin: TokenId) -> String {
        let hash = self.0.sids.hash(&format!("{:032x}", u128::from_be_bytes(origin.0)));
        let (half, _) = hash.split_at(16);
        base64url(half)
    }
}
