//! What docs/standards.md, docs/standards/ and docs/compare.md say is tested is tested: every `file::test` is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs/standards")).unwrap();
    let pages = folder
        .map(|entry| entry.unwrap().path())
        .chain(["docs/standards.md", "docs/compare.md"].map(|page| root().join(page)));
    pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The text of a file as the pages name it: below `crates/`, or beside the tests over HTTP.
fn named(file: &str) -> Option<String> {
    let places = ["crates", "crates/server/tests", "crates/server/tests/http"];
    places.iter().find_map(|place| fs::read_to_string(root().join(place).join(file)).ok())
}

/// What stands between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_test_that_a_standard_is_said_to_have_is_there() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // `…::test` is in the file that was named last.
        let mut last = "";
        for name in quoted(&text) {
            let (file, test) = name.split_once("::").unwrap_or((name, ""));
            match file {
                "…" => {}
                file if file.ends_with(".rs") => last = file,
                _ => continue,
            }
            // `test_…` is told in full elsewhere.
            let function = match test.strip_suffix('…') {
                Some(start) => format!("fn {start}"),
                None if test.is_empty() => String::new(),
                None => format!("fn {test}("),
            };
            if !named(last).is_some_and(|source| source.contains(&function)) {
                missing.push(format!("{}: {name} (in {last})", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}
