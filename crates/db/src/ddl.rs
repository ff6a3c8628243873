//! Migrations are written once, in SQLite's words. PostgreSQL needs two of them changed:
//!
//! 1. the type `blob` is called `bytea`;
//! 2. the table option `without rowid` has no counterpart and is left out.
//!
//! Words inside quotes and comments stay as they are.

/// The same schema text in PostgreSQL's words.
pub(crate) fn for_postgres(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (piece, tail) = rest.split_at(piece_length(rest, first));
        rest = tail;
        if piece.eq_ignore_ascii_case("blob") {
            out.push_str("bytea");
        } else if let Some(tail) = rowid_after(piece, rest) {
            rest = tail;
        } else {
            out.push_str(piece);
        }
    }
    out
}

/// Length in bytes of the word, quoted text, comment or single character that `rest` starts with.
fn piece_length(rest: &str, first: char) -> usize {
    let until = |end: &str, start: usize| {
        rest.get(start..).and_then(|tail| tail.find(end)).map_or(rest.len(), |at| start + at + end.len())
    };
    match first {
        '\'' => until("'", 1),
        '"' => until("\"", 1),
        '-' if rest.starts_with("--") => until("\n", 2),
        '/' if rest.starts_with("/*") => until("*/", 2),
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows `without rowid`, when `word` is `without` and `rest` goes on with `rowid`.
fn rowid_after<'a>(word: &str, rest: &'a str) -> Option<&'a str> {
    let next = rest.trim_start();
    let length = next.find(|c| !is_word(c)).unwrap_or(next.len());
    let (second, tail) = next.split_at(length);
    (word.eq_ignore_ascii_case("without") && second.eq_ignore_ascii_case("rowid")).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::for_postgres;

    #[test]
    fn the_type_is_translated_and_the_table_option_dropped() {
        let sql = "create table t (id blob primary key, blobs text) WITHOUT  rowid;";
        assert_eq!(for_postgres(sql), "create table t (id bytea primary key, blobs text) ;");
    }

    #[test]
    fn quotes_and_comments_are_left_alone() {
        let sql = "-- a blob\ninsert into t values ('blob it''s a blob', \"blob\") /* blob without rowid */";
        assert_eq!(for_postgres(sql), sql);
    }

    #[test]
    fn unfinished_quotes_and_other_alphabets_do_no_harm() {
        for sql in ["'", "\"é", "--", "/*", "ß without", "without", "日本 'blob"] {
            assert_eq!(for_postgres(sql), sql);
        }
    }
}
