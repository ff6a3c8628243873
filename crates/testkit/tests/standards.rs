//! What docs/standards.md, docs/standards/ and docs/compare.md say is tested is tested: every `file::test` is a test that
//! runs, and every row of a table of tests names one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// What a row may say instead of a test.
const WITHOUT: &[&str] = &["the same", "all of these", "as above", "as RFC ", "by construction", "not offered"];

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
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The functions of a file that are run as tests.
#[derive(Default)]
struct Tests(HashSet<String>);

impl Tests {
    /// Reads a file line by line; rustfmt has put attributes and functions on lines of their own. A test has an attribute
    /// that makes it one, stands in a macro that makes one of each function, or is named to one. It is not ignored.
    fn of(source: &str) -> Self {
        let mut tests = Self::default();
        let (mut is_test, mut is_ignored) = (false, false);
        let mut makes_tests = false;
        for line in source.lines() {
            let text = line.trim_start();
            if text.len() == line.len() && !text.is_empty() {
                makes_tests = text.starts_with("on_both");
                // `on_both! { one_test another_test }`
                let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
                tests.0.extend(words.skip(1).filter(|_| makes_tests).map(str::to_owned));
            }
            if text.starts_with("#[") {
                is_test |=
                    text.starts_with("#[test]") || text.split('(').next().is_some_and(|name| name.contains("::test"));
                is_ignored |= text.starts_with("#[ignore") || text.starts_with("#[cfg(any())");
            } else if let Some(name) = function(text) {
                let is_made_one = makes_tests && line.len() - text.len() == 4;
                if (is_test || is_made_one) && !is_ignored {
                    tests.0.insert(name.to_owned());
                }
                (is_test, is_ignored) = (false, false);
            } else if !text.starts_with("//") {
                (is_test, is_ignored) = (false, false);
            }
        }
        tests
    }

    /// `test_…` is told in full elsewhere; `test_on_sqlite` and its twin are named without their engine.
    fn has(&self, test: &str) -> bool {
        match test.strip_suffix('…') {
            Some(start) => !start.is_empty() && self.0.iter().any(|name| name.starts_with(start)),
            None => self.0.contains(test) || self.0.contains(&format!("{test}_on_sqlite")),
        }
    }
}

fn function(text: &str) -> Option<&str> {
    let text = text.strip_prefix("async ").unwrap_or(text).strip_prefix("fn ")?;
    text.split_once('(').map(|(name, _)| name)
}

/// What is wrong with a page.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut tests: Option<(String, Tests)> = None;
    let mut is_table_of_tests = false;
    for line in text.lines() {
        let is_row = line.starts_with('|');
        let last_cell = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        if !is_row {
            is_table_of_tests = false;
        } else if last_cell == "test" {
            is_table_of_tests = true;
            continue;
        }
        let mut names = 0;
        for name in quoted(line) {
            let (file, test) = name.split_once("::").map_or((name, None), |(file, test)| (file, Some(test)));
            if file.ends_with(".rs") {
                match named(file) {
                    Some(source) => tests = Some((file.to_owned(), Tests::of(&source))),
                    None => faults.push(format!("no such file: {name}")),
                }
            } else if file != "…" {
                continue;
            }
            // `…::test` is in the file that was named last.
            match (test, &tests) {
                (Some(test), Some((_, tests))) if tests.has(test) => names += 1,
                (Some(_), tests) => {
                    let file = tests.as_ref().map_or("", |(file, _)| file);
                    faults.push(format!("no such test, or one that is not run: {name} (in {file})"));
                }
                // A row needs a test; a sentence may speak of a file.
                (None, _) if is_table_of_tests => faults.push(format!("a file and no test: {name}")),
                (None, _) => {}
            }
        }
        let is_rule = is_table_of_tests && !line.starts_with("|---");
        if is_rule && names == 0 && !WITHOUT.iter().any(|words| last_cell.contains(words)) {
            faults.push(format!("a row without a test: {line}"));
        }
        if line.contains("expected in") {
            faults.push(format!("only expected: {line}"));
        }
    }
    faults
}

#[test]
fn every_test_that_a_standard_is_said_to_have_is_there_and_runs() {
    let mut all = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        all.extend(faults(&text).into_iter().map(|fault| format!("{}: {fault}", page.display())));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_test_that_is_ignored_commented_or_none_is_no_test() {
    let source = "
#[test]
fn plain() {}

// #[test]
// fn commented() {}

#[tokio::test(flavor = \"multi_thread\")]
/// With a word between.
async fn with_attributes() {
    fn helper() {}
}

#[test]
#[ignore = \"slow\"]
fn ignored() {}

fn no_test() {}

on_both_engines! {
    async fn on_both(server: TestServer) {}

    #[ignore]
    async fn ignored_on_both(server: TestServer) {}
}

async fn by_name(engine: Engine) {}

on_both! { by_name }
";
    let tests = Tests::of(source);
    for test in ["plain", "with_attributes", "on_both", "by_name", "pl…"] {
        assert!(tests.has(test), "{test}");
    }
    for none in ["commented", "helper", "ignored", "no_test", "ignored_on_both", "gone", "…", "no…"] {
        assert!(!tests.has(none), "{none}");
    }
}

#[test]
fn a_row_names_a_test_or_says_why_not() {
    let page = |row: &str| format!("| rule | test |\n|---|---|\n| a | {row} |\n");
    let here = "`testkit/tests/standards.rs::a_row_names_a_test_or_says_why_not`";
    for good in [here, "the same", "not offered", &format!("{here}, `…::a_test_that_…`")] {
        assert_eq!(faults(&page(good)), Vec::<String>::new(), "{good}");
    }
    for bad in
        ["", "soon", "`testkit/tests/standards.rs`", "`testkit/tests/standards.rs::gone`", "`gone.rs::x`", "`…::x`"]
    {
        assert!(!faults(&page(bad)).is_empty(), "{bad}");
    }
    assert!(!faults("| DPoP | expected in cli/tests/real/dpop.rs |").is_empty());
    assert_eq!(faults("It is held in `authority/src/binding.rs`."), Vec::<String>::new());
}
