//! How the vocabulary's types stand in columns.

use gatepass_db::{Error, Row, Value};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ResourceUri, Scope, SignInMethod, UtcMillis};
use std::{fmt, str::FromStr};

/// A person's identifier: a UUIDv7, shown in the usual form of a UUID. It is the `sub` of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub [u8; 16]);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        let mut text = String::with_capacity(36);
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push(digit(byte >> 4));
            text.push(digit(byte & 0xf));
        }
        f.write_str(&text)
    }
}

/// How and when a person proved themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// When.
    pub at: UtcMillis,
    /// How.
    pub method: SignInMethod,
    /// In which web session.
    pub session_id: Option<TokenId>,
}

/// Reading columns as what they mean. The index counts from 0 in the order of the `select`.
pub(crate) trait Columns {
    fn id(&self, index: usize) -> Result<TokenId, Error>;
    fn maybe_id(&self, index: usize) -> Result<Option<TokenId>, Error>;
    fn user(&self, index: usize) -> Result<UserId, Error>;
    fn maybe_user(&self, index: usize) -> Result<Option<UserId>, Error>;
    fn hash(&self, index: usize) -> Result<HashedToken, Error>;
    fn maybe_hash(&self, index: usize) -> Result<Option<HashedToken>, Error>;
    fn time(&self, index: usize) -> Result<UtcMillis, Error>;
    fn maybe_time(&self, index: usize) -> Result<Option<UtcMillis>, Error>;
    fn parsed<T: FromStr>(&self, index: usize) -> Result<T, Error>;
    fn maybe_parsed<T: FromStr>(&self, index: usize) -> Result<Option<T>, Error>;
    /// Three columns: when, how, and in which session.
    fn authentication(&self, first: usize) -> Result<Authentication, Error>;
    fn scope(&self, index: usize) -> Result<Scope, Error>;
    fn resource(&self, index: usize) -> Result<ResourceUri, Error>;
    /// A list that was written with [`joined`].
    fn list<T: FromStr>(&self, index: usize) -> Result<Vec<T>, Error>;
}

impl Columns for Row<'_> {
    fn id(&self, index: usize) -> Result<TokenId, Error> {
        self.get(index).map(TokenId)
    }

    fn maybe_id(&self, index: usize) -> Result<Option<TokenId>, Error> {
        Ok(self.get::<Option<[u8; 16]>>(index)?.map(TokenId))
    }

    fn user(&self, index: usize) -> Result<UserId, Error> {
        self.get(index).map(UserId)
    }

    fn maybe_user(&self, index: usize) -> Result<Option<UserId>, Error> {
        Ok(self.get::<Option<[u8; 16]>>(index)?.map(UserId))
    }

    fn hash(&self, index: usize) -> Result<HashedToken, Error> {
        self.get(index).map(HashedToken)
    }

    fn maybe_hash(&self, index: usize) -> Result<Option<HashedToken>, Error> {
        Ok(self.get::<Option<[u8; 32]>>(index)?.map(HashedToken))
    }

    fn time(&self, index: usize) -> Result<UtcMillis, Error> {
        self.get(index).map(UtcMillis)
    }

    fn maybe_time(&self, index: usize) -> Result<Option<UtcMillis>, Error> {
        Ok(self.get::<Option<i64>>(index)?.map(UtcMillis))
    }

    fn parsed<T: FromStr>(&self, index: usize) -> Result<T, Error> {
        parse(&self.get::<String>(index)?, index)
    }

    fn maybe_parsed<T: FromStr>(&self, index: usize) -> Result<Option<T>, Error> {
        self.get::<Option<String>>(index)?.map(|text| parse(&text, index)).transpose()
    }

    fn authentication(&self, first: usize) -> Result<Authentication, Error> {
        Ok(Authentication {
            at: self.time(first)?,
            method: self.parsed(first + 1)?,
            session_id: self.maybe_id(first + 2)?,
        })
    }

    fn scope(&self, index: usize) -> Result<Scope, Error> {
        self.parsed(index)
    }

    fn resource(&self, index: usize) -> Result<ResourceUri, Error> {
        ResourceUri::from_stored(self.get(index)?).ok_or_else(|| of_another_kind(index))
    }

    fn list<T: FromStr>(&self, index: usize) -> Result<Vec<T>, Error> {
        let text: String = self.get(index)?;
        text.split(' ').filter(|item| !item.is_empty()).map(|item| parse(item, index)).collect()
    }
}

fn parse<T: FromStr>(text: &str, index: usize) -> Result<T, Error> {
    text.parse().map_err(|_| of_another_kind(index))
}

pub(crate) fn of_another_kind(index: usize) -> Error {
    Error::Corrupt { what: format!("column {index} holds a text of another kind") }
}

/// A list of texts without spaces, as one column.
pub(crate) fn joined<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// An optional time as a parameter.
pub(crate) fn maybe(time: Option<UtcMillis>) -> Value {
    time.map(|time| time.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_shows_as_a_uuid() {
        assert_eq!(UserId([0xa1; 16]).to_string(), "a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1");
    }
}
