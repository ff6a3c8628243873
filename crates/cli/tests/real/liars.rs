//! Servers that lie, with the real binary: one clear sentence, the right exit code, and the vault as it was.

use crate::{
    fake::{Answer, Asked, Fake, granted, html, metadata, refused, signed_in},
    support::{Program, Said, Server, Terminal, event},
};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::fs;

/// A lie in an answer to one path; everything else is answered as an honest server would.
struct Lie {
    name: &'static str,
    path: &'static str,
    answer: fn(&str) -> Answer,
    code: i32,
    sentence: &'static str,
}

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The metadata with one member changed.
fn with(issuer: &str, member: &str, value: Value) -> Answer {
    let mut document = metadata(issuer);
    document[member] = value;
    Answer::Json(200, document)
}

/// A token answer with one member changed, or taken out when it is null.
fn token(member: &str, value: Value) -> Answer {
    let mut answer = json!({"access_token": "access-1", "token_type": "Bearer", "expires_in": 3600,
                            "refresh_token": "refresh-1"});
    answer[member] = value;
    if answer[member].is_null() {
        answer.as_object_mut().unwrap().remove(member);
    }
    Answer::Json(200, answer)
}

fn device(member: &str, value: Value) -> Answer {
    let mut answer = json!({"device_code": "dev", "user_code": "WDJB-MJHT", "interval": 1, "expires_in": 60,
                            "verification_uri": "https://a.example/device"});
    answer[member] = value;
    Answer::Json(200, answer)
}

fn honest(asked: &Asked, issuer: &str) -> Answer {
    match asked.path.as_str() {
        METADATA => Answer::Json(200, metadata(issuer)),
        "/device" => device("interval", json!(1)),
        "/token" => granted("1"),
        _ => html(404, "not here"),
    }
}

impl Lie {
    fn server(&self) -> Fake {
        let (path, answer) = (self.path, self.answer);
        Fake::start_raw(move |asked, issuer, _| if asked.path == path { answer(issuer) } else { honest(asked, issuer) })
    }

    /// The run failed as it should, with one sentence, and the vault is as it was.
    #[track_caller]
    fn check(&self, said: Said, terminal: &Terminal, before: &[u8]) {
        let lie = self.name;
        assert_eq!(said.code, Some(self.code), "{lie}: {said:?}");
        let errors: Vec<_> = said.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(self.sentence), "{lie}: {}", said.err);
        assert!(errors[0].chars().count() < 400 && !errors[0].contains('\u{1b}'), "{lie}: {}", said.err);
        assert!(!said.err.contains("panicked") && said.out.is_empty(), "{lie}: {said:?}");
        assert_eq!(fs::read(terminal.home().join("vault.gpv")).unwrap(), before, "{lie} changed the vault");
    }
}

/// A terminal with somebody signed in at this server, and its vault.
fn terminal(issuer: &str, life: i64) -> (Terminal, Vec<u8>) {
    let terminal = Terminal::new();
    signed_in(terminal.home(), issuer, life);
    let vault = fs::read(terminal.home().join("vault.gpv")).unwrap();
    (terminal, vault)
}

const AT_SIGN_IN: &[Lie] = &[
    Lie {
        name: "another issuer",
        path: METADATA,
        answer: |issuer| with(issuer, "issuer", json!("https://evil.example")),
        code: 1,
        sentence: "says that it is https://evil.example; a server must name itself exactly",
    },
    Lie {
        name: "an issuer that writes to the terminal",
        path: METADATA,
        answer: |issuer| with(issuer, "issuer", json!("\u{1b}[2Jhttps://evil.example")),
        code: 1,
        sentence: "says that it is [2Jhttps://evil.example",
    },
    Lie {
        name: "an issuer that is no text",
        path: METADATA,
        answer: |issuer| with(issuer, "issuer", json!([1])),
        code: 1,
        sentence: "is no authorization server",
    },
    Lie {
        name: "a script as an endpoint",
        path: METADATA,
        answer: |issuer| with(issuer, "token_endpoint", json!("javascript:alert(1)")),
        code: 1,
        sentence: "has no usable token_endpoint",
    },
    Lie {
        name: "a file as an endpoint",
        path: METADATA,
        answer: |issuer| with(issuer, "authorization_endpoint", json!("file:///etc/passwd")),
        code: 1,
        sentence: "has no usable authorization_endpoint",
    },
    Lie {
        name: "a file to poll",
        path: METADATA,
        answer: |issuer| with(issuer, "device_authorization_endpoint", json!("file:///etc/passwd")),
        code: 1,
        sentence: "has no usable device_authorization_endpoint",
    },
    Lie {
        name: "a huge document",
        path: METADATA,
        answer: |issuer| with(issuer, "padding", json!("x".repeat(2 * 1024 * 1024))),
        code: 1,
        sentence: "it is longer than 1 MiB",
    },
    Lie {
        name: "a deep document",
        path: METADATA,
        answer: |_| html(200, &"[".repeat(100_000)),
        code: 1,
        sentence: "is no authorization server",
    },
    Lie {
        name: "metadata elsewhere",
        path: METADATA,
        answer: |_| Answer::Redirect("https://evil.example/".into()),
        code: 1,
        sentence: "is no authorization server",
    },
    Lie {
        name: "a page instead of metadata",
        path: METADATA,
        answer: |_| html(200, "<html><title>Welcome to the hotel</title>"),
        code: 1,
        sentence: "is no authorization server",
    },
    Lie {
        name: "a script to open",
        path: "/device",
        answer: |_| device("verification_uri", json!("javascript:alert(1)")),
        code: 1,
        sentence: "a verification_uri that is no web address",
    },
    Lie {
        name: "a code that is over before it began",
        path: "/device",
        answer: |_| device("expires_in", json!(-1)),
        code: 1,
        sentence: "not the JSON document that was asked for",
    },
    Lie {
        name: "a code of nothing that can be seen",
        path: "/device",
        answer: |_| device("user_code", json!("\u{202e}\u{1b}")),
        code: 1,
        sentence: "a code that is empty",
    },
    Lie {
        name: "a page instead of a code",
        path: "/device",
        answer: |_| html(200, "<html>"),
        code: 1,
        sentence: "not the JSON document that was asked for",
    },
    Lie {
        name: "a page instead of an error",
        path: "/device",
        answer: |_| html(400, "<html>no"),
        code: 1,
        sentence: "status 400 without an OAuth error",
    },
    Lie {
        name: "codes elsewhere",
        path: "/device",
        answer: |_| Answer::Redirect("https://evil.example/device".into()),
        code: 1,
        sentence: "a redirect, which is not followed",
    },
    Lie {
        name: "a refusal that writes to the terminal",
        path: "/device",
        answer: |_| Answer::Json(400, json!({"error": "invalid_request", "error_description": "\u{1b}]0;x\u{7}no"})),
        code: 5,
        sentence: "]0;xno (invalid_request)",
    },
];

const AT_REFRESH: &[Lie] = &[
    Lie {
        name: "tokens elsewhere",
        path: "/token",
        answer: |_| Answer::Redirect("https://evil.example/token".into()),
        code: 1,
        sentence: "a redirect, which is not followed",
    },
    Lie {
        name: "a token without a type",
        path: "/token",
        answer: |_| token("token_type", Value::Null),
        code: 1,
        sentence: "a token without its type",
    },
    Lie {
        name: "a token of another type",
        path: "/token",
        answer: |_| token("token_type", json!("mac")),
        code: 1,
        sentence: "a token of a type that was not asked for",
    },
    Lie {
        name: "a token that adds a header",
        path: "/token",
        answer: |_| token("access_token", json!("abc\r\nX-Evil: 1")),
        code: 1,
        sentence: "holds characters that no token has",
    },
    Lie {
        name: "a refresh token that writes to the terminal",
        path: "/token",
        answer: |_| token("refresh_token", json!("\u{1b}[2J")),
        code: 1,
        sentence: "holds characters that no token has",
    },
    Lie {
        name: "an empty token",
        path: "/token",
        answer: |_| token("access_token", json!("")),
        code: 1,
        sentence: "is empty, too long",
    },
    Lie {
        name: "a huge token",
        path: "/token",
        answer: |_| token("access_token", json!("x".repeat(100_000))),
        code: 1,
        sentence: "too long",
    },
    Lie {
        name: "a huge answer",
        path: "/token",
        answer: |_| token("padding", json!("x".repeat(2 * 1024 * 1024))),
        code: 1,
        sentence: "it is longer than 1 MiB",
    },
    Lie {
        name: "a page instead of tokens",
        path: "/token",
        answer: |_| html(200, "<html>"),
        code: 1,
        sentence: "the sign-in is kept",
    },
    Lie {
        name: "a page instead of an error",
        path: "/token",
        answer: |_| html(400, "<html>invalid_grant"),
        code: 1,
        sentence: "status 400 without an OAuth error",
    },
    Lie {
        name: "a page of a server that is down",
        path: "/token",
        answer: |_| html(503, "<html>invalid_grant"),
        code: 4,
        sentence: "it answers with status 503",
    },
    Lie {
        name: "an answer that breaks off",
        path: "/token",
        answer: |_| Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"access_token\":".to_vec()),
        code: 4,
        sentence: "the connection broke off",
    },
    Lie {
        name: "no HTTP at all",
        path: "/token",
        answer: |_| Answer::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        code: 4,
        sentence: "cannot be reached",
    },
];

#[test]
fn a_lie_at_a_sign_in_ends_in_one_sentence_and_changes_nothing() {
    for lie in AT_SIGN_IN {
        let server = lie.server();
        let (terminal, before) = terminal("http://127.0.0.1:1", 3000);
        let said = terminal.run(&["login", "--device", "--quiet", "--server", &server.issuer]);
        lie.check(said, &terminal, &before);
    }
}

#[test]
fn a_lie_at_a_refresh_ends_in_one_sentence_and_loses_nothing() {
    for lie in AT_REFRESH {
        let server = lie.server();
        let (terminal, before) = terminal(&server.issuer, -5);
        let said = terminal.run(&["token"]);
        lie.check(said, &terminal, &before);
    }
}

#[test]
fn a_code_that_ends_before_it_may_be_asked_about_is_said_so_at_once() {
    let server = Fake::start_raw(|asked, issuer, _| match asked.path.as_str() {
        "/device" => device("interval", json!(7200)),
        _ => honest(asked, issuer),
    });
    let terminal = Terminal::new();
    let started = std::time::Instant::now();
    let said = terminal.run(&["login", "--device", "--server", &server.issuer]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("a code that ends before it may be asked about"), "{said:?}");
    assert!(!said.err.contains("WDJB-MJHT") && !said.out.contains("WDJB-MJHT"), "nobody is sent to type it: {said:?}");
    assert!(started.elapsed().as_secs() < 30 && server.asked("/token").is_empty());
}

#[test]
fn an_interval_of_nothing_makes_no_flood_and_a_life_below_nothing_no_loop() {
    let server = Fake::start_raw(|asked, issuer, count| match (asked.path.as_str(), count) {
        ("/device", _) => device("interval", json!(0)),
        ("/token", 0) => refused("authorization_pending"),
        ("/token", _) => token("expires_in", json!(-1)),
        _ => honest(asked, issuer),
    });
    let terminal = Terminal::new();
    let started = std::time::Instant::now();
    terminal.run(&["login", "--device", "--server", &server.issuer]).done();
    assert!(started.elapsed().as_secs_f64() >= 2.0, "a second and more between two polls");
    assert_eq!(server.asked("/token").len(), 2);
    // A token that is over when it comes may be an old answer repeated, so it is fetched once more, and no oftener.
    let said = terminal.run(&["token"]);
    assert!(said.code == Some(0) || said.code == Some(1), "{said:?}");
    assert_eq!(server.asked("/token").len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_answer_in_the_name_of_another_server_is_refused() {
    let server = Fake::start_raw(|asked, issuer, _| honest(asked, issuer));
    for iss in [Some("https://evil.example"), None] {
        let (terminal, before) = terminal(&server.issuer, 3000);
        let arguments = ["login", "--loopback", "--no-browser", "--json", "--server", &server.issuer];
        let login = Program::start(&mut terminal.command(&arguments));
        let url = url::Url::parse(event(&login, "url")["url"].as_str().unwrap()).unwrap();
        let value = |name: &str| url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        let mut answer = url::Url::parse(&value("redirect_uri")).unwrap();
        answer.query_pairs_mut().append_pair("code", "stolen-code").append_pair("state", &value("state"));
        if let Some(iss) = iss {
            answer.query_pairs_mut().append_pair("iss", iss);
        }
        Server::http().get(answer).send().await.unwrap();
        let said = login.end();
        assert_eq!(said.code, Some(1), "{said:?}");
        let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        assert!(last["message"].as_str().unwrap().contains("does not come from the server that was asked"), "{last}");
        assert!(server.asked("/token").is_empty(), "the code went nowhere");
        assert_eq!(fs::read(terminal.home().join("vault.gpv")).unwrap(), before);
    }
}
