//! Randomness, passed in.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// A source of random bytes fit for keys.
#[derive(Clone, Debug)]
pub struct Entropy(SystemRandom);

/// The operating system gave no randomness; nothing may be minted without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

impl Entropy {
    /// The operating system's source. Made once, at the top of a program.
    #[must_use]
    pub fn system() -> Self {
        Self(SystemRandom::new())
    }

    /// `N` fresh random bytes.
    ///
    /// # Errors
    /// [`NoEntropy`], which no known system gives after boot.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).map_err(|_| NoEntropy)?;
        Ok(bytes)
    }

    /// A text of `length` symbols drawn evenly from `alphabet` (at most 256 symbols).
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn text(&self, alphabet: &[u8], length: usize) -> Result<String, NoEntropy> {
        self.text_from(&self.bytes::<32>()?, alphabet, length)
    }

    /// The same from bytes that were drawn for it, and more that are drawn if they do not suffice.
    pub(crate) fn text_from(&self, drawn: &[u8], alphabet: &[u8], length: usize) -> Result<String, NoEntropy> {
        let mut text = String::with_capacity(length);
        // A byte at or above the largest multiple of the alphabet's size would favour its beginning.
        let fair = 256 - 256 % alphabet.len().max(1);
        let mut push = |bytes: &[u8]| {
            let even = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
            let symbols = even.filter_map(|byte| alphabet.get(byte % alphabet.len().max(1)));
            text.extend(symbols.take(length - text.len()).map(|symbol| char::from(*symbol)));
            text.len() < length
        };
        let mut wants_more = push(drawn);
        while wants_more {
            wants_more = push(&self.bytes::<32>()?);
        }
        Ok(text)
    }

    /// A number below `bound`, each as likely as the others.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn below(&self, bound: u64) -> Result<u64, NoEntropy> {
        let bound = bound.max(1);
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = u64::from_le_bytes(self.bytes()?);
            if drawn < fair {
                return Ok(drawn % bound);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_text_uses_the_whole_alphabet_evenly() {
        let text = Entropy::system().text(b"abcdefghijklmnopqrst", 20_000).unwrap();
        assert_eq!(text.len(), 20_000);
        for symbol in b'a'..=b't' {
            let count = text.bytes().filter(|b| *b == symbol).count();
            assert!((800..1200).contains(&count), "{} came {count} times", char::from(symbol));
        }
    }

    #[test]
    fn a_number_stays_below_its_bound() {
        let entropy = Entropy::system();
        assert!((0..1000).all(|_| entropy.below(7).unwrap() < 7));
        assert_eq!(entropy.below(0).unwrap(), 0);
    }
}
