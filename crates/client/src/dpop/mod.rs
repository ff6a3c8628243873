//! Sign-ins that are bound to a key (RFC 9449): whoever has copied a token and not the key has nothing.
//!
//! 1. A key is made when the sign-in begins, and lives in the vault beside the tokens ([`DpopKey`]).
//! 2. The authorization request names it (`dpop_jkt`, §10), the pushed request and the device's request show it (§10.1).
//! 3. Each request to the token endpoint carries a proof (§5), and so does each use of a token that the server has
//!    called a `DPoP` token (§7.1). A server may give a plain bearer token for a proof; then the refresh token is what is
//!    bound.
//! 4. A server that wants its nonce says so, once; it is remembered for as long as the process lives (§8, §9).
//! 5. A server that refuses a proof tells its time in the same answer. If ours is another, proofs are made by the
//!    server's from then on: a clock that is wrong is no reason not to sign in (§11.1).
//!
//! Where the vault is elsewhere, an agent makes the proofs of step 3, and only for access tokens ([`holder`]).
//!
//! Steps 3 to 5 are [`Prover::send`]; nobody else makes proofs, save [`SignIns::authorize`](crate::SignIns::authorize) and
//! [`crate::Bearer::headers`] for whoever has an HTTP client of their own. What steps 4 and 5 learn is in [`lesson`].

pub mod holder;
pub mod lesson;
pub mod memory;

use crate::{Call, Failure, Reply, Server, SignInError, Transport, Unreachable};
use gatepass_keys::{Clock, Entropy, ProofKey, dpop::Wanted, jws::SigningKeyError};
use gatepass_oauth::{ClientId, ErrorCode, Secret, TokenResponse, TokenType};
use holder::Hand;
use lesson::{Complaint, Lessons};
use memory::Known;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// The client that every gatepass server knows: its sign-ins are bound without being told.
const OWN_CLIENT: &str = "gatepass-cli";

/// Whether a sign-in is to be bound to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyBinding {
    /// Where gatepass's own program signs in at a server that offers it.
    #[default]
    OwnSignIns,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl KeyBinding {
    /// Whether a sign-in of this client at this server is bound; `None` when it must be and cannot.
    #[must_use]
    pub fn binds(self, client_id: &ClientId, server: &Server) -> Option<bool> {
        match self {
            Self::OwnSignIns => Some(server.offers_dpop && client_id.as_str() == OWN_CLIENT),
            Self::Always => server.offers_dpop.then_some(true),
            Self::Never => Some(false),
        }
    }

    /// Whether tokens will do: where the binding is a demand, something of them must be bound. A plain access token has a
    /// refresh token beside it, which the server may have bound; alone it is not used (RFC 9449 §5).
    ///
    /// # Errors
    /// [`SignInError::NotBound`].
    pub fn check(self, given: &TokenResponse) -> Result<(), SignInError> {
        let is_plain = given.token_type != TokenType::Dpop && given.refresh_token.is_none();
        if self == Self::Always && is_plain { Err(SignInError::NotBound) } else { Ok(()) }
    }
}

/// The key of a sign-in, as the vault keeps it: PKCS#8, base64url. It is read when a proof is wanted, and not before.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Secret", into = "Secret")]
pub struct DpopKey {
    text: Secret,
    opened: Arc<OnceLock<Result<ProofKey, SigningKeyError>>>,
}

impl DpopKey {
    /// A new key (ES256).
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate() -> Result<Self, SigningKeyError> {
        ProofKey::generate().map(|(_, text)| text.into())
    }

    /// The thumbprint of its public half.
    ///
    /// # Errors
    /// [`SigningKeyError::Damaged`].
    pub fn thumbprint(&self) -> Result<&str, SigningKeyError> {
        self.opened().map(ProofKey::thumbprint)
    }

    /// Makes a proof for one request (§4.2).
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn prove(&self, wanted: &Wanted<'_>, clock: &Clock, entropy: &Entropy) -> Result<Secret, SigningKeyError> {
        self.opened()?.prove(wanted, clock, entropy)
    }

    /// The same for a token of which only the hash is known.
    pub(crate) fn prove_by_hash(
        &self,
        wanted: &Wanted<'_>,
        ath: &str,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<Secret, SigningKeyError> {
        self.opened()?.prove_by_hash(wanted, ath, clock, entropy)
    }

    fn opened(&self) -> Result<&ProofKey, SigningKeyError> {
        self.opened.get_or_init(|| ProofKey::from_secret(&self.text)).as_ref().map_err(|error| *error)
    }
}

impl From<Secret> for DpopKey {
    fn from(text: Secret) -> Self {
        Self { text, opened: Arc::default() }
    }
}

impl From<DpopKey> for Secret {
    fn from(key: DpopKey) -> Self {
        key.text
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DpopKey(<secret>)")
    }
}

/// A key at work.
#[derive(Clone, Copy, Debug)]
pub struct Prover<'a> {
    /// The key, or who has it.
    pub key: Hand<'a>,
    /// The time.
    pub clock: &'a Clock,
    /// Randomness.
    pub entropy: &'a Entropy,
}

impl Prover<'_> {
    /// Sends a request with a proof, beside `token` if there is one; again when the server wants its nonce, and again when
    /// our clock is not the server's. Each try is made anew by `make`, since what a client proves itself with may be
    /// good only once.
    ///
    /// # Errors
    /// [`Failure`] when no answer came; an answer of any status is none.
    pub async fn send(
        self,
        transport: &Transport,
        token: Option<&Secret>,
        make: impl Fn() -> Result<Call, Failure>,
    ) -> Result<Reply, Failure> {
        let mut lessons = Lessons::default();
        loop {
            let call = make()?;
            let url = call.url().clone();
            let known = transport.memory().of(url.url());
            let proof = self.prove(&call, token, &known).await?;
            let reply = transport.send(call.with_proof(token, proof)).await?;
            let lesson = complaint(&reply).and_then(|complaint| {
                complaint.teaches(transport.memory(), self.clock, url.url(), reply.told(), &known)
            });
            if !lesson.is_some_and(|lesson| lessons.are_new(lesson)) {
                return Ok(reply);
            }
        }
    }

    async fn prove(self, call: &Call, token: Option<&Secret>, known: &Known) -> Result<Secret, Failure> {
        let wanted = Wanted {
            method: call.method(),
            url: call.url().as_str(),
            nonce: known.nonce.as_deref(),
            access_token: token.map(Secret::expose),
        };
        self.key.prove(&wanted, &known.clock(self.clock), self.entropy).await.map_err(|error| Failure::Unreachable {
            host: call.url().host(),
            why: Unreachable::NoConnection(error.to_string()),
        })
    }
}

/// A token endpoint says it in its document (§5, §8), a resource in its challenge (§7.1, §9).
fn complaint(reply: &Reply) -> Option<Complaint> {
    if !matches!(reply.status, 400 | 401) {
        return None;
    }
    let says =
        |code: ErrorCode| reply.refuses_with(code) || (reply.status == 401 && reply.told().challenges(code.as_str()));
    if says(ErrorCode::UseDpopNonce) {
        Some(Complaint::Nonce)
    } else if says(ErrorCode::InvalidDpopProof) {
        Some(Complaint::Proof)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_as_text_and_shows_itself_nowhere() {
        let key = DpopKey::generate().unwrap();
        let kept = serde_json::to_string(&key).unwrap();
        let again: DpopKey = serde_json::from_str(&kept).unwrap();
        assert_eq!(again.thumbprint().unwrap(), key.thumbprint().unwrap());
        let shown = format!("{again:?} {:?}", again.opened);
        assert!(!shown.contains(kept.trim_matches('"')), "{shown}");
        let damaged: DpopKey = serde_json::from_str("\"AAAA\"").unwrap();
        assert_eq!(damaged.thumbprint(), Err(SigningKeyError::Damaged));
    }

    #[test]
    fn own_sign_ins_are_bound_where_that_is_offered_and_others_when_asked() {
        let server = |offers_dpop| Server {
            offers_dpop,
            ..Server::bare("https://a.example".parse().unwrap(), "https://a.example/token".parse().unwrap())
        };
        let (own, other) = ("gatepass-cli".parse().unwrap(), "notes-cli".parse().unwrap());
        let table = [
            (KeyBinding::OwnSignIns, &own, true, Some(true)),
            (KeyBinding::OwnSignIns, &own, false, Some(false)),
            (KeyBinding::OwnSignIns, &other, true, Some(false)),
            (KeyBinding::Always, &other, true, Some(true)),
            (KeyBinding::Always, &own, false, None),
            (KeyBinding::Never, &own, true, Some(false)),
        ];
        for (wish, client, offered, expected) in table {
            assert_eq!(wish.binds(client, &server(offered)), expected, "{wish:?} {client} {offered}");
        }
    }
}
