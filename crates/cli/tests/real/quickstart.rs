//! `gatepass quickstart`, attended and unattended.

use crate::{
    screen::code,
    support::{Said, Tmux, files, gatepass, run},
};
use gatepass_testkit::{Browser, tokio};
use std::{fs, net::TcpListener, path::Path};

fn quickstart(folder: &Path) -> Said {
    run(gatepass().args(["quickstart", "--unattended"]).current_dir(folder))
}

/// The address of the server, as the tour says it.
fn server(line: &str) -> Option<&str> {
    line.strip_prefix("1. A server runs at ")?.split(',').next()
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
    said.err.lines().find_map(server).unwrap().to_owned()
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_person_signs_in_at_the_page_with_what_stands_there_and_ends_the_server_when_done() {
    let folder = tempfile::tempdir().unwrap();
    let tmux = Tmux::run((80, 50), gatepass().arg("quickstart").current_dir(folder.path()));
    let url = tmux.find(|lines| lines.iter().find_map(|line| server(line)).map(str::to_owned));
    let password =
        tmux.find(|lines| lines.iter().find_map(|line| line.strip_prefix("   you@localhost   ")).map(str::to_owned));
    tmux.wait_for(&format!("{url}/device"));
    let code = code(&tmux);

    let person = Browser::at_url(&url);
    let sign_in = person.open("/login").await;
    let signed_in = person.submit(&sign_in.form(), &[("email", "you@localhost"), ("password", &password)]).await;
    assert_eq!(signed_in.heading(), "You are signed in", "{}", signed_in.html);
    let question = person.open(&format!("/device/{code}")).await;
    let done = person.submit(&question.form(), &[("answer", "approve")]).await;
    assert_eq!(done.heading(), "The device is signed in", "{}", done.html);

    tmux.wait_for("Signed in as you@localhost");
    tmux.wait_for("The server runs until Ctrl-C.");
    let mut whoami = gatepass();
    whoami.arg("whoami").env("GATEPASS_HOME", folder.path().join("gatepass-data/home"));
    assert!(run(&mut whoami).done().contains("you@localhost"), "the server still answers");
    tmux.key("C-c");
    assert_eq!(tmux.end(), 0, "{:#?}", tmux.lines());
    tmux.wait_for("The server has ended.");
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
