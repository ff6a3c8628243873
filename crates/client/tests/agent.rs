//! The agent: who is answered, what is handed out, and what bad callers cost.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{
    AccountId, Bearer, Clock, DpopKey, Entropy, Home, Narrowing, Selection,
    agent::{Address, Agent, AgentError, Caller, End, Listener, Request, TroubleKind},
    oauth::TokenType,
};
use gatepass_keys::dpop::{Expected, Wanted, verify};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use support::{Answer, Fake, granted, sign_ins, signed_in};

/// An agent in a thread of its own.
struct Running {
    thread: Option<JoinHandle<End>>,
    address: Address,
    token_file: Option<PathBuf>,
}

impl Running {
    fn start(home: &Path, address: Address, change: impl FnOnce(&mut Agent)) -> Self {
        let mut agent = Agent {
            sign_ins: sign_ins(home),
            only: None,
            ceiling: Narrowing::default(),
            idle: Duration::from_secs(60),
            round: Duration::from_secs(15),
            login_command: "gatepass login".into(),
        };
        change(&mut agent);
        let (told, listening) = std::sync::mpsc::channel();
        let home = Home::at(home);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = Listener::open(&address, &home, &Entropy::system()).await.unwrap();
                told.send((listener.address(), listener.token_file().map(Path::to_owned))).unwrap();
                agent.serve(listener, std::future::pending()).await
            })
        });
        let (address, token_file) = listening.recv().unwrap();
        Self { thread: Some(thread), address, token_file }
    }

    fn at_socket(home: &Path, change: impl FnOnce(&mut Agent)) -> Self {
        Self::start(home, Address::Socket(home.join("run/agent.sock")), change)
    }

    fn socket(&self) -> &Path {
        match &self.address {
            Address::Socket(path) => path,
            Address::Port(_) => panic!("no socket"),
        }
    }

    fn caller(&self) -> Caller {
        Caller::new(self.address.clone(), self.token_file.as_deref()).unwrap()
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).unwrap()
    }

    /// What is answered to these bytes.
    fn said_to(&self, bytes: &[u8]) -> Value {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        answer_of(stream)
    }

    fn end(mut self) -> End {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.caller().stop();
            let _ = thread.join();
        }
    }
}

fn answer_of(stream: impl Read) -> Value {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("no answer: {line:?}"))
}

fn request(scope: Option<&str>) -> Request {
    let narrowing = Narrowing { scope: scope.map(|text| text.parse().unwrap()), ..Narrowing::default() };
    Request::token(&Selection::default(), &narrowing, None)
}

fn trouble(caller: &Caller, request: Request) -> (TroubleKind, String, Option<String>) {
    match caller.token(request) {
        Err(AgentError::Trouble(trouble)) => (trouble.kind, trouble.message, trouble.command),
        other => panic!("{other:?}"),
    }
}

/// A server that exchanges whatever it is asked for, each time for another token.
fn exchanger() -> Fake {
    Fake::start(|asked, count| match asked.form.get("scope") {
        Some(scope) => Answer::Late(
            Duration::from_millis(100),
            Box::new(Answer::Json(
                200,
                json!({"access_token": format!("narrow-{count}"), "token_type": "Bearer", "expires_in": 300, "scope": scope}),
            )),
        ),
        None => granted("1"),
    })
}

fn forget(home: &Path, account: &AccountId) {
    sign_ins(home).vault().update(|contents| contents.remove(account)).unwrap();
}

#[test]
fn it_hands_out_access_tokens_and_nothing_else_and_a_sign_out_elsewhere_ends_that_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    let said = agent.said_to(b"{\"v\":1,\"op\":\"token\"}\n");
    assert_eq!(said["token"]["access_token"], "access-0");
    assert!(!said.to_string().contains("refresh-0"), "{said}");
    let granted = agent.caller().token(request(None)).unwrap();
    assert_eq!((granted.server.as_str(), granted.account.as_str()), ("http://127.0.0.1:1", "ada@example.com"));
    assert!(granted.expires_at().is_some());
    assert_eq!(agent.caller().status().unwrap().tokens, 2);
    forget(folder.path(), &account);
    let (kind, _, command) = trouble(&agent.caller(), request(None));
    assert_eq!((kind, command.as_deref()), (TroubleKind::SignInNeeded, Some("gatepass login")));
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    assert!(agent.caller().token(request(None)).is_ok(), "a new sign-in is seen at once too");
}

#[test]
fn a_sign_in_that_the_server_has_ended_is_told_with_the_command_to_run() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| support::refused("invalid_grant")));
    signed_in(folder.path(), &fake.issuer, -5);
    let agent = Running::at_socket(folder.path(), |_| {});
    for _ in 0..2 {
        let (kind, message, command) = trouble(&agent.caller(), request(None));
        assert_eq!(kind, TroubleKind::SignInNeeded, "{message}");
        assert_eq!(command, Some(format!("gatepass login --server {}", fake.issuer)));
    }
    assert_eq!(fake.asked("/token").len(), 1);
}

#[test]
fn a_ceiling_holds_whatever_is_asked_and_tokens_are_kept_for_their_life() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), exchanger());
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let other = signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    sign_ins(folder.path())
        .vault()
        .update(|contents| {
            contents.get_mut(&account).unwrap().tokens.as_mut().unwrap().scope = "list read".parse().unwrap()
        })
        .unwrap();
    let only = sign_ins(folder.path()).vault().read().unwrap().get(&account).unwrap().account.clone();
    let agent = Running::at_socket(folder.path(), |agent| {
        agent.only = Some(only);
        agent.ceiling = Narrowing { scope: Some("read write".parse().unwrap()), ..Narrowing::default() };
    });
    let first = agent.caller().token(request(None)).unwrap();
    assert_eq!((first.access_token.expose(), first.scope.as_str()), ("narrow-0", "read"));
    assert_eq!(agent.caller().token(request(None)).unwrap().access_token.expose(), "narrow-0");
    assert_eq!(agent.caller().token(request(Some("read"))).unwrap().access_token.expose(), "narrow-0");
    assert_eq!(fake.asked("/token").len(), 1, "kept");
    let (kind, message, _) = trouble(&agent.caller(), request(Some("list")));
    assert_eq!(kind, TroubleKind::Refused, "{message}");
    let elsewhere = Selection { issuer: None, account: Some(other.to_string()), space: None };
    let (kind, message, _) = trouble(&agent.caller(), Request::token(&elsewhere, &Narrowing::default(), None));
    assert_eq!(kind, TroubleKind::Usage, "other accounts are not known here: {message}");
    assert!(
        agent.said_to(b"{\"v\":1,\"op\":\"token\",\"scop\":\"list\"}\n")["error"]["message"]
            .as_str()
            .unwrap()
            .contains("scop")
    );
    // Another subject token, another narrowed one.
    sign_ins(folder.path())
        .vault()
        .update(|contents| {
            contents.get_mut(&account).unwrap().tokens.as_mut().unwrap().access_token = "access-9".into()
        })
        .unwrap();
    assert_eq!(agent.caller().token(request(None)).unwrap().access_token.expose(), "narrow-1");
    forget(folder.path(), &account);
    let (kind, _, command) = trouble(&agent.caller(), request(None));
    assert_eq!((kind, command), (TroubleKind::SignInNeeded, Some(format!("gatepass login --server {}", fake.issuer))));
}

#[test]
fn of_forty_who_ask_for_the_same_at_once_one_asks_the_server() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), exchanger());
    signed_in(folder.path(), &fake.issuer, 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    let together = Arc::new(Barrier::new(40));
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let (together, caller) = (Arc::clone(&together), agent.caller());
            thread::spawn(move || {
                together.wait();
                caller.token(request(Some("list"))).unwrap().access_token
            })
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap().expose() == "narrow-0"));
    assert_eq!(fake.asked("/token").len(), 1);
}

#[test]
fn a_longer_life_that_no_token_has_is_not_asked_for_each_time() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, count| granted(&count.to_string())));
    signed_in(folder.path(), &fake.issuer, 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    for _ in 0..5 {
        let long = Request::token(&Selection::default(), &Narrowing::default(), Some(Duration::from_secs(1_000_000)));
        agent.caller().token(long).unwrap();
    }
    assert_eq!(fake.asked("/token").len(), 1);
}

#[test]
fn what_was_asked_for_is_renewed_before_its_end_without_another_request() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let agent = Running::at_socket(folder.path(), |agent| agent.round = Duration::from_millis(50));
    assert_eq!(agent.caller().token(request(None)).unwrap().access_token.expose(), "access-0");
    let vault = sign_ins(folder.path());
    let soon = vault.clock().now().plus(Duration::from_secs(40));
    vault
        .vault()
        .update(|contents| contents.get_mut(&account).unwrap().tokens.as_mut().unwrap().expires_at = Some(soon))
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while support::stored(folder.path(), &account).unwrap().0 != "access-1" {
        assert!(Instant::now() < until, "it was not renewed");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(agent.caller().status().unwrap().tokens, 1);
    assert_eq!(fake.asked("/token").len(), 1);
}

/// Binds a sign-in's token to a key of its own.
fn bind(home: &Path, account: &AccountId) -> DpopKey {
    let (key, kept) = (DpopKey::generate().unwrap(), sign_ins(home));
    let own = key.clone();
    kept.vault()
        .update(|contents| {
            let sign_in = contents.get_mut(account).unwrap();
            sign_in.dpop_key = Some(own);
            sign_in.tokens.as_mut().unwrap().token_type = TokenType::Dpop;
        })
        .unwrap();
    key
}

#[test]
fn a_key_stays_in_the_agent_which_makes_proofs_for_the_tokens_that_it_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let key = bind(folder.path(), &account);
    let agent = Running::at_socket(folder.path(), |_| {});
    let url = "https://api.example/notes";
    let wanted = |token| Wanted { method: "GET", url, nonce: Some("n"), access_token: token };
    let refused = |caller: &Caller, wanted: &Wanted<'_>| match caller.proof(Request::proof(wanted)) {
        Err(AgentError::Trouble(trouble)) => (trouble.kind, trouble.message),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&agent.caller(), &wanted(Some("access-0"))).0,
        TroubleKind::Refused,
        "it was not handed out yet"
    );
    let granted = agent.caller().token(request(None)).unwrap();
    assert_eq!((granted.token_type.as_str(), granted.is_bound()), ("DPoP", true));
    let proof = agent.caller().proof(Request::proof(&wanted(Some("access-0")))).unwrap();
    let expected = Expected { method: "GET", url, access_token: Some("access-0"), now: Clock::System.now() };
    let proven = verify(proof.expose(), &expected).unwrap();
    assert_eq!(proven.confirmation.to_string(), format!("jkt:{}", key.thumbprint().unwrap()));
    assert_eq!(proven.nonce.as_deref(), Some("n"));
    let bearer = Bearer::granted(&granted, &agent.caller());
    let headers = bearer.headers("GET", &url.parse().unwrap(), None, &Clock::System, &Entropy::system()).unwrap();
    assert_eq!(headers[0].1.expose(), "DPoP access-0");
    verify(headers[1].1.expose(), &expected).unwrap();

    // Neither for the token endpoint, nor for another's token, nor for what is no request.
    assert_eq!(refused(&agent.caller(), &wanted(None)).0, TroubleKind::Usage);
    assert_eq!(refused(&agent.caller(), &wanted(Some("stolen"))).0, TroubleKind::Refused);
    let spellings = ["http://127.0.0.1:1/token", "HTTP://127.0.0.1:1/token?x#y", "http://127.0.0.1:1/x/../%74oken"];
    for url in spellings {
        let own = Wanted { url, ..wanted(Some("access-0")) };
        assert_eq!(refused(&agent.caller(), &own).0, TroubleKind::Refused, "{url}");
    }
    let elsewhere = Wanted { url: "file:///etc/passwd", ..wanted(Some("access-0")) };
    assert_eq!(refused(&agent.caller(), &elsewhere).0, TroubleKind::Usage);
    let said = agent.said_to(b"{\"v\":1,\"op\":\"token\"}\n").to_string();
    let secret = gatepass_client::Secret::from(key);
    assert!(!said.contains(secret.expose()), "{said}");

    // Another key, or none any more.
    bind(folder.path(), &account);
    assert_eq!(refused(&agent.caller(), &wanted(Some("access-0"))).0, TroubleKind::Refused);
    agent.caller().token(request(None)).unwrap();
    agent.caller().proof(Request::proof(&wanted(Some("access-0")))).unwrap();
    forget(folder.path(), &account);
    let (kind, message) = refused(&agent.caller(), &wanted(Some("access-0")));
    assert_eq!(kind, TroubleKind::Refused, "{message}");
}

#[test]
fn a_token_that_a_server_refused_is_replaced_unless_it_is_young() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, count| granted(&(count + 1).to_string())));
    let account = signed_in(folder.path(), &fake.issuer, 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    let instead_of = |token: &str| {
        agent.caller().token(request(None).instead_of(&token.into())).unwrap().access_token.expose().to_owned()
    };
    assert_eq!(instead_of("another"), "access-0");
    let vault = sign_ins(folder.path());
    let now = vault.clock().now();
    let age = |seconds| {
        let change = |contents: &mut gatepass_client::Contents| {
            contents.get_mut(&account).unwrap().tokens.as_mut().unwrap().obtained_at =
                now.minus(Duration::from_secs(seconds));
        };
        vault.vault().update(change).unwrap();
    };
    age(5);
    assert_eq!(instead_of("access-0"), "access-0");
    age(60);
    assert_eq!(instead_of("access-0"), "access-1");
    assert_eq!(instead_of("access-1"), "access-1", "whoever refuses every token is not given ever new ones");
    assert_eq!(instead_of("access-0"), "access-1");
    assert_eq!(fake.asked("/token").len(), 1);
}

#[test]
fn junk_is_one_sentence_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    let said = |bytes: &[u8]| {
        let said = agent.said_to(bytes);
        assert_eq!(said["error"]["kind"], "usage", "{said}");
        said["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(said(b"").contains("broke off"));
    assert!(said(b"{\"v\":1,\"op\":\"token\"}").contains("broke off"), "half a line is none");
    assert!(said(b"GET / HTTP/1.1\r\n\r\n").contains("one line"));
    assert!(said(b"\0\xff\xfe\n").contains("one line"));
    assert!(said(b"{\"v\":1,\"op\":\"format\"}\n").contains("one line"));
    assert!(said(&vec![b'x'; 20 * 1024]).contains("16 KiB"));
    assert!(said(b"{\"v\":1,\"op\":\"token\",\"account\":\"eve\"}\n").contains("eve"));
    // A gibibyte: the agent has had enough after 16 KiB, and our writing fails.
    let mut stream = agent.connect();
    let chunk = vec![b'x'; 1024 * 1024];
    let written = (0..1024).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(written < 1024, "nobody reads a gibibyte");
    assert!(agent.caller().token(request(None)).is_ok());
}

#[test]
fn callers_without_end_cost_the_next_one_nothing_but_patience() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    for _ in 0..10_000 {
        drop(agent.connect());
    }
    // More than have a place, all silent: who is silent longest makes room, and is told.
    let silent: Vec<UnixStream> = (0..200).map(|_| agent.connect()).collect();
    for _ in 0..20 {
        assert!(agent.caller().token(request(None)).is_ok());
    }
    let said: Vec<Value> = silent.iter().map(answer_of).collect();
    assert_eq!(said[0]["error"]["kind"], "busy");
    assert!(said[199]["error"]["message"].as_str().unwrap().contains("5 seconds"), "{}", said[199]);
}

#[test]
fn a_port_answers_only_those_who_know_its_token() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::start(folder.path(), Address::Port("127.0.0.1:0".parse().unwrap()), |_| {});
    let file = agent.token_file.clone().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(agent.caller().token(request(None)).unwrap().access_token.expose(), "access-0");
    let Address::Port(address) = agent.address.clone() else { panic!() };
    let token = fs::read_to_string(&file).unwrap();
    let (most, last) = token.trim().split_at(42);
    let wrong = format!("{most}{}", if last == "x" { "y" } else { "x" });
    for line in [
        r#"{"v":1,"op":"token"}"#.to_owned(),
        r#"{"v":1,"op":"stop"}"#.to_owned(),
        r#"{"v":1,"op":"status","auth":""}"#.to_owned(),
        json!({"v": 1, "op": "token", "auth": wrong}).to_string(),
    ] {
        let (mut stream, started) = (TcpStream::connect(address).unwrap(), Instant::now());
        writeln!(stream, "{line}").unwrap();
        let said = answer_of(stream);
        assert_eq!(said["error"]["kind"], "denied", "{line}");
        assert!(started.elapsed() >= Duration::from_millis(250), "a guess has its price");
    }
    assert!(matches!(Caller::new(agent.address.clone(), None), Err(AgentError::NoTokenFile)));
    assert!(matches!(Caller::new(agent.address.clone(), Some(folder.path())), Err(AgentError::TokenFile { .. })));
    agent.caller().stop().unwrap();
    assert_eq!(agent.end(), End::Asked);
    assert!(!file.exists(), "its token is gone with it");
}

#[test]
fn strangers_at_a_port_neither_keep_it_going_nor_keep_its_callers_out() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let change = |agent: &mut Agent| agent.idle = Duration::from_secs(2);
    let agent = Running::start(folder.path(), Address::Port("127.0.0.1:0".parse().unwrap()), change);
    let Address::Port(address) = agent.address.clone() else { panic!() };
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let started = Instant::now();
    assert!(agent.caller().token(request(None)).is_ok());
    // New ones all the time, so that there is never a moment without one.
    let strangers = thread::spawn(move || {
        while TcpStream::connect(address).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(agent.end(), End::Idle);
    assert!(started.elapsed() >= Duration::from_secs(2));
    strangers.join().unwrap();
    drop(silent);
}

#[test]
fn it_ends_when_nobody_asks_and_leaves_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::at_socket(folder.path(), |agent| agent.idle = Duration::from_millis(300));
    let socket = agent.socket().to_owned();
    let caller = agent.caller();
    let _ = caller.token(request(None));
    assert_eq!(agent.end(), End::Idle);
    assert!(!socket.exists());
    assert!(matches!(caller.token(request(None)), Err(AgentError::NotThere(_))));
}

/// The kernel's word counts, not the file's mode.
#[test]
fn another_user_is_refused() {
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let agent = Running::at_socket(folder.path(), |_| {});
    if rustix::process::geteuid().as_raw() != 0 {
        // Nobody else can be become; `only_our_own_user_is_answered` has the rule.
        return;
    }
    for path in [folder.path(), agent.socket().parent().unwrap()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(agent.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    // The answer may come before the question is sent.
    let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  try: s.sendall(b'{\"v\":1,\"op\":\"token\"}\\n')\nexcept OSError: pass\nprint(s.makefile().readline())";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(agent.socket())
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("denied") && said.contains("another user") && !said.contains("access-0"), "{output:?}");
    assert!(agent.caller().token(request(None)).is_ok());
}

#[test]
fn a_long_token_is_carried_whole() {
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), "http://127.0.0.1:1", 3000);
    let long = "x".repeat(64 * 1024);
    let token = long.as_str().into();
    let change = |contents: &mut gatepass_client::Contents| {
        contents.get_mut(&account).unwrap().tokens.as_mut().unwrap().access_token = token;
    };
    sign_ins(folder.path()).vault().update(change).unwrap();
    let agent = Running::at_socket(folder.path(), |_| {});
    assert_eq!(agent.caller().token(request(None)).unwrap().access_token.expose(), long);
}

#[test]
fn a_caller_is_told_what_stands_at_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| Caller::new(Address::Socket(folder.path().join(name)), None).unwrap();
    assert!(matches!(at("none").status(), Err(AgentError::NotThere(_))));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(at("file").status(), Err(AgentError::NotASocket(_))));
    assert!(matches!(at(&"x".repeat(200)).status(), Err(AgentError::TooLong(_))));
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("other")).unwrap();
    let other = thread::spawn(move || {
        let mut caller = listener.accept().unwrap().0;
        caller.write_all(b"SSH-2.0-OpenSSH\r\n").unwrap();
        let _ = caller.read(&mut [0; 1024]);
    });
    assert!(matches!(at("other").status(), Err(AgentError::Nonsense(_))));
    other.join().unwrap();
    assert!(matches!(at("other").status(), Err(AgentError::NotThere(_))), "a socket that was left behind");
    if rustix::process::geteuid().as_raw() == 0 {
        std::os::unix::fs::chown(folder.path().join("other"), Some(65534), None).unwrap();
        assert!(matches!(at("other").status(), Err(AgentError::Foreign { owner: Some(65534), .. })));
    }
}
