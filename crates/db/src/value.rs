//! The values that a statement may bind: the few kinds that both engines share.

use smallvec::SmallVec;
use std::borrow::Cow;

/// Bytes of a [`Value`]. Ids and hashes (16 and 32 bytes) stay inside the value, without an allocation.
pub type Bytes = SmallVec<[u8; 32]>;

/// One bound value.
///
/// Times are bound as [`Value::Int`] in UTC milliseconds, ids as [`Value::Blob`] of 16 bytes.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL `null`.
    Null,
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(Cow<'static, str>),
    /// A `blob` (`bytea` on PostgreSQL).
    Blob(Bytes),
}

/// Prints the kind and never the content: it may be the hash of a secret or somebody's address.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int(…)",
            Self::Text(_) => "Text(…)",
            Self::Blob(_) => "Blob(…)",
        })
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned().into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(value: Cow<'static, str>) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone().into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(Bytes::from_vec(value))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Bytes::from_slice(value))
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Blob(Bytes::from_slice(&value))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Blob(Bytes::from_slice(value))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of one statement, in the order of their numbers: the first is `$1`.
///
/// ```
/// use gatepass_db::{Value, params};
/// let values = params![7_i64, "seven", [7_u8; 16], None::<i64>];
/// assert_eq!(values.last(), Some(&Value::Null));
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Value::from($value)),*] };
}
