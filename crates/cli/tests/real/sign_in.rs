//! `gatepass login`, each way of it to the end.

use crate::support::{Person, Place, Server, Terminal, event};
use gatepass_testkit::{USER, tokio};

/// A loopback answer's page is the last that the person sees.
const LAST_PAGE: &str = "You can close this window";

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_device_tells_its_events_and_is_signed_in_once_a_person_approved() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--device", "--json"]);
    let code = event(&login, "code");
    assert_eq!(code["verification_uri"], server.path("/device"));
    event(&login, "pending");
    assert!(terminal.tokens().is_none(), "nobody approved yet");
    let page = code["verification_uri_complete"].as_str().unwrap();
    Person::signed_in(&server).await.approve(page).await;
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
    let whoami = terminal.run(&["whoami"]).done();
    assert!(whoami.contains(USER) && whoami.contains("gatepass-cli"), "{whoami}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_device_without_a_terminal_says_on_stderr_what_to_type_where() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--device"]);
    login.err.find(|line| (line == server.path("/device")).then_some(()));
    let is_code = |line: &str| line.len() == 9 && line.as_bytes()[4] == b'-' && !line.contains(' ');
    let code = login.err.find(|line| is_code(line).then(|| line.to_owned()));
    let person = Person::signed_in(&server).await;
    let question = person.submit(&person.open("/device").await.form(), &[("user_code", &code)]).await;
    assert_eq!(question.heading(), "Sign in this device?", "{}", question.html);
    person.submit(&question.form(), &[("answer", "approve")]).await;
    let said = login.end();
    assert!(said.err.contains(&format!("Signed in as {USER}")), "{}", said.err);
    assert_eq!(said.done(), "", "talk is not data");
    assert!(terminal.run(&["whoami"]).done().contains(USER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_denied_device_is_refused() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--device", "--json"]);
    let page = event(&login, "code")["verification_uri_complete"].as_str().unwrap().to_owned();
    let person = Person::signed_in(&server).await;
    person.submit(&person.open(&page).await.form(), &[("answer", "deny")]).await;
    assert_eq!(event(&login, "error")["kind"], "refused");
    login.end().failed(5);
    terminal.run(&["token"]).failed(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_browser_on_this_machine_brings_the_answer_to_the_loopback_port() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--loopback", "--no-browser", "--json"]);
    let url = event(&login, "url")["url"].as_str().unwrap().to_owned();
    let person = Person::at(&server);
    let page = person.open(&url).await;
    assert_eq!(page.heading(), "Sign in");
    let form = [("email", USER), ("password", gatepass_testkit::PASSWORD)];
    let left_for = person.submit(&page.form(), &form).await.left_for.unwrap();
    assert!(left_for.starts_with("http://127.0.0.1:") && left_for.contains("/callback?"), "{left_for}");
    let last = Server::http().get(&left_for).send().await.unwrap();
    assert!(last.text().await.unwrap().contains(LAST_PAGE));
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
    terminal.run(&["status", "--online"]).done();
    assert!(terminal.run(&["whoami"]).done().contains(USER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_address_of_the_last_page_can_be_pasted() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let mut login = terminal.login(&server, &["--paste", "--json"]);
    let url = event(&login, "url")["url"].as_str().unwrap().to_owned();
    let left_for = Person::signed_in(&server).await.led_away_from(&url).await;
    login.type_in(&format!("what is this\n{left_for}\n"));
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
    assert!(terminal.run(&["whoami"]).done().contains(USER));
}
