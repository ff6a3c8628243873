//! A batch as one statement.
//!
//! PostgreSQL runs statements that change rows inside a `with`, and what stands there is all stored or none of it. So a
//! batch becomes one text, which takes one round trip and one commit instead of a `begin`, its statements and a
//! `commit`:
//!
//! ```sql
//! with s0 as (update code set used_at = $1 where id = $2 and used_at is null
//!  returning 1), s1 as (insert into grant values ($3)
//!  returning 1)
//! select 1 / case when (select count(*) from s0) = 1 then 1 else 0 end
//! ```
//!
//! A statement that must touch a number of rows is counted, and another number divides by zero: the server itself undoes
//! the batch then. The statements run on the same snapshot, in no order, which is why a batch's statements must not look
//! at one another's rows (see [`Stmt`]).

use crate::{Stmt, Value};
use std::fmt::Write;

/// The one text of a batch. It is the same for the same statements, so it is prepared once per connection.
pub(super) fn text(statements: &[Stmt]) -> String {
    let mut text = String::with_capacity(statements.iter().map(|statement| statement.sql.len() + 40).sum());
    let mut guards = String::new();
    let mut bound = 0;
    for (number, statement) in statements.iter().enumerate() {
        text.push_str(if number == 0 { "with " } else { ", " });
        // Writing to a string does not fail.
        let _ = write!(text, "s{number} as (");
        renumber(&mut text, statement.sql, bound);
        text.push_str("\n returning 1)");
        bound += statement.params.len();
        if let Some(rows) = statement.expect {
            let and = if guards.is_empty() { "" } else { " and " };
            let _ = write!(guards, "{and}(select count(*) from s{number}) = {rows}");
        }
    }
    if guards.is_empty() {
        text.push_str("\nselect 1");
    } else {
        let _ = write!(text, "\nselect 1 / case when {guards} then 1 else 0 end");
    }
    text
}

/// The values of all statements, in the order of their new numbers.
pub(super) fn params(statements: &[Stmt]) -> Vec<Value> {
    statements.iter().flat_map(|statement| statement.params.iter().cloned()).collect()
}

/// Appends `sql` with each `$N` outside quotes as `$(N + bound)`.
fn renumber(text: &mut String, sql: &str, bound: usize) {
    let mut quoted = false;
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let after = found.get(1..).unwrap_or_default();
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = after.split_at(digits);
        match number.parse::<usize>() {
            Ok(number) if !quoted && found.starts_with('$') => {
                let _ = write!(text, "${}", number + bound);
                rest = tail;
            }
            _ => {
                quoted ^= found.starts_with('\'');
                text.push_str(found.get(..1).unwrap_or_default());
                rest = after;
            }
        }
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_text_with_its_own_numbers_and_guards() {
        let used = Stmt::new("update code set used_at = $2 where id = $1", crate::params![1, 2]).touching(1);
        let insert = Stmt::new("insert into t values ($1, '$1', $1)", crate::params![3]);
        let other = Stmt::new("delete from u where id = $1", crate::params![4]).touching(2);
        assert_eq!(
            text(&[used, insert, other]),
            "with s0 as (update code set used_at = $2 where id = $1\n returning 1), \
             s1 as (insert into t values ($3, '$1', $3)\n returning 1), \
             s2 as (delete from u where id = $4\n returning 1)\n\
             select 1 / case when (select count(*) from s0) = 1 and (select count(*) from s2) = 2 then 1 else 0 end"
        );
        assert_eq!(text(&[Stmt::new("delete from t", vec![])]), "with s0 as (delete from t\n returning 1)\nselect 1");
    }

    #[test]
    fn numbers_and_quotes_in_odd_places_do_no_harm() {
        for (sql, expected) in
            [("$", "$"), ("$1$2", "$8$9"), ("'it''s $1' $1", "'it''s $1' $8"), ("$x $10", "$x $17"), ("'", "'")]
        {
            let mut renumbered = String::new();
            renumber(&mut renumbered, sql, 7);
            assert_eq!(renumbered, expected);
        }
    }
}
