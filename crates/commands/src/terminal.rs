//! What a terminal is known to understand, and the few sequences that are spoken to it.
//!
//! A link is an OSC 8 sequence around an address. Terminals that do not know it may print rubbish, so it is used only where
//! the surroundings name one that does. What stands in a sequence is looked at first: nothing that a server wrote can end
//! the sequence early and begin another.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The end of a sequence: String Terminator.
const ST: &str = "\x1b\\";

/// Whether this terminal is known to understand links. `variable` reads one environment variable.
pub(crate) fn understands_links(variable: impl Fn(&str) -> Option<String>) -> bool {
    let number = |name: &str| variable(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let is = |name: &str, known: &[&str]| variable(name).is_some_and(|value| known.contains(&value.as_str()));
    if let Some(said) = variable(crate::env::FORCE_HYPERLINK) {
        return said != "0";
    }
    // A multiplexer passes the outer terminal's variables on, and has a mind of its own.
    if variable("STY").is_some() {
        return false;
    }
    if variable("TMUX").is_some() {
        return is("TERM_PROGRAM", &["tmux"])
            && variable("TERM_PROGRAM_VERSION").is_some_and(|text| version(&text) >= (3, 4));
    }
    let named = ["iTerm.app", "WezTerm", "vscode", "Hyper", "ghostty", "mintty", "rio", "zed"];
    let kinds = ["xterm-kitty", "xterm-ghostty", "alacritty", "foot", "foot-extra", "wezterm", "contour"];
    is("TERM_PROGRAM", &named)
        || is("TERM", &kinds)
        || number("VTE_VERSION") >= 5000
        || number("KONSOLE_VERSION") >= 201_200
        || ["WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM"].into_iter().any(|name| variable(name).is_some())
}

/// Major and minor of a version such as `3.3a` or `next-3.5`.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// An address as a link to itself; `None` for what is no address in plain ASCII.
pub(crate) fn link(address: &str) -> Option<String> {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    (is_web && address.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| format!("\x1b]8;;{address}{ST}{address}\x1b]8;;{ST}"))
}

/// Asks the terminal to put a text on the clipboard of the machine that it runs on (OSC 52).
pub(crate) fn copy(text: &str) -> String {
    format!("\x1b]52;c;{}{ST}", STANDARD.encode(text))
}

/// The same text with our own typography in ASCII, for terminals without UTF-8. Names stay as they are.
pub(crate) fn to_ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '…' => plain.push_str("..."),
            '“' | '”' => plain.push('"'),
            '‘' | '’' => plain.push('\''),
            '–' | '—' => plain.push('-'),
            '→' => plain.push_str("->"),
            '\u{a0}' => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(&str, &str)]) -> bool {
        understands_links(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn links_are_used_where_they_are_known_to_work() {
        for known in [
            &[("TERM_PROGRAM", "iTerm.app")][..],
            &[("VTE_VERSION", "7006")],
            &[("WT_SESSION", "0b1c")],
            &[("TERM", "xterm-kitty")],
            &[("TMUX", "/tmp/x"), ("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", "3.4")],
            &[("FORCE_HYPERLINK", "1"), ("TERM", "xterm")],
        ] {
            assert!(links(known), "{known:?}");
        }
        for unknown in [
            &[][..],
            &[("TERM", "xterm-256color")],
            &[("TERM_PROGRAM", "Apple_Terminal")],
            &[("VTE_VERSION", "4601")],
            &[("VTE_VERSION", "7006"), ("TMUX", "/tmp/x")],
            &[("TMUX", "/tmp/x"), ("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", "3.3a")],
            &[("VTE_VERSION", "7006"), ("STY", "1.pts")],
            &[("WT_SESSION", "0b1c"), ("FORCE_HYPERLINK", "0")],
        ] {
            assert!(!links(unknown), "{unknown:?}");
        }
    }

    #[test]
    fn a_link_shows_where_it_leads_and_nothing_breaks_out_of_it() {
        let address = "https://a.example/l/ABCD-EFGH";
        assert_eq!(
            link(address).unwrap(),
            "\x1b]8;;https://a.example/l/ABCD-EFGH\x1b\\https://a.example/l/ABCD-EFGH\x1b]8;;\x1b\\"
        );
        for bad in [
            "https://a.example/\x1b\\x",
            "https://a.example/\x07",
            "https://a.example/a b",
            "file:///etc",
            "https://a.example/\u{9c}",
        ] {
            assert_eq!(link(bad), None, "{bad:?}");
        }
        assert_eq!(copy("\x1b\\\x07"), "\x1b]52;c;G1wH\x1b\\");
    }

    #[test]
    fn our_typography_has_an_ascii_form() {
        assert_eq!(to_ascii("“a…” – Zoë’s"), "\"a...\" - Zoë's");
    }
}
