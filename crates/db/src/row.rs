//! Reading rows: one neutral [`Cell`] per column, whatever the engine.

use crate::Error;

/// One row of an answer. Columns are counted from 0 in the order of the `select`.
pub struct Row<'a>(Source<'a>);

enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// What one column of one row holds.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    /// SQL `null`.
    Null,
    /// A whole number; also a `bool` of PostgreSQL, as 0 or 1.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Cell<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "a number",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
        }
    }
}

/// A Rust type that can be read from one column. Implement it for newtypes of ids and the like.
pub trait Column: Sized {
    /// What the column must hold, for the error: `text`, `16 bytes`.
    const EXPECTS: &'static str;

    /// The value, or `None` when the cell holds something else.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

/// A Rust type that can be read from one row.
pub trait FromRow: Sized + Send + 'static {
    /// Reads the row.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a column is missing or holds something else.
    fn from_row(row: &Row<'_>) -> Result<Self, Error>;
}

impl Row<'_> {
    /// Reads the column at `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is no such column or it holds something else.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, Error> {
        let cell = self.cell(index)?;
        T::from_cell(cell).ok_or_else(|| Error::column(index, cell.kind(), T::EXPECTS))
    }

    fn cell(&self, index: usize) -> Result<Cell<'_>, Error> {
        match self.0 {
            Source::Sqlite(row) => sqlite_cell(row, index),
            Source::Postgres(row) => postgres_cell(row, index),
        }
    }
}

impl<'a> From<&'a rusqlite::Row<'a>> for Row<'a> {
    fn from(row: &'a rusqlite::Row<'a>) -> Self {
        Self(Source::Sqlite(row))
    }
}

impl<'a> From<&'a tokio_postgres::Row> for Row<'a> {
    fn from(row: &'a tokio_postgres::Row) -> Self {
        Self(Source::Postgres(row))
    }
}

fn sqlite_cell<'a>(row: &'a rusqlite::Row<'a>, index: usize) -> Result<Cell<'a>, Error> {
    use rusqlite::types::ValueRef;
    let value = row.get_ref(index).map_err(|_| Error::column(index, "nothing", "a column"))?;
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(_) => return Err(Error::column(index, "a fraction", "a whole number")),
        ValueRef::Text(text) => {
            Cell::Text(std::str::from_utf8(text).map_err(|_| Error::column(index, "broken UTF-8", "text"))?)
        }
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
    })
}

fn postgres_cell(row: &tokio_postgres::Row, index: usize) -> Result<Cell<'_>, Error> {
    use tokio_postgres::types::{FromSql, Type};
    fn read<'a, T: FromSql<'a>>(
        row: &'a tokio_postgres::Row,
        index: usize,
        cell: impl FnOnce(T) -> Cell<'a>,
    ) -> Result<Cell<'a>, Error> {
        let value: Option<T> =
            row.try_get(index).map_err(|_| Error::column(index, "an unreadable value", "a value"))?;
        Ok(value.map_or(Cell::Null, cell))
    }
    let Some(column) = row.columns().get(index) else {
        return Err(Error::column(index, "nothing", "a column"));
    };
    match *column.type_() {
        Type::INT8 => read(row, index, Cell::Int),
        Type::INT4 => read(row, index, |number: i32| Cell::Int(number.into())),
        Type::BOOL => read(row, index, |truth: bool| Cell::Int(truth.into())),
        Type::TEXT | Type::VARCHAR | Type::NAME => read(row, index, Cell::Text),
        Type::BYTEA => read(row, index, Cell::Blob),
        _ => Err(Error::column(index, "a type outside the shared subset", "bigint, text or bytea")),
    }
}

impl Column for i64 {
    const EXPECTS: &'static str = "a whole number";
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Int(number) = cell { Some(number) } else { None }
    }
}

impl Column for String {
    const EXPECTS: &'static str = "text";
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Text(text) = cell { Some(text.to_owned()) } else { None }
    }
}

impl Column for Vec<u8> {
    const EXPECTS: &'static str = "bytes";
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Blob(bytes) = cell { Some(bytes.to_vec()) } else { None }
    }
}

impl<const N: usize> Column for [u8; N] {
    const EXPECTS: &'static str = "bytes of a fixed length";
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Blob(bytes) = cell { bytes.try_into().ok() } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        if let Cell::Null = cell { Some(None) } else { T::from_cell(cell).map(Some) }
    }
}

/// A row nobody reads: its existence is the answer.
impl FromRow for () {
    fn from_row(_: &Row<'_>) -> Result<Self, Error> {
        Ok(())
    }
}

/// The first column.
impl<T: Column + Send + 'static> FromRow for T {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        row.get(0)
    }
}

macro_rules! tuple {
    ($($column:ident $index:literal),+) => {
        impl<$($column: Column + Send + 'static),+> FromRow for ($($column,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, Error> {
                Ok(($(row.get::<$column>($index)?,)+))
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
