//! A code in words, by the spelling alphabet of the ICAO, so that it can be heard: `B as in bravo, 7 as seven`.

/// The words for A to Z.
const LETTERS: [&str; 26] = [
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "x-ray",
    "yankee", "zulu",
];
/// The words for 0 to 9.
const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Spells a code. Small letters are told apart from capitals only where there are any: who hears them cannot see.
pub(super) fn code(code: &str) -> String {
    let tells_case = code.chars().any(|c| c.is_ascii_lowercase());
    let words: Vec<String> = code.chars().map(|c| character(c, tells_case)).collect();
    words.join(", ")
}

fn character(c: char, tells_case: bool) -> String {
    let place = |first: u8| u8::try_from(c.to_ascii_uppercase()).ok().and_then(|byte| byte.checked_sub(first));
    if let Some(word) = place(b'A').and_then(|at| LETTERS.get(usize::from(at))) {
        return match (tells_case, c.is_ascii_lowercase()) {
            (false, _) => format!("{c} as in {word}"),
            (true, true) => format!("small {c} as in {word}"),
            (true, false) => format!("capital {c} as in {word}"),
        };
    }
    if let Some(word) = place(b'0').and_then(|at| DIGITS.get(usize::from(at))) {
        return (*word).to_owned();
    }
    match c {
        '-' => "dash".to_owned(),
        '_' => "underscore".to_owned(),
        ' ' => "space".to_owned(),
        '.' => "dot".to_owned(),
        other => other.to_string(),
    }
}

/// A time in words: whole minutes where it is that or more, seconds below two.
pub(super) fn amount(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled() {
        assert_eq!(code("BC-X7"), "B as in bravo, C as in charlie, dash, X as in x-ray, seven");
        assert_eq!(code("42"), "four, two");
        assert_eq!(code("aB"), "small a as in alfa, capital B as in bravo");
        assert_eq!(code("É_"), "É, underscore");
        assert_eq!(code(""), "");
    }

    #[test]
    fn times_are_told_in_whole_words() {
        assert_eq!(amount(600), "10 minutes");
        assert_eq!(amount(62), "62 seconds");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_server_calls_a_code_can_be_spelled(text in "\\PC{0,70}") {
            let _ = code(&text);
        }
    }
}
