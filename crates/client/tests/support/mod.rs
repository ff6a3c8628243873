//! An authorization server that can be told to lie, stall, drop and repeat.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part of it")]

use gatepass_client::{
    ClientAuthentication, Clock, Entropy, Home, KeySources, SignIn, SignIns, Tokens, Transport, Vault,
    transport::Timeouts,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What the fake was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub bearer: Option<String>,
    /// The whole `Authorization` header.
    pub authorization: Option<String>,
    pub query: HashMap<String, String>,
    pub form: HashMap<String, String>,
    /// Every header, its name in small letters.
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// What it answers.
pub enum Answer {
    Json(u16, Value),
    Raw(Vec<u8>),
    Redirect(String),
    /// Closes the connection without a word.
    Drop,
    /// Says nothing for so long.
    Stall(Duration),
    Late(Duration, Box<Answer>),
}

pub struct Fake {
    pub issuer: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Starts a server that answers metadata by itself and everything else by `script`.
    pub fn start(script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_raw(move |asked, issuer, count| {
            if asked.path == "/.well-known/oauth-authorization-server" {
                return Answer::Json(200, metadata(issuer));
            }
            script(asked, count)
        })
    }

    /// Starts a server that answers everything by `script`, which is given the issuer and how often
    /// this path was asked before.
    pub fn start_raw(script: impl Fn(&Asked, &str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (asked, script) = (Arc::new(Mutex::new(Vec::<Asked>::new())), Arc::new(script));
        let (all, name) = (Arc::clone(&asked), issuer.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, script, name) = (Arc::clone(&all), Arc::clone(&script), name.clone());
                thread::spawn(move || {
                    let mut stream = stream;
                    let Some(asked) = read(&mut stream) else { return };
                    let count = {
                        let mut all = all.lock().unwrap();
                        let count = all.iter().filter(|before| before.path == asked.path).count();
                        all.push(asked.clone());
                        count
                    };
                    answer(&mut stream, script(&asked, &name, count));
                });
            }
        });
        Self { issuer, asked }
    }

    /// Every request to a path, in order.
    pub fn all(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

pub fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "gatepass_separate_grants": true,
        "gatepass_client_id": "gatepass-cli",
    })
}

pub fn granted(name: &str) -> Answer {
    Answer::Json(
        200,
        json!({"access_token": format!("access-{name}"), "token_type": "Bearer", "expires_in": 3600,
               "refresh_token": format!("refresh-{name}"), "scope": "read"}),
    )
}

pub fn refused(code: &str) -> Answer {
    Answer::Json(400, json!({"error": code, "error_description": "says the fake"}))
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let (head, body_start) = loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..at]).into_owned(), at + 4);
        }
    };
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < body_start + length {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Asked {
        method,
        path: target.split('?').next()?.to_owned(),
        bearer: header("authorization").and_then(|text| text.strip_prefix("Bearer ").map(str::to_owned)),
        authorization: header("authorization"),
        query: url::form_urlencoded::parse(target.split_once('?').map_or("", |(_, query)| query).as_bytes())
            .into_owned()
            .collect(),
        body: String::from_utf8_lossy(&bytes[body_start..]).into_owned(),
        form: url::form_urlencoded::parse(&bytes[body_start..]).into_owned().collect(),
        headers: head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
    })
}

fn answer(stream: &mut TcpStream, answer: Answer) {
    match answer {
        Answer::Json(status, body) => {
            let body = body.to_string();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
        Answer::Raw(bytes) => drop(stream.write_all(&bytes)),
        Answer::Redirect(to) => {
            let _ =
                write!(stream, "HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        Answer::Drop => {}
        Answer::Stall(time) => thread::sleep(time),
        Answer::Late(time, later) => {
            thread::sleep(time);
            self::answer(stream, *later);
        }
    }
}

/// An HTTP answer with this body.
pub fn html(status: u16, body: &str) -> Answer {
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Answer::Raw(text.into_bytes())
}

/// Sign-ins in `home` with a key file, the machine's clock, and short patience.
pub fn sign_ins(home: &Path) -> SignIns {
    sign_ins_at(home, Clock::System)
}

/// The same by another clock.
pub fn sign_ins_at(home: &Path, clock: Clock) -> SignIns {
    with_home_and_clock(Home::at(home), clock)
}

/// The same in a home that is made already.
pub fn sign_ins_in(home: Home) -> SignIns {
    with_home_and_clock(home, Clock::System)
}

fn with_home_and_clock(home: Home, clock: Clock) -> SignIns {
    let entropy = Entropy::system();
    let sources = KeySources { no_keyring: true, ..KeySources::default() };
    let vault = Vault::new(home, sources, clock.clone(), entropy.clone());
    let timeouts = Timeouts { connect: Duration::from_millis(800), whole: Duration::from_millis(1500) };
    SignIns::new(vault, Transport::with_timeouts(timeouts), clock, entropy)
}

/// Puts a sign-in with the tokens `access-0` and `refresh-0` there, which ends in `life` seconds.
pub fn signed_in(home: &Path, issuer: &str, life: i64) -> gatepass_client::AccountId {
    let sign_ins = sign_ins(home);
    let now = sign_ins.clock().now();
    let sign_in = SignIn {
        account: gatepass_client::Account {
            issuer: issuer.parse().unwrap(),
            client_id: "cli".parse().unwrap(),
            subject: Some("u1".into()),
            email: Some("ada@example.com".into()),
            name: None,
            space: None,
        },
        scope: "read".parse().unwrap(),
        resource: None,
        token_endpoint: format!("{issuer}/token").parse().unwrap(),
        revocation_endpoint: Some(format!("{issuer}/revoke").parse().unwrap()),
        authentication: ClientAuthentication::None,
        dpop_key: None,
        terms: Default::default(),
        renewal: Default::default(),
        generation: 0,
        tokens: Some(Tokens {
            access_token: "access-0".into(),
            token_type: gatepass_client::oauth::TokenType::Bearer,
            refresh_token: Some("refresh-0".into()),
            scope: "read".parse().unwrap(),
            obtained_at: now.minus(Duration::from_secs(3600)),
            expires_at: Some(gatepass_client::oauth::UtcMillis(now.0 + life * 1000)),
            id_token: None,
            asked_for_less: false,
        }),
    };
    let id = sign_in.account.id();
    sign_ins.vault().update(|contents| contents.put(sign_in)).unwrap();
    id
}

/// The tokens that the vault holds: access and refresh.
pub fn stored(home: &Path, account: &gatepass_client::AccountId) -> Option<(String, String)> {
    let tokens = sign_ins(home).vault().read().unwrap().get(account)?.tokens.clone()?;
    Some((tokens.access_token.expose().to_owned(), tokens.refresh_token?.expose().to_owned()))
}
