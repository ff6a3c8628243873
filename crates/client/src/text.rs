//! Text that strangers wrote, made fit for a terminal.
//!
//! A server's error description, a user code, a person's name: all of it may hold escape sequences
//! that move the cursor, or marks that turn the direction of writing, and so make a line say what it
//! does not say. Whatever is shown goes through [`tidy`] first.

/// Keeps what can be seen: control characters, marks of direction and invisible characters are left
/// out, line ends become spaces, and no more than `most` characters stay.
#[must_use]
pub fn tidy(text: &str, most: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().filter_map(visible).enumerate() {
        if count == most {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept.trim().to_owned()
}

fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => None,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => None,
        '\u{e0000}'..='\u{e007f}' => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_turned_text_do_not_pass() {
        assert_eq!(tidy("\u{1b}[2Jgone\u{7}", 80), "[2Jgone");
        assert_eq!(tidy("abc\u{202e}gpj.exe", 80), "abcgpj.exe");
        assert_eq!(tidy("two\r\nlines", 80), "two  lines");
        assert_eq!(tidy(&"x".repeat(10), 4), "xxxx…");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_cannot_be_seen_is_left(text: String) {
            let kept = tidy(&text, 50);
            proptest::prop_assert!(!kept.chars().any(char::is_control));
            proptest::prop_assert!(kept.chars().count() <= 51);
        }
    }
}
