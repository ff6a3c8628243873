//! The vault's header: what must be known before it can be opened.
//!
//! ```text
//! 0   8  magic "gatepass"
//! 8   1  version, 1
//! 9   1  custody: 1 keyring, 2 command, 3 passphrase, 4 key file
//! 10 16  the vault's own identifier, random; it names the key in a keyring
//! 26 16  salt of the passphrase
//! 42  4  memory of the passphrase's hash in KiB
//! 46  4  its rounds
//! 50 40  an empty text sealed with the key: tells a wrong key from a damaged vault
//! 90  8  checksum: the first bytes of the SHA-256 of all before it
//! 98  …  the sealed content, bound to the 98 bytes before it
//! ```

use super::custody::Custody;
use gatepass_keys::{Entropy, SealingKey, seal::SealError};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"gatepass";
const VERSION: u8 = 1;
const KEY_CHECK_LENGTH: usize = 40;
const CHECKED_LENGTH: usize = 90;
/// The length of the whole header in bytes.
pub(crate) const LENGTH: usize = 98;

/// A header, without its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) custody: Custody,
    pub(crate) id: [u8; 16],
    pub(crate) salt: [u8; 16],
    /// Argon2's memory in KiB and rounds.
    pub(crate) cost: (u32, u32),
    key_check: [u8; KEY_CHECK_LENGTH],
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Too short, another magic, or a checksum that does not fit.
    Damaged,
    /// Made by a later version of this program.
    Newer(u8),
}

impl Header {
    pub(crate) fn new(
        custody: Custody,
        salt: [u8; 16],
        cost: (u32, u32),
        key: &SealingKey,
        id: [u8; 16],
        entropy: &Entropy,
    ) -> Result<Self, SealError> {
        let sealed = key.seal(&id, b"", entropy)?;
        let key_check = sealed.try_into().map_err(|_| SealError::Unopened)?;
        Ok(Self { custody, id, salt, cost, key_check })
    }

    /// Whether this is the key that the vault was made with.
    pub(crate) fn fits(&self, key: &SealingKey) -> bool {
        key.open(&self.id, &self.key_check).is_ok()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, self.custody.code()]);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.cost.0.to_be_bytes());
        bytes.extend_from_slice(&self.cost.1.to_be_bytes());
        bytes.extend_from_slice(&self.key_check);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    pub(crate) fn decode(file: &[u8]) -> Result<Self, BadHeader> {
        let mut rest = file;
        if take::<8>(&mut rest)? != *MAGIC {
            return Err(BadHeader::Damaged);
        }
        let [version, custody] = take::<2>(&mut rest)?;
        if version > VERSION {
            return Err(BadHeader::Newer(version));
        }
        let (checked, _) = file.split_at_checked(CHECKED_LENGTH).ok_or(BadHeader::Damaged)?;
        let header = Self {
            custody: Custody::from_code(custody).ok_or(BadHeader::Damaged)?,
            id: take(&mut rest)?,
            salt: take(&mut rest)?,
            cost: (u32::from_be_bytes(take(&mut rest)?), u32::from_be_bytes(take(&mut rest)?)),
            key_check: take(&mut rest)?,
        };
        if take::<8>(&mut rest)? == checksum(checked) { Ok(header) } else { Err(BadHeader::Damaged) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadHeader> {
    let (first, others) = rest.split_first_chunk::<N>().ok_or(BadHeader::Damaged)?;
    *rest = others;
    Ok(*first)
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> (Header, SealingKey) {
        let entropy = Entropy::system();
        let key = SealingKey::generate(&entropy).unwrap();
        (Header::new(Custody::Passphrase, [7; 16], (65_536, 3), &key, [9; 16], &entropy).unwrap(), key)
    }

    #[test]
    fn a_header_reads_back_and_knows_its_key() {
        let (header, key) = header();
        let bytes = header.encode();
        assert_eq!(bytes.len(), LENGTH);
        let read = Header::decode(&bytes).unwrap();
        assert_eq!(read, header);
        assert!(read.fits(&key) && !read.fits(&SealingKey::from_secret("other", "x")));
    }

    #[test]
    fn damage_and_later_versions_are_told_apart() {
        let bytes = header().0.encode();
        for at in 0..LENGTH {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(Header::decode(&bytes).is_err(), "byte {at}");
        }
        let mut newer = bytes.clone();
        newer[8] = 2;
        assert_eq!(Header::decode(&newer), Err(BadHeader::Newer(2)));
        assert_eq!(Header::decode(&bytes[..50]), Err(BadHeader::Damaged));
        assert_eq!(Header::decode(b""), Err(BadHeader::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let _ = Header::decode(&bytes);
        }
    }
}
