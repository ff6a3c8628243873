//! The whole `--help`, as one snapshot: every word that a person may read there is reviewed.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use support::{gatepass, run};

#[test]
fn the_whole_help_is_as_reviewed() {
    let home = tempfile::tempdir().unwrap();
    let top = run(gatepass(home.path()).arg("--help")).out;
    let commands = top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut all = format!("$ gatepass --help\n{top}");
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        all.push_str(&format!(
            "\n$ gatepass {command} --help\n{}",
            run(gatepass(home.path()).args([command, "--help"])).out
        ));
    }
    insta::assert_snapshot!(all);
}
