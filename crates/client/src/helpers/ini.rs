//! A setting in the configuration of aws: sections in brackets, `key = value` lines, comments. Everything else stays to
//! the letter.

use std::ops::Range;

/// Where a section is: its header's line, and the lines up to the next header.
struct Section {
    header: usize,
    body: Range<usize>,
}

/// The name in a header's brackets.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split(']').next().map(str::trim)
}

fn section(lines: &[&str], name: &str) -> Option<Section> {
    let at = lines.iter().position(|line| header(line) == Some(name))?;
    let length = lines.iter().skip(at + 1).take_while(|line| header(line).is_none()).count();
    Some(Section { header: at, body: at + 1..at + 1 + length })
}

/// The line of a key; one that is indented belongs to another key.
fn find(lines: &[&str], body: &Range<usize>, key: &str) -> Option<usize> {
    let is = |line: &&str| line.split_once('=').is_some_and(|(name, _)| name.trim_end() == key);
    lines.iter().enumerate().skip(body.start).take(body.len()).find(|(_, line)| is(line)).map(|(at, _)| at)
}

/// The value of a key in a section.
#[must_use]
pub fn get<'a>(text: &'a str, name: &str, key: &str) -> Option<&'a str> {
    let lines: Vec<&str> = text.lines().collect();
    let at = find(&lines, &section(&lines, name)?.body, key)?;
    lines.get(at)?.split_once('=').map(|(_, value)| value.trim())
}

/// The text with a key set: in its place, else at the end of its section, else in a section of its own at the end.
#[must_use]
pub fn set(text: &str, name: &str, key: &str, value: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let line = format!("{key} = {value}");
    let title = format!("[{name}]");
    match section(&lines, name) {
        Some(Section { body, .. }) => match find(&lines, &body, key) {
            Some(at) => {
                if let Some(old) = lines.get_mut(at) {
                    *old = &line;
                }
            }
            None => {
                let is_blank = |line: &&&str| line.trim().is_empty();
                let blank = lines.iter().take(body.end).skip(body.start).rev().take_while(is_blank).count();
                lines.insert(body.end - blank, &line);
            }
        },
        None => {
            if lines.last().is_some_and(|last| !last.trim().is_empty()) {
                lines.push("");
            }
            lines.extend([title.as_str(), line.as_str()]);
        }
    }
    join(&lines)
}

/// The text without a key, and without its section and the empty line before it if nothing else is in it.
#[must_use]
pub fn unset(text: &str, name: &str, key: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(Section { header, body }) = section(&lines, name) else { return text.to_owned() };
    let Some(at) = find(&lines, &body, key) else { return text.to_owned() };
    lines.remove(at);
    let is_bare = lines.iter().take(body.end - 1).skip(body.start).all(|line| line.trim().is_empty());
    if is_bare {
        lines.drain(header..body.end - 1);
        if header > 0 && header == lines.len() && lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
    }
    join(&lines)
}

fn join(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# mine\n[default]\nregion = eu-west-1\n\n[profile a]\ns3 =\n  max = 5\nregion=x\n";

    #[test]
    fn a_key_is_set_and_taken_back_to_the_letter() {
        for name in ["default", "profile a", "profile new"] {
            let after = set(BEFORE, name, "credential_process", "gatepass x");
            assert_eq!(get(&after, name, "credential_process"), Some("gatepass x"), "{after}");
            assert!(after.starts_with("# mine\n") && after.len() > BEFORE.len());
            let changed = set(&after, name, "credential_process", "other");
            assert_eq!(get(&changed, name, "credential_process"), Some("other"));
            assert_eq!(unset(&after, name, "credential_process"), BEFORE, "{name}");
        }
        assert_eq!(get(BEFORE, "profile a", "max"), None, "an indented line belongs to another key");
        assert_eq!(get(BEFORE, "default", "s3"), None);
        assert_eq!(unset(BEFORE, "profile b", "region"), BEFORE);
        assert_eq!(set("", "profile a", "k", "v"), "[profile a]\nk = v\n");
        assert_eq!(unset("[profile a]\nk = v\n", "profile a", "k"), "");
    }

    proptest::proptest! {
        #[test]
        fn what_is_set_can_be_read(text in "(\\[[a-c]\\]\n|[a-c] ?= ?x\n| y\n|\n|#z\n){0,12}") {
            let after = set(&text, "b", "k", "v");
            proptest::prop_assert_eq!(get(&after, "b", "k"), Some("v"));
            let without = unset(&after, "b", "k");
            proptest::prop_assert_eq!(get(&without, "b", "k"), None);
        }
    }
}
