//! The two lines of the protocol.

use crate::{AccountId, Narrowing, Selection, dpop::memory::is_nonce, text::tidy};
use gatepass_keys::dpop::{Wanted, access_token_hash};
use gatepass_oauth::{Secret, UtcMillis, dpop::target};
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;
use zeroize::Zeroizing;

/// The version that both sides speak.
pub const VERSION: u32 = 1;
/// The longest request, in bytes.
pub const MAX_REQUEST: usize = 16 * 1024;
/// The longest answer, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024;
/// The longest method that a proof is made for, in bytes.
const MAX_METHOD: usize = 64;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// An access token.
    Token,
    /// A proof of the key that an access token is bound to.
    Proof,
    /// How the agent is.
    Status,
    /// That it ends.
    Stop,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    v: u32,
    op: Op,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_ttl: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
}

/// An access token, as it is handed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Granted {
    /// What opens the API.
    pub access_token: Secret,
    /// `Bearer`, or `DPoP` for one that is bound to a key: each use of it needs a proof that the agent makes.
    pub token_type: String,
    /// When it ends, in seconds since 1970; `None` when the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// What it may do.
    #[serde(default)]
    pub scope: String,
    /// The issuer whose token it is.
    pub server: String,
    /// Whose token it is, for people.
    #[serde(default)]
    pub account: String,
    /// Whose token it is, for whoever asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AccountId>,
}

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// The program's version.
    pub version: String,
    /// When it began, in seconds since 1970.
    pub started_at: i64,
    /// After how many seconds without a request it ends.
    pub idle: u64,
    /// How many tokens it has handed out.
    pub tokens: u64,
    /// The one account whose tokens it hands out, for people; `None`: every account of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The most that its tokens may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The one API that they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How many seconds they live at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $name:literal, )*) => {
        /// Why there is no token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TroubleKind { $( $(#[$doc])* $kind, )* }

        impl TroubleKind {
            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )* }
            }

            fn of_name(name: &str) -> Self {
                match name { $( $name => Self::$kind, )* _ => Self::Failed }
            }
        }
    };
}

kinds! {
    /// Something went wrong at the agent.
    Failed = "failed",
    /// The request makes no sense, or names no single account.
    Usage = "usage",
    /// A person must sign in.
    SignInNeeded = "sign_in_needed",
    /// The authorization server does not answer.
    Unreachable = "unreachable",
    /// The authorization server says no, or the agent's ceiling does.
    Refused = "refused",
    /// The caller is not one that the agent answers.
    Denied = "denied",
    /// Too many callers at once.
    Busy = "busy",
}

impl Serialize for TroubleKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TroubleKind {
    /// A name that a later version may know is a failure.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::of_name(&name))
    }
}

/// Why there is no token, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What kind of trouble it is.
    pub kind: TroubleKind,
    /// A sentence.
    pub message: String,
    /// The command that helps, to be run where the agent runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A token.
    Token(Granted),
    /// A proof.
    Proof(Secret),
    /// How the agent is.
    Status(Status),
    /// It ends.
    Stopping,
    /// Why not.
    Trouble(Trouble),
}

/// An answer on the wire; one of the members is there.
#[derive(Default, Serialize, Deserialize)]
struct Line {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Granted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopping: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

impl Request {
    fn of(op: Op) -> Self {
        Self {
            v: VERSION,
            op,
            auth: None,
            server: None,
            account: None,
            space: None,
            scope: None,
            resource: None,
            audience: None,
            ttl: None,
            min_ttl: None,
            refused: None,
            method: None,
            url: None,
            nonce: None,
            ath: None,
        }
    }

    /// For a token of the account that is meant.
    #[must_use]
    pub fn token(selection: &Selection, narrowing: &Narrowing, min_ttl: Option<Duration>) -> Self {
        Self {
            server: selection.issuer.as_ref().map(ToString::to_string),
            account: selection.account.clone(),
            space: selection.space.clone(),
            scope: narrowing.scope.as_ref().map(ToString::to_string),
            resource: narrowing.resource.as_ref().map(ToString::to_string),
            audience: narrowing.audience.clone(),
            ttl: narrowing.ttl.map(|ttl| ttl.as_secs().max(1)),
            min_ttl: min_ttl.map(|span| span.as_secs()),
            ..Self::of(Op::Token)
        }
    }

    /// The same for this account, whatever the default is by then: for who asks again and goes on with what it began with.
    #[must_use]
    pub fn of_account(self, server: &str, id: &AccountId) -> Self {
        Self { server: Some(server.to_owned()), account: Some(id.to_string()), space: None, ..self }
    }

    /// The same after a server refused this token: for another one, if there can be one.
    #[must_use]
    pub fn instead_of(self, refused: &Secret) -> Self {
        Self { refused: Some(access_token_hash(refused.expose())), ..self }
    }

    /// For a proof of the key that the token in `wanted` is bound to.
    #[must_use]
    pub fn proof(wanted: &Wanted<'_>) -> Self {
        Self {
            method: Some(wanted.method.to_owned()),
            url: Some(wanted.url.to_owned()),
            nonce: wanted.nonce.map(str::to_owned),
            ath: wanted.access_token.map(access_token_hash),
            ..Self::of(Op::Proof)
        }
    }

    /// How the agent is.
    #[must_use]
    pub fn status() -> Self {
        Self::of(Op::Status)
    }

    /// That it ends.
    #[must_use]
    pub fn stop() -> Self {
        Self::of(Op::Stop)
    }

    pub(super) fn with_auth(self, token: Secret) -> Self {
        Self { auth: Some(token), ..self }
    }

    pub(super) fn op(&self) -> Op {
        self.op
    }

    pub(super) fn auth(&self) -> Option<&Secret> {
        self.auth.as_ref()
    }

    pub(super) fn min_ttl(&self) -> Option<Duration> {
        self.min_ttl.map(Duration::from_secs)
    }

    /// Whether it comes because a server refused this token.
    pub(super) fn refuses(&self, token: &Secret) -> bool {
        self.refused.as_deref().is_some_and(|hash| hash == access_token_hash(token.expose()))
    }

    /// The request that a proof is for, and the hash of the token beside it.
    pub(super) fn read_proof(&self) -> Result<(Wanted<'_>, &str), Trouble> {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let (Some(method), Some(url), Some(ath)) = (&self.method, &self.url, &self.ath) else {
            return Err(Trouble::usage("a proof is made for a method, a url and the ath of a token"));
        };
        if !(1..=MAX_METHOD).contains(&method.len()) || !method.bytes().all(is_name) {
            return Err(Trouble::usage("method: a word such as GET or POST"));
        }
        if target(url).is_none() {
            return Err(Trouble::usage("url: an http or https URL of at most 4096 bytes, without a user"));
        }
        if self.nonce.as_deref().is_some_and(|nonce| !is_nonce(nonce)) {
            return Err(Trouble::usage("nonce: what a server gave in DPoP-Nonce"));
        }
        Ok((Wanted { method, url, nonce: self.nonce.as_deref(), access_token: None }, ath))
    }

    /// Which account is meant, and what its token is narrowed to.
    pub(super) fn read(&self) -> Result<(Selection, Narrowing), Trouble> {
        let usage = |member: &str, error: &dyn std::fmt::Display| Trouble::usage(format!("{member}: {error}"));
        let issuer = self.server.as_deref().map(str::parse).transpose().map_err(|error| usage("server", &error))?;
        if self.ttl == Some(0) {
            return Err(Trouble::usage("ttl: a token lives at least a second"));
        }
        let narrowing = Narrowing {
            scope: self.scope.as_deref().map(str::parse).transpose().map_err(|error| usage("scope", &error))?,
            resource: self
                .resource
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| usage("resource", &error))?,
            audience: self.audience.clone(),
            ttl: self.ttl.map(Duration::from_secs),
        };
        Ok((Selection { issuer, account: self.account.clone(), space: self.space.clone() }, narrowing))
    }

    /// The line, without its end.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Trouble> {
        // Whoever speaks another version may use members that this one does not know.
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let nonsense = || Trouble::usage("a request is one line with a JSON object as docs/agent.md tells");
        match serde_json::from_slice::<Version>(line) {
            Ok(Version { v: VERSION }) => {}
            Ok(Version { v }) => {
                return Err(Trouble::usage(format!("version {v} of the protocol is not spoken here, but {VERSION}")));
            }
            Err(_) => return Err(nonsense()),
        }
        serde_json::from_slice(line).map_err(|error| match error.is_data() {
            // The names of members and types, never a value of ours.
            true if error.to_string().starts_with("unknown field") => Trouble::usage(tidy(&error.to_string(), 200)),
            _ => nonsense(),
        })
    }

    /// The line with its end; wiped when dropped.
    pub(super) fn line(&self) -> Option<Zeroizing<Vec<u8>>> {
        line(self, 2 * MAX_REQUEST).filter(|line| line.len() <= MAX_REQUEST)
    }
}

impl Granted {
    pub(super) fn is_bearer(&self) -> bool {
        self.token_type.eq_ignore_ascii_case("Bearer")
    }

    /// Whether it is bound to a key, which the agent has.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.token_type.eq_ignore_ascii_case("DPoP")
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<UtcMillis> {
        self.expires_at.map(UtcMillis::from_seconds)
    }
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), command: None }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(TroubleKind::Usage, message)
    }
}

impl Answer {
    /// The line with its end; wiped when dropped.
    pub(super) fn line(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut answer = Line { v: VERSION, ..Line::default() };
        let mut room = 16 * 1024;
        match self.clone() {
            Self::Token(granted) => {
                // A token whose every character must be escaped.
                room += 2 * granted.access_token.expose().len();
                answer.token = Some(granted);
            }
            Self::Proof(proof) => {
                room += proof.expose().len();
                answer.proof = Some(proof);
            }
            Self::Status(status) => answer.status = Some(status),
            Self::Stopping => answer.stopping = Some(true),
            Self::Trouble(trouble) => answer.error = Some(trouble),
        }
        line(&answer, room)
    }

    /// Reads an answer; `None` for what is none. What is for people is fit for a terminal.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok().filter(|line: &Line| line.v == VERSION)?;
        if let Some(trouble) = line.error {
            return Some(Self::Trouble(Trouble {
                kind: trouble.kind,
                message: tidy(&trouble.message, 1000),
                command: trouble.command.map(|command| tidy(&command, 1000)),
            }));
        }
        let token = line.token.map(Self::Token).or(line.proof.map(Self::Proof));
        token.or(line.status.map(Self::Status)).or(line.stopping.map(|_| Self::Stopping))
    }
}

/// JSON in a buffer that does not grow, since what a growing one leaves behind is not wiped.
fn line(message: &impl Serialize, room: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *line, message).ok()?;
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_its_line_and_a_slip_is_refused() {
        let narrowing = Narrowing {
            scope: Some("a b".parse().unwrap()),
            ttl: Some(Duration::from_secs(60)),
            ..Narrowing::default()
        };
        let request = Request::token(&Selection::default(), &narrowing, None).with_auth("geheim".into());
        assert!(!format!("{request:?}").contains("geheim"));
        let line = request.line().unwrap();
        assert_eq!(line.last(), Some(&b'\n'));
        assert_eq!(Request::parse(&line).unwrap().read().unwrap().1, narrowing);
        let said = |line: &str| match Request::parse(line.as_bytes()) {
            Ok(request) => request.read().map(drop).map_err(|trouble| trouble.message).unwrap_err(),
            Err(trouble) => trouble.message,
        };
        assert!(
            said(r#"{"v":1,"op":"token","scopes":"read"}"#).contains("`scopes`"),
            "a ceiling is not lost by a slip"
        );
        assert!(said(r#"{"v":2,"op":"token","x":1}"#).contains("version 2"));
        assert!(said(r#"{"v":1,"op":"token","ttl":0}"#).starts_with("ttl"));
        assert!(said(r#"{"v":1,"op":"token","resource":"javascript:1"}"#).starts_with("resource"));
        assert!(said(r#"{"v":1,"op":"token","server":"x"}"#).starts_with("server"));
        for junk in ["", "{", "[]", "null", "GET / HTTP/1.1", r#"{"v":1}"#, r#"{"v":1,"op":"token","ttl":-1}"#] {
            assert!(said(junk).contains("one line"), "{junk}: {}", said(junk));
        }
    }

    #[test]
    fn a_proof_is_asked_for_one_request_and_one_token() {
        let wanted = Wanted { method: "GET", url: "https://a.example/x", nonce: Some("n"), access_token: Some("t") };
        let line = Request::proof(&wanted).line().unwrap();
        let read = Request::parse(&line).unwrap();
        let (asked, ath) = read.read_proof().unwrap();
        assert_eq!((asked.method, asked.url, asked.nonce), ("GET", "https://a.example/x", Some("n")));
        assert_eq!(ath, access_token_hash("t"));
        let long = format!("https://a.example/{}", "x".repeat(5000));
        let other = |change: fn(&mut Wanted<'static>)| {
            let mut wanted = wanted;
            change(&mut wanted);
            Request::proof(&wanted).read_proof().map(drop).map_err(|trouble| trouble.kind)
        };
        assert_eq!(other(|_| {}), Ok(()));
        for bad in [
            other(|wanted| wanted.access_token = None),
            other(|wanted| wanted.method = ""),
            other(|wanted| wanted.method = "GET /"),
            other(|wanted| wanted.url = "ftp://a.example"),
            other(|wanted| wanted.url = "https://u:p@a.example"),
            other(|wanted| wanted.nonce = Some("a b")),
            Request::proof(&Wanted { url: &long, ..wanted }).read_proof().map(drop).map_err(|trouble| trouble.kind),
        ] {
            assert_eq!(bad, Err(TroubleKind::Usage));
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_said_and_cannot_write_to_the_terminal() {
        let trouble = Trouble { kind: TroubleKind::Busy, message: "\u{1b}[2Jno".into(), command: None };
        let Some(Answer::Trouble(read)) = Answer::parse(&Answer::Trouble(trouble).line().unwrap()) else { panic!() };
        assert_eq!((read.kind, read.message.as_str()), (TroubleKind::Busy, "[2Jno"));
        let later = br#"{"v":1,"error":{"kind":"of tomorrow","message":"x"},"more":1}"#;
        assert!(matches!(Answer::parse(later), Some(Answer::Trouble(Trouble { kind: TroubleKind::Failed, .. }))));
        for none in [&b"{}"[..], b"", br#"{"v":2,"stopping":true}"#, br#"{"v":1}"#] {
            assert!(Answer::parse(none).is_none());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_reading_panic(line: Vec<u8>) {
            let _ = Request::parse(&line).and_then(|request| request.read_proof().and(request.read().map(drop)));
            let _ = Answer::parse(&line);
        }
    }
}
