//! `gatepass quickstart --unattended`.

use crate::support::{Said, files, gatepass, run};
use std::{fs, net::TcpListener, path::Path};

fn quickstart(folder: &Path) -> Said {
    run(gatepass().args(["quickstart", "--unattended"]).current_dir(folder))
}

/// Each step was told; where the server ran.
#[track_caller]
fn toured(said: Said) -> String {
    assert_eq!(said.code, Some(0), "{said:?}");
    for step in ["1. A server runs at ", "2. It has a local account", "3. This terminal signs in", "4. The server says"]
    {
        assert!(said.err.lines().any(|line| line.starts_with(step)), "{step} in {}", said.err);
    }
    assert!(said.out.contains("you@localhost") && said.out.contains("gatepass-cli"), "{}", said.out);
    assert!(said.err.contains("  curl -H @<(gatepass token --header) "), "no token in an argument: {}", said.err);
    let first = said.err.lines().find_map(|line| line.strip_prefix("1. A server runs at ")).unwrap();
    first.split(',').next().unwrap().to_owned()
}

/// Somebody holds the usual port the first time: this test, or whoever was there before it.
#[test]
fn it_goes_well_twice_and_takes_another_port_when_the_usual_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:8484");
    let first = toured(quickstart(folder.path()));
    if taken.is_ok() {
        assert!(first.starts_with("http://127.0.0.1:") && !first.ends_with(":8484"), "{first}");
    }
    drop(taken);
    toured(quickstart(folder.path()));

    let mut status = gatepass();
    status.arg("status").current_dir(folder.path()).env("GATEPASS_HOME", "./gatepass-data/home");
    assert!(run(&mut status).done().contains("you@localhost"), "the tour's sign-in can be used");
    assert!(files(folder.path()).iter().all(|(path, _)| path.starts_with(folder.path().join("gatepass-data"))));
}

/// Whoever may do anything, as root may, is not kept out by permissions: so something else is in the way.
#[test]
fn a_step_that_fails_is_named_and_it_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("gatepass-data");
    let failed = |step: &str| {
        let said = quickstart(folder.path());
        let error = format!("error: the step '{step}' failed: ");
        assert!(said.err.lines().any(|line| line.starts_with(&error)), "{step}: {}", said.err);
        assert_eq!(said.out, "");
        said.failed(1)
    };
    fs::write(&data, "something else").unwrap();
    let said = failed("start the server");
    assert!(said.contains("gatepass-data") && !said.contains("1. A server runs at"), "{said}");
    assert_eq!(fs::read_to_string(&data).unwrap(), "something else", "what was there stays");

    fs::remove_file(&data).unwrap();
    fs::create_dir_all(data.join("secret")).unwrap();
    assert!(failed("start the server").contains("gatepass-data/secret"));

    fs::remove_dir(data.join("secret")).unwrap();
    fs::write(data.join("home"), "something else").unwrap();
    let said = failed("sign in");
    assert!(said.contains("1. A server runs at") && said.contains("2. It has a local account"), "{said}");
}
