//! Running statements on a connection.

use memchr::{memchr_iter, memchr3};
use rusqlite::{
    CachedStatement, Connection, Statement, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{failure::Failure, job::Attempt};
use crate::{Error, FromRow, Outcome, Row, Stmt, Value};

/// All rows of a statement.
pub(super) fn rows<T: FromRow>(connection: &Connection, sql: &'static str, params: &[Value]) -> Result<Vec<T>, Error> {
    let mut statement = bound(connection, sql, params)?;
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next().map_err(|error| explain(error, sql))? {
        read.push(T::from_row(&Row::from(row))?);
    }
    Ok(read)
}

/// The first row of a statement.
pub(super) fn first<T: FromRow>(
    connection: &Connection,
    sql: &'static str,
    params: &[Value],
) -> Result<Option<T>, Error> {
    let mut statement = bound(connection, sql, params)?;
    let mut rows = statement.raw_query();
    let row = rows.next().map_err(|error| explain(error, sql))?;
    row.map(|row| T::from_row(&Row::from(row))).transpose()
}

/// Runs a statement and counts the rows that it touched.
pub(super) fn execute(connection: &Connection, sql: &'static str, params: &[Value]) -> Result<u64, Error> {
    let touched = bound(connection, sql, params)?.raw_execute().map_err(|error| explain(error, sql))?;
    u64::try_from(touched).map_err(|error| Error::statement(sql, error.to_string()))
}

/// Runs the statements of a batch until one fails or touches another number of rows than it must.
pub(super) fn batch(connection: &Connection, statements: &[Stmt]) -> Attempt<Outcome> {
    for statement in statements {
        match execute(connection, statement.sql, &statement.params) {
            Ok(touched) if statement.accepts(touched) => {}
            Ok(_) => return Attempt::Undo(Ok(Outcome::Stale)),
            Err(error) => return Attempt::Undo(Err(error)),
        }
    }
    Attempt::Keep(Outcome::Done)
}

/// Proves that a statement is understood, and that its parameters are `$1`, `$2` … without a gap.
pub(super) fn prepare(connection: &Connection, sql: &'static str) -> Result<(), Error> {
    let mut statement = connection.prepare(sql).map_err(|error| explain(error, sql))?;
    let nulls = vec![Value::Null; statement.parameter_count()];
    bind(&mut statement, sql, &nulls)
}

/// The plan of a statement, a line per step, without running it.
pub(super) fn plan(connection: &Connection, sql: &'static str) -> Result<Vec<String>, Error> {
    let lines = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("explain query plan {sql}"))?;
        statement.raw_query().mapped(|row| row.get("detail")).collect()
    };
    lines().map_err(|error| explain(error, sql))
}

fn bound<'c>(connection: &'c Connection, sql: &'static str, params: &[Value]) -> Result<CachedStatement<'c>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| explain(error, sql))?;
    bind(&mut statement, sql, params)?;
    Ok(statement)
}

/// Binds the N-th value to `$N`.
///
/// SQLite itself numbers the names by their first appearance: in `… where b = $2 and a = $1`, its parameter 1 is
/// `$2`. Binding by position would go wrong without a word.
fn bind(statement: &mut Statement<'_>, sql: &'static str, params: &[Value]) -> Result<(), Error> {
    let count = statement.parameter_count();
    if count != params.len() {
        return Err(Error::statement(sql, format!("it takes {count} values and was given {}", params.len())));
    }
    if is_in_order(sql, count) {
        for (position, value) in (1..).zip(params) {
            statement.raw_bind_parameter(position, value).map_err(|error| explain(error, sql))?;
        }
        return Ok(());
    }
    for position in 1..=count {
        let number = statement.parameter_name(position).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| params.get(number.checked_sub(1)?));
        let Some(value) = value else {
            return Err(Error::statement(sql, "its parameters are not $1, $2 … without a gap"));
        };
        statement.raw_bind_parameter(position, value).map_err(|error| explain(error, sql))?;
    }
    Ok(())
}

/// Whether `$1`, `$2` … first appear in this order, so that SQLite's numbers are the same. To ask SQLite for each name
/// takes a time that grows with the square of their count. Where something might hide a `$`, it is asked.
fn is_in_order(sql: &str, count: usize) -> bool {
    let text = sql.as_bytes();
    if memchr3(b'\'', b'"', b'`', text).or_else(|| memchr3(b'[', b'-', b'/', text)).is_some() {
        return false;
    }
    let mut highest = 0;
    for at in memchr_iter(b'$', text) {
        let digits = text.iter().skip(at + 1).take_while(|byte| byte.is_ascii_digit());
        let number =
            digits.fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(usize::from(*digit - b'0')));
        if number == 0 || number > highest + 1 {
            return false;
        }
        highest = highest.max(number);
    }
    highest == count
}

fn explain(error: rusqlite::Error, sql: &'static str) -> Error {
    Failure::from(error).explain(sql)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::is_in_order;

    #[test]
    fn only_a_plain_order_is_taken_for_one() {
        for (sql, count) in [("select $1, $2, $1, $3", 3), ("select 1", 0), ("values ($1, $2), ($3, $4)", 4)] {
            assert!(is_in_order(sql, count), "{sql}");
        }
        for (sql, count) in
            [("select $2, $1", 2), ("select $1, $3", 2), ("select '$1', $2, $1", 2), ("select $x", 1), ("select $1", 2)]
        {
            assert!(!is_in_order(sql, count), "{sql}");
        }
    }
}
