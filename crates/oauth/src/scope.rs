//! Scopes: a set of names, written with spaces between them (RFC 6749 §3.3).

use serde::{Deserialize, Serialize, Serializer};
use std::{fmt, str::FromStr, sync::Arc};

/// The longest scope text that is taken, in bytes.
const MAX_LENGTH: usize = 2048;

/// A set of scope names, kept sorted and without repetition, so that equal sets are equal texts. A copy shares the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(Arc<[Box<str>]>);

/// The text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is a list of names with one space between them; a name is printable ASCII without quotes and backslashes"
)]
pub struct InvalidScope;

impl Scope {
    /// No scope at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set holds `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|known| known.as_ref().cmp(name)).is_ok()
    }

    /// Whether every name of `self` is in `other` too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.contains(name))
    }

    /// The names that stand in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// The names that stand in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|name| other.contains(name)).collect()
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl<'a> FromIterator<&'a str> for Scope {
    /// Builds a set from names that are known to be good; others are left out.
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().filter(|name| is_name(name)).map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidScope);
        }
        let names: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
        if !names.iter().all(|name| is_name(name)) {
            return Err(InvalidScope);
        }
        Ok(names.into_iter().collect())
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let scope: Scope = "write read read  admin".parse().unwrap();
        assert_eq!(scope.to_string(), "admin read write");
        assert_eq!(scope, "admin write read".parse().unwrap());
    }

    #[test]
    fn a_name_keeps_to_the_grammar() {
        for bad in ["a\"b", "a\\b", "a\tb", "ü", "a\u{7f}"] {
            assert_eq!(bad.parse::<Scope>(), Err(InvalidScope), "{bad:?}");
        }
        assert!("x".repeat(MAX_LENGTH + 1).parse::<Scope>().is_err());
    }

    #[test]
    fn sets_compare_as_sets() {
        let (small, large): (Scope, Scope) = ("b".parse().unwrap(), "a b c".parse().unwrap());
        assert!(small.is_within(&large) && !large.is_within(&small));
        assert!(Scope::empty().is_within(&small));
        assert_eq!(large.intersection(&"c d".parse().unwrap()).to_string(), "c");
        assert_eq!(small.union(&"a".parse().unwrap()).to_string(), "a b");
    }

    proptest::proptest! {
        #[test]
        fn what_was_parsed_prints_to_the_same_set(text in "[ -~]{0,40}") {
            if let Ok(scope) = text.parse::<Scope>() {
                proptest::prop_assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
            }
        }
    }
}
