//! Opaque tokens.
//!
//! ```text
//! gpa_ 06evXJkD2l9qT0aB7cYwRs 5nQbV8LhXoE3dMzKpUf1G 0k3Jx9
//! kind identifier (22)        secret (21)           checksum (6)
//! ```
//!
//! - The *kind* says what the text is, to people and to scanners that look for leaked secrets.
//! - The *identifier* is a UUIDv7 in base62: 48 bits of time and 74 random bits. It is the key of the
//!   row, so that tokens made together lie together on disk.
//! - The *secret* is 21 random symbols, 125 bits. With the identifier's random bits a guess has one
//!   chance in 2¹⁹⁹ (RFC 6749 §10.10 asks for 2¹⁶⁰).
//! - The *checksum* is a CRC-32 over all before it: junk is refused without asking the database.
//!
//! The database keeps the identifier and the SHA-256 of the whole text. A hash without salt or
//! stretching is right here: what it hides is random.

use crate::{Entropy, entropy::NoEntropy};
use aws_lc_rs::{constant_time, digest};
use gatepass_oauth::{Secret, UtcMillis};
use std::{fmt, marker::PhantomData};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH: usize = 22;
const SECRET_LENGTH: usize = 21;
const CHECKSUM_LENGTH: usize = 6;

/// A kind of token: its prefix, and what it is called in a sentence.
pub trait Kind: Send + Sync + 'static {
    /// Four characters, the last an underscore.
    const PREFIX: &'static str;
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $name:ident = $prefix:literal, )*) => {
        $( $(#[$doc])* #[derive(Clone, Copy, Debug, PartialEq, Eq)] pub enum $name {}
           impl Kind for $name { const PREFIX: &'static str = $prefix; } )*

        /// Every prefix, for scanners and for tests.
        pub const PREFIXES: &[&str] = &[ $( $prefix, )* ];
    };
}

kinds! {
    /// Opens an API.
    AccessToken = "gpa_",
    /// Fetches the next access token.
    RefreshToken = "gpr_",
    /// Is exchanged for tokens once.
    AuthorizationCode = "gpc_",
    /// A device polls with it.
    DeviceCode = "gpd_",
    /// The value of a web session's cookie.
    SessionCookie = "gps_",
    /// A confidential client's secret.
    ClientSecret = "gpx_",
    /// Manages the registration of a client that registered itself.
    RegistrationToken = "gpm_",
    /// Stands for a pushed authorization request.
    PushedRequest = "gpp_",
    /// The path of a one-time link.
    OneTimeLink = "gpl_",
}

/// The identifier in a token: a UUIDv7, and the key of its row.
///
/// Who holds one knows no token; but an identifier of a refresh token is enough to be taken for its
/// reuse, so it is not shown or logged in full.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub [u8; 16]);

impl TokenId {
    /// A new identifier (RFC 9562 §5.7).
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new(now: UtcMillis, entropy: &Entropy) -> Result<Self, NoEntropy> {
        Ok(Self::of(now, entropy.bytes()?))
    }

    /// The same of random bytes that were drawn before, for this one alone.
    #[must_use]
    pub fn of(now: UtcMillis, random: [u8; 16]) -> Self {
        let time = u128::try_from(now.0.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
        let random = u128::from_be_bytes(random);
        let version = 0x7 << 76;
        let variant = 0x2 << 62;
        let (high, low) = (random & (0xfff << 64), random & 0x3fff_ffff_ffff_ffff);
        Self((time << 80 | version | high | variant | low).to_be_bytes())
    }
}

impl fmt::Debug for TokenId {
    /// Enough to tell two rows apart in a log, not enough to name one to the server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., a, b, c] = self.0;
        write!(f, "…{a:02x}{b:02x}{c:02x}")
    }
}

/// A token in the clear: made or presented just now, never stored.
pub struct PlainToken<K> {
    id: TokenId,
    text: Secret,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> PlainToken<K> {
    /// Makes a token.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn mint(now: UtcMillis, entropy: &Entropy) -> Result<Self, NoEntropy> {
        // Each drawing has its price, whatever its size: one for both.
        let drawn: [u8; 48] = entropy.bytes()?;
        let (id, secret) = drawn.split_first_chunk().ok_or(NoEntropy)?;
        let secret = entropy.text_from(secret, BASE62, SECRET_LENGTH)?;
        Ok(Self::of(TokenId::of(now, *id), &secret))
    }

    /// Makes a token for a row that exists: the next one of the same family.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn with_id(id: TokenId, entropy: &Entropy) -> Result<Self, NoEntropy> {
        Ok(Self::of(id, &entropy.text(BASE62, SECRET_LENGTH)?))
    }

    fn of(id: TokenId, secret: &str) -> Self {
        let mut text = String::with_capacity(K::PREFIX.len() + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH);
        text.push_str(K::PREFIX);
        push_base62::<ID_LENGTH>(&mut text, u128::from_be_bytes(id.0));
        text.push_str(secret);
        let checksum = crc32fast::hash(text.as_bytes());
        push_base62::<CHECKSUM_LENGTH>(&mut text, u128::from(checksum));
        Self { id, text: text.into(), kind: PhantomData }
    }

    /// Reads a presented token; `None` when the kind, the length or the checksum is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::read_id(text).map(|id| Self { id, text: text.into(), kind: PhantomData })
    }

    /// What a look-up needs of a presented token, without keeping its text.
    #[must_use]
    pub fn recognise(text: &str) -> Option<(TokenId, HashedToken)> {
        Self::read_id(text).map(|id| (id, HashedToken::of(text)))
    }

    fn read_id(text: &str) -> Option<TokenId> {
        let body = text.strip_prefix(K::PREFIX)?;
        if body.len() != ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH {
            return None;
        }
        let (checked, checksum) = text.split_at_checked(text.len() - CHECKSUM_LENGTH)?;
        if u128::from(crc32fast::hash(checked.as_bytes())) != read_base62(checksum)? {
            return None;
        }
        read_base62(body.get(..ID_LENGTH)?).map(|id| TokenId(id.to_be_bytes()))
    }

    /// The key of the token's row.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> HashedToken {
        HashedToken::of(self.text.expose())
    }

    /// The text, for its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// The text as a secret, for a wire message.
    #[must_use]
    pub fn into_secret(self) -> Secret {
        self.text
    }
}

impl<K> fmt::Debug for PlainToken<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainToken({:?})", self.id)
    }
}

/// The SHA-256 of a token. Equality takes the same time wherever the difference is.
#[derive(Clone, Copy, Eq)]
pub struct HashedToken(pub [u8; 32]);

impl HashedToken {
    /// Hashes a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut hash = [0; 32];
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

impl PartialEq for HashedToken {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedToken(…)")
    }
}

/// Appends the last `N` symbols of a number. Division of 128 bits is slow: ten symbols are as many as 64 hold.
fn push_base62<const N: usize>(text: &mut String, mut number: u128) {
    const AT_ONCE: usize = 10;
    const BASE: u128 = 62_u128.pow(10);
    let mut symbols = [b'0'; N];
    for some in symbols.rchunks_mut(AT_ONCE) {
        let mut digits = u64::try_from(number % BASE).unwrap_or(0);
        number /= BASE;
        for symbol in some.iter_mut().rev() {
            *symbol = usize::try_from(digits % 62).ok().and_then(|digit| BASE62.get(digit)).copied().unwrap_or(b'0');
            digits /= 62;
        }
    }
    text.extend(symbols.map(char::from));
}

fn read_base62(text: &str) -> Option<u128> {
    text.bytes().try_fold(0u128, |number, symbol| {
        let digit = match symbol {
            b'0'..=b'9' => symbol - b'0',
            b'A'..=b'Z' => symbol - b'A' + 10,
            b'a'..=b'z' => symbol - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_790_000_000_000);

    #[test]
    fn a_minted_token_reads_back_with_its_identifier_and_hash() {
        let token = PlainToken::<AccessToken>::mint(NOW, &Entropy::system()).unwrap();
        assert_eq!(token.expose().len(), 4 + 43 + 6);
        let read = PlainToken::<AccessToken>::parse(token.expose()).unwrap();
        assert_eq!(read.id(), token.id());
        assert_eq!(read.hash(), token.hash());
        assert_eq!(PlainToken::<AccessToken>::recognise(token.expose()), Some((token.id(), token.hash())));
        assert!(PlainToken::<RefreshToken>::parse(token.expose()).is_none());
    }

    #[test]
    fn the_next_token_of_a_family_has_its_identifier_and_another_hash() {
        let entropy = Entropy::system();
        let first = PlainToken::<RefreshToken>::mint(NOW, &entropy).unwrap();
        let next = PlainToken::<RefreshToken>::with_id(first.id(), &entropy).unwrap();
        assert_eq!(first.id(), next.id());
        assert_ne!(first.hash(), next.hash());
    }

    #[test]
    fn an_identifier_is_a_uuid_of_version_7_that_sorts_by_time() {
        let entropy = Entropy::system();
        let (early, late) =
            (TokenId::new(NOW, &entropy).unwrap(), TokenId::new(UtcMillis(NOW.0 + 1), &entropy).unwrap());
        assert!(early < late);
        assert_eq!(early.0[6] >> 4, 7);
        assert_eq!(early.0[8] >> 6, 2);
        assert_eq!(
            u64::from_be_bytes([0, 0, early.0[0], early.0[1], early.0[2], early.0[3], early.0[4], early.0[5]]),
            1_790_000_000_000
        );
    }

    #[test]
    fn nothing_of_a_token_prints() {
        let token = PlainToken::<SessionCookie>::mint(NOW, &Entropy::system()).unwrap();
        let printed = format!("{token:?} {:?}", token.hash());
        assert!(!printed.contains(&token.expose()[10..20]), "{printed}");
    }

    proptest::proptest! {
        #[test]
        fn a_token_with_one_changed_character_is_refused(at in 0usize..53, with in "[0-9A-Za-z]") {
            let token = PlainToken::<AccessToken>::mint(NOW, &Entropy::system()).unwrap();
            let mut text = token.expose().to_owned();
            text.replace_range(at..=at, &with);
            proptest::prop_assert_eq!(PlainToken::<AccessToken>::parse(&text).is_some(), text == token.expose());
        }

        #[test]
        fn no_text_makes_parsing_panic(text in "gpa_\\PC{0,60}") {
            let _ = PlainToken::<AccessToken>::parse(&text);
        }
    }
}
