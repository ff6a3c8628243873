//! Binding a [`Value`] to whatever type PostgreSQL has inferred for its place.
//!
//! A text of PostgreSQL cannot hold the character NUL, and one that does would fail the statement. Strangers choose some
//! texts, so U+FFFD takes its place: a look-up finds nothing then, as it would on SQLite.

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, WrongType, to_sql_checked};

use crate::Value;

type Refused = Box<dyn std::error::Error + Send + Sync>;

impl ToSql for Value {
    fn to_sql(&self, inferred: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // In `$1 + 1` PostgreSQL infers the smaller type.
            Self::Int(number) if *inferred == Type::INT4 => i32::try_from(*number)?.to_sql(inferred, out),
            Self::Int(number) => checked::<i64>(number, inferred, out),
            Self::Text(text) if text.contains('\0') => {
                checked::<&str>(&text.replace('\0', "\u{fffd}").as_str(), inferred, out)
            }
            Self::Text(text) => checked::<&str>(&&**text, inferred, out),
            Self::Blob(bytes) => checked::<&[u8]>(&bytes.as_slice(), inferred, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn checked<T: ToSql>(value: &T, inferred: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
    if T::accepts(inferred) {
        value.to_sql(inferred, out)
    } else {
        Err(Box::new(WrongType::new::<T>(inferred.clone())))
    }
}
