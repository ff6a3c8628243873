//! Patterns of subjects: a text in which `*` stands for any run of characters, also none.
//!
//! It stands for `:` and `/` too. So a pattern should end where the subject ends, or in a `*` after the last part that
//! matters.

/// Whether a text is of this pattern. The time is at most the product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    for part in parts {
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters_and_nothing_else_does() {
        let table = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything:at/all", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("ab*ba", "aba", false),
            ("a**b", "ab", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main2", false),
            ("repo:acme/*", "repo:acme-evil/app", false),
            ("*.b.*", "a.b.c", true),
            ("a?c", "abc", false),
            ("[a]", "a", false),
            ("ä*", "äö", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_text_with_parts_taken_out_still_matches(parts in proptest::collection::vec("[ab:/]{0,4}", 1..6), runs in proptest::collection::vec("[ab:/*]{0,4}", 6)) {
            let pattern = parts.join("*");
            let mut text = parts[0].clone();
            for (part, run) in parts[1..].iter().zip(&runs) {
                text.push_str(run);
                text.push_str(part);
            }
            proptest::prop_assert!(matches(&pattern, &text));
        }

        #[test]
        fn without_a_star_only_equal_texts_match(a in "[a-c]{0,5}", b in "[a-c]{0,5}") {
            proptest::prop_assert_eq!(matches(&a, &b), a == b);
        }

        #[test]
        fn no_texts_make_it_panic(pattern: String, text: String) {
            let _ = matches(&pattern, &text);
        }
    }
}
