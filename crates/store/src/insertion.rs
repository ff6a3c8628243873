//! `insert … values (…), (…)` of a fixed number of rows, written by the compiler.
//!
//! Many rows in one statement cost a fraction of as many statements, and a statement is a constant. So the constant is
//! composed when the program is compiled.

/// A text being composed. With `N = 0` it only counts.
struct Draft<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Draft<N> {
    #[expect(clippy::indexing_slicing, reason = "runs in the compiler only")]
    const fn push(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if self.length < N {
                self.bytes[self.length] = text[at];
            }
            self.length += 1;
            at += 1;
        }
    }

    #[expect(clippy::as_conversions, reason = "a digit; runs in the compiler only")]
    const fn push_number(&mut self, number: usize) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(&[b'0' + (number % 10) as u8]);
    }
}

const fn compose<const N: usize>(head: &str, columns: usize, rows: usize) -> Draft<N> {
    let mut draft = Draft { bytes: [0; N], length: 0 };
    draft.push(head.as_bytes());
    draft.push(b" values ");
    let (mut row, mut number) = (0, 1);
    while row < rows {
        draft.push(if row == 0 { b"(" } else { b", (" });
        let mut column = 0;
        while column < columns {
            draft.push(if column == 0 { b"$" } else { b", $" });
            draft.push_number(number);
            number += 1;
            column += 1;
        }
        draft.push(b")");
        row += 1;
    }
    draft
}

/// How long the text of an insertion is.
pub(crate) const fn length(head: &str, columns: usize, rows: usize) -> usize {
    compose::<0>(head, columns, rows).length
}

/// The bytes of an insertion.
pub(crate) const fn bytes<const N: usize>(head: &str, columns: usize, rows: usize) -> [u8; N] {
    compose::<N>(head, columns, rows).bytes
}

/// `insertion!(HEAD, columns, rows)`: the constant text `HEAD values ($1, …), …`.
macro_rules! insertion {
    ($head:expr, $columns:expr, $rows:expr) => {{
        const BYTES: [u8; $crate::insertion::length($head, $columns, $rows)] =
            $crate::insertion::bytes($head, $columns, $rows);
        match ::std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => "",
        }
    }};
}
pub(crate) use insertion;

#[cfg(test)]
mod tests {
    const TEXT: &str = super::insertion!("insert into t (a, b, c, d)", 4, 3);

    #[test]
    fn rows_are_numbered_on() {
        assert_eq!(TEXT, "insert into t (a, b, c, d) values ($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12)");
    }
}
