//! Sign-ins that are bound to a key, with the real server: what a thief gets, what tools get, and what a wrong clock does.

use crate::support::{Person, Place, Server, Terminal, command_line, event};
use gatepass_client::{Clock, DpopKey, Entropy, Environment, Event, Person as Somebody, SignInRequest, Ways};
use gatepass_keys::dpop::Wanted;
use gatepass_testkit::{Answer, USER, tokio};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A refresh with a proof of this key, and with the nonce that the server gives for the asking.
async fn refresh_with(server: &Server, key: &DpopKey, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "gatepass-cli")];
    let url = server.path("/token");
    let mut nonce = None;
    loop {
        let wanted = Wanted { method: "POST", url: &url, nonce: nonce.as_deref(), access_token: None };
        let proof = key.prove(&wanted, &Clock::System, &Entropy::system()).unwrap();
        let answer = Answer::of(Server::http().post(&url).form(&form).header("dpop", proof.expose())).await;
        if nonce.is_some() || answer.json["error"] != "use_dpop_nonce" {
            return answer;
        }
        nonce = Some(answer.headers["dpop-nonce"].to_str().unwrap().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_address_is_a_short_link_of_the_server() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--loopback", "--no-browser"]);
    let link = login.err.find(|line| line.starts_with(&server.path("/l/")).then(|| line.to_owned()));
    assert_eq!(link.len(), server.path("/l/XXXX-XXXX").len());
    let left_for = Person::signed_in(&server).await.led_away_from(&link).await;
    Server::http().get(&left_for).send().await.unwrap();
    login.end().done();
    assert!(terminal.run(&["whoami"]).done().contains(USER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_server_that_takes_pushed_requests_only_is_signed_in_to() {
    let place = Place::sqlite().await;
    place.settings("require_pushed_authorization_requests = true\n");
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    assert!(terminal.run(&["whoami"]).done().contains(USER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_link_that_nobody_opened_in_time_is_followed_by_one_that_works() {
    let place = Place::sqlite().await;
    place.settings("[lifetimes]\npushed_request = \"5s\"\ndevice_code = \"5s\"\n");
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let person = Person::signed_in(&server).await;
    let login = terminal.login(&server, &["--loopback", "--no-browser", "--json"]);
    let first = event(&login, "url")["url"].as_str().unwrap().to_owned();
    let next = login.out.find(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["renewed"] == true).then(|| event["url"].as_str().unwrap().to_owned())
    });
    assert_ne!(next, first);
    // The next one comes a little before the end of the first.
    let until = Instant::now() + Duration::from_secs(10);
    while person.open(&first).await.status != 404 {
        assert!(Instant::now() < until, "it is not over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left_for = person.led_away_from(&next).await;
    Server::http().get(&left_for).send().await.unwrap();
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_stolen_refresh_token_is_of_no_use_and_its_owner_notices_nothing() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let (access, stolen) = terminal.tokens().unwrap();
    terminal.whoami_with(&server, &access).done();
    let other_key = DpopKey::generate().unwrap();
    for thief in [server.refresh(&command_line(), &stolen).await, refresh_with(&server, &other_key, &stolen).await] {
        assert_eq!((thief.status.as_u16(), thief.error().as_str()), (400, "invalid_grant"));
    }
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    let (_, next) = terminal.tokens().unwrap();
    assert_ne!(next, stolen);
    // Nor does what was given up end the family when somebody without the key brings it.
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    assert_eq!(server.refresh(&command_line(), &stolen).await.error(), "invalid_grant");
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    assert!(terminal.run(&["whoami"]).done().contains(USER));
    assert_eq!(terminal.run(&["status", "--json"]).json()["accounts"][0]["key_bound"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_answer_that_was_lost_is_given_again_to_the_key() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let key = terminal.stored().unwrap().dpop_key.unwrap();
    let (_, first) = terminal.tokens().unwrap();
    let lost = refresh_with(&server, &key, &first).await;
    assert_eq!((lost.status.as_u16(), lost.json["token_type"].as_str()), (200, Some("Bearer")));
    let again = terminal.run(&["token", "--min-ttl", "2h"]).done();
    assert_eq!(again.trim(), lost.text("access_token"));
    assert_eq!(terminal.tokens().unwrap().1, lost.text("refresh_token"));
    terminal.run(&["whoami"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_sign_in_without_a_key_goes_on_and_the_next_one_has_one() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in_without_key(&server).await;
    assert!(terminal.stored().unwrap().dpop_key.is_none());
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    terminal.run(&["whoami"]).done();
    terminal.sign_in(&server).await;
    assert!(terminal.stored().unwrap().dpop_key.is_some());
    terminal.run(&["token", "--min-ttl", "2h"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn where_access_tokens_are_bound_too_every_command_works_and_says_what_the_token_needs() {
    let place = Place::sqlite().await;
    place.binds_access_tokens();
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let login = terminal.login(&server, &["--device", "--json"]);
    let page = event(&login, "code")["verification_uri_complete"].as_str().unwrap().to_owned();
    Person::signed_in(&server).await.approve(&page).await;
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
    assert!(terminal.run(&["whoami"]).done().contains(USER));
    terminal.run(&["status", "--online"]).done();

    let token = terminal.run(&["token"]);
    assert!(token.err.contains("--dpop-proof"), "{}", token.err);
    let token = token.done();
    terminal.whoami_with(&server, &token).failed(3);
    assert_eq!(terminal.run(&["token", "--quiet"]).err, "");
    assert_eq!(terminal.run(&["token", "--header"]).done(), format!("Authorization: DPoP {token}"));
    assert_eq!(terminal.run(&["token", "--json"]).json()["token_type"], "DPoP");
    let run = terminal.run(&["exec", "--", "sh", "-c", "echo it ran"]);
    assert_eq!(run.out, "", "a token that is of no use is no reason to run anything");
    let said = run.failed(1);
    assert!(said.contains("bound to a key") && said.ends_with("\n  gatepass proxy URL\n"), "{said}");

    // As a person would with curl: ask, be told the nonce, ask again.
    let url = server.path("/api/v1/user/rpc");
    let ask = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let headers = terminal.run(&arguments).done();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        let mut request = Server::http().post(&url).json(&body);
        for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        Answer::of(request)
    };
    let proof = ["token", "--dpop-proof", "POST", &url].map(str::to_owned).to_vec();
    let told = ask(proof.clone()).await;
    assert_eq!(told.status, 401);
    let nonce = told.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let answered = ask([proof, vec!["--dpop-nonce".into(), nonce]].concat()).await;
    assert_eq!(answered.json["result"]["email"], USER, "{}", answered.json);
    for bad in [&["token", "--dpop-proof", "get", &url][..], &["token", "--dpop-proof", "GET", "ftp://x"]] {
        terminal.run(bad).failed(2);
    }
    terminal.run(&["logout"]).done();
}

/// A library in a process whose clock is an hour late, and then an hour early: a sign-in, a refresh, a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_clock_that_is_an_hour_off_keeps_nobody_out() {
    let place = Place::sqlite().await;
    place.binds_access_tokens();
    let server = place.serve_with_user();
    let (now, hour) = (Clock::System.now(), Duration::from_secs(3600));
    for clock in [Clock::settable(now.minus(hour)), Clock::settable(now.plus(hour))] {
        let (terminal, person) = (Terminal::new(), Person::signed_in(&server).await);
        let sign_ins = terminal.sign_ins(clock.clone());
        let mut request = SignInRequest::new(server.url.parse().unwrap(), "gatepass-cli".parse().unwrap());
        request.scope = "openid email offline_access account".parse().unwrap();
        let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |event| drop(told.send(event));
        let browse = async {
            loop {
                if let Event::Url(url) = events.recv().await.unwrap() {
                    let left_for = person.led_away_from(&url).await;
                    return Server::http().get(&left_for).send().await.unwrap();
                }
            }
        };
        let environment = Environment { display: true, terminal: true, ..Environment::default() };
        let somebody = Somebody { ways: Some(Ways::Browser), ..Somebody::new(environment, &tell) };
        let (account, _) = tokio::join!(sign_ins.sign_in(&request, somebody), browse);
        let account = account.unwrap().id();
        let next = terminal.sign_ins(clock);
        next.bearer(&account, Some(hour * 2)).await.unwrap();
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        let url = server.path("/api/v1/user/rpc").parse().unwrap();
        let reply = next.call(&account, gatepass_client::Call::json(url, &call)).await.unwrap();
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(answer["result"]["email"], USER, "{answer}");
    }
}
