//! One HTTP client, and one reading of what comes back.
//!
//! Every request has a bound: ten seconds to connect, thirty for all, one mebibyte of answer, no
//! redirect (a token endpoint that redirects would have us hand our secrets to a stranger). A server
//! that lies, stalls or shouts costs at most that. Requests to this machine pass no proxy.

use crate::{
    Failure, Network, Refusal, TlsIdentity, Unreachable, WebUrl,
    dpop::memory::Memory,
    failure::ProxyTrouble,
    text::tidy,
    told::Told,
    trust::{self, Certificate, Seen},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass_oauth::{ErrorBody, ErrorCode, Secret, dpop};
use reqwest::{
    Client, Method,
    header::{self, HeaderMap, HeaderValue},
    redirect,
};
use serde::de::DeserializeOwned;
use std::{
    error::Error as _,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use url::form_urlencoded::{Serializer, byte_serialize};

/// The longest answer that is read, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// The fields of a form that hold a secret.
const SECRET_FIELDS: [&str; 10] = [
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
    "client_secret",
    "client_assertion",
    "assertion",
    "subject_token",
    // STS of AWS.
    "WebIdentityToken",
];
/// What requests say they come from.
pub const USER_AGENT: &str = concat!("gatepass/", env!("CARGO_PKG_VERSION"));

/// What answers are asked for.
const JSON: &str = "application/json";

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the whole request, the last byte of the answer included.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), whole: Duration::from_secs(30) }
    }
}

/// The HTTP client. Made without I/O; TLS is set up at the first request that needs it.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    timeouts: Timeouts,
    memory: Arc<Memory>,
    identity: Option<TlsIdentity>,
    network: Network,
    seen: Seen,
    outside: OnceLock<Client>,
    loopback: OnceLock<Client>,
}

/// What the `Authorization` header says.
#[derive(Clone, Debug)]
enum Authorization {
    Bearer(Secret),
    Dpop(Secret),
    /// The pair as it stands in the header.
    Basic(Secret),
}

/// A request as data.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    url: WebUrl,
    authorization: Option<Authorization>,
    proof: Option<Secret>,
    body: Option<(&'static str, Secret)>,
    accept: &'static str,
    /// What an answer may repeat, and nobody may see.
    secrets: Vec<Secret>,
}

impl Authorization {
    /// The header's value, which logs must not show.
    fn header(&self) -> Result<HeaderValue, header::InvalidHeaderValue> {
        let text = match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
            Self::Dpop(token) => format!("DPoP {}", token.expose()),
            Self::Basic(pair) => format!("Basic {}", pair.expose()),
        };
        let mut value = HeaderValue::try_from(text)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Call {
    /// A GET request.
    #[must_use]
    pub fn get(url: WebUrl) -> Self {
        Self {
            method: Method::GET,
            url,
            authorization: None,
            proof: None,
            body: None,
            accept: JSON,
            secrets: Vec::new(),
        }
    }

    /// A POST request with form fields.
    #[must_use]
    pub fn form(url: WebUrl, fields: &[(&str, &str)]) -> Self {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let secrets = fields.iter().filter(|(name, _)| SECRET_FIELDS.contains(name)).map(|(_, value)| (*value).into());
        let secrets = secrets.collect();
        Self { body: Some(("application/x-www-form-urlencoded", body.into())), secrets, ..Self::post(url) }
    }

    /// A POST request with a JSON document.
    #[must_use]
    pub fn json(url: WebUrl, document: &serde_json::Value) -> Self {
        Self { body: Some(("application/json", document.to_string().into())), ..Self::post(url) }
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn with_bearer(mut self, token: &Secret) -> Self {
        self.authorization = Some(Authorization::Bearer(token.clone()));
        self.secrets.push(token.clone());
        self
    }

    /// Adds `Authorization: Basic`; name and secret are form-encoded first (RFC 6749 §2.3.1).
    #[must_use]
    pub fn with_basic(mut self, name: &str, secret: &Secret) -> Self {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(name), encode(secret.expose()));
        self.authorization = Some(Authorization::Basic(STANDARD.encode(pair).into()));
        self.secrets.push(secret.clone());
        self
    }

    /// Adds a DPoP proof, and the token that it is for, if it is for one.
    pub(crate) fn with_proof(mut self, token: Option<&Secret>, proof: Secret) -> Self {
        if let Some(token) = token {
            self.authorization = Some(Authorization::Dpop(token.clone()));
            self.secrets.push(token.clone());
        }
        self.proof = Some(proof);
        self
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Where it goes.
    #[must_use]
    pub fn url(&self) -> &WebUrl {
        &self.url
    }

    /// Asks for another kind of answer than JSON.
    #[must_use]
    pub fn accepting(mut self, kind: &'static str) -> Self {
        self.accept = kind;
        self
    }

    fn post(url: WebUrl) -> Self {
        Self {
            method: Method::POST,
            url,
            authorization: None,
            proof: None,
            body: None,
            accept: JSON,
            secrets: Vec::new(),
        }
    }
}

/// An answer, whole and bounded.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    host: String,
    told: Told,
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} from {}, {} bytes)", self.status, self.host, self.body.len())
    }
}

impl Transport {
    /// A transport with the usual bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_timeouts(Timeouts::default())
    }

    /// A transport with other bounds.
    #[must_use]
    pub fn with_timeouts(timeouts: Timeouts) -> Self {
        Self::with(timeouts, Network::default())
    }

    /// A transport with other bounds, by a proxy or with more authorities.
    #[must_use]
    pub fn with(timeouts: Timeouts, network: Network) -> Self {
        Self(Arc::new(Inner {
            timeouts,
            memory: Arc::default(),
            identity: None,
            network,
            seen: Seen::default(),
            outside: OnceLock::new(),
            loopback: OnceLock::new(),
        }))
    }

    /// The same, with a client certificate for servers that ask for one (RFC 8705 §2). Connections are its own.
    pub(crate) fn showing(&self, identity: TlsIdentity) -> Self {
        Self(Arc::new(Inner {
            timeouts: self.0.timeouts,
            memory: Arc::clone(&self.0.memory),
            identity: Some(identity),
            network: self.0.network.clone(),
            seen: self.0.seen.clone(),
            outside: OnceLock::new(),
            loopback: OnceLock::new(),
        }))
    }

    /// What servers have told of their nonces and clocks.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// How requests leave this machine.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// The certificate with which the host of `url` spoke TLS, if it was believed.
    #[must_use]
    pub fn certificate_of(&self, url: &WebUrl) -> Option<Certificate> {
        self.0.seen.of(url.url().host_str()?.trim_matches(['[', ']']))
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when no whole answer came, [`Failure::Nonsense`] for one over [`MAX_BODY`].
    pub async fn send(&self, call: Call) -> Result<Reply, Failure> {
        // A path may be shown, a query never: it may hold a code.
        let (method, host, path) = (call.method.clone(), call.url.host(), call.url.url().path().to_owned());
        let started = Instant::now();
        let outcome = self.exchange(call).await;
        let ms = started.elapsed().as_millis();
        match &outcome {
            Ok(reply) => {
                tracing::debug!("{method} {host}{path} answered {} in {ms} ms{}", reply.status, reply.told_error());
            }
            Err(failure) => tracing::debug!("{method} {host}{path} failed after {ms} ms: {failure}"),
        }
        outcome
    }

    async fn exchange(&self, call: Call) -> Result<Reply, Failure> {
        let host = call.url.host();
        let url = call.url.url().clone();
        let mut request = self.client(&call.url)?.request(call.method, url.clone());
        request = request.header(header::ACCEPT, call.accept);
        if let Some(authorization) = &call.authorization {
            let value = authorization.header().map_err(|_| Failure::Unreachable {
                host: host.clone(),
                why: Unreachable::NoConnection("a token that no header can carry".into()),
            })?;
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(proof) = &call.proof {
            request = request.header(dpop::HEADER, proof.expose());
        }
        if let Some((kind, body)) = &call.body {
            request = request.header(header::CONTENT_TYPE, *kind).body(body.expose().to_owned());
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(&host, &error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let told = Told::read(&headers);
        if let Some(nonce) = &told.nonce {
            self.0.memory.set_nonce(&url, nonce);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&host, &error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Failure::Nonsense { host, status, what: "it is longer than 1 MiB".into() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body, host, told, headers, secrets: call.secrets })
    }

    fn client(&self, url: &WebUrl) -> Result<&Client, Failure> {
        let place = if url.is_loopback() { &self.0.loopback } else { &self.0.outside };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let settings = |why: String| Failure::Unreachable { host: url.host(), why: Unreachable::Settings(why) };
        let tls = trust::client_config(self.0.network.ca_file.as_deref(), &self.0.seen, self.0.identity.as_ref())
            .map_err(settings)?;
        let mut builder = Client::builder().no_proxy().tls_backend_preconfigured(tls);
        if !url.is_loopback()
            && let Some(proxy) = self.0.network.proxy()
        {
            builder = builder.proxy(proxy.map_err(|_| settings("the proxy's URL cannot be used".into()))?);
        }
        let built = builder
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(self.0.timeouts.connect)
            .timeout(self.0.timeouts.whole)
            .build()
            .map_err(|_| settings("TLS cannot be set up".into()))?;
        Ok(place.get_or_init(|| built))
    }

    /// Sorts what `reqwest` reports. The URL is left out of every text: its query may hold a code.
    fn unreachable(&self, host: &str, error: &reqwest::Error) -> Failure {
        let why = if let Some(untrusted) = trust::untrusted_in(error) {
            Unreachable::Untrusted(Box::new(untrusted.clone()))
        } else if error.is_timeout() {
            Unreachable::Timeout
        } else if error.is_connect() || error.is_builder() {
            self.no_connection(error)
        } else {
            Unreachable::BrokenOff
        };
        Failure::Unreachable { host: host.to_owned(), why }
    }

    fn no_connection(&self, error: &reqwest::Error) -> Unreachable {
        let mut deepest: &dyn std::error::Error = error;
        // The errors of a tunnel have no public type; what they say is held by a test.
        let mut tunnel = None;
        while let Some(source) = deepest.source() {
            deepest = source;
            let text = source.to_string();
            tunnel = tunnel.or_else(|| (text.starts_with("tunnel error") || text.starts_with("SOCKS")).then_some(text));
        }
        if let (Some(proxy), Some(text)) = (&self.0.network.proxy, tunnel) {
            let why = if text.contains("proxy authorization required") || text.contains("uthentication") {
                if proxy.has_credentials() { ProxyTrouble::WrongPassword } else { ProxyTrouble::WantsPassword }
            } else if text.contains("underlying connection") || text.contains("ailed to connect") {
                ProxyTrouble::Away
            } else {
                ProxyTrouble::Refused
            };
            return Unreachable::Proxy { proxy: proxy.to_string(), why };
        }
        let text = if error.source().is_some() { deepest.to_string() } else { "no connection".into() };
        Unreachable::NoConnection(tidy(&text, 200))
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({:?}, {:?})", self.0.timeouts, self.0.network)
    }
}

impl Reply {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads the answer of an OAuth endpoint.
    ///
    /// An error document counts as a refusal even under status 200, since some servers send it so.
    ///
    /// # Errors
    /// One of the three kinds of [`Failure`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let refusal = self.refusal();
        match (self.status, refusal) {
            // Some servers slow a device down with 429; that is an answer, not a fault.
            (429, Some(r)) if r.is(ErrorCode::SlowDown) || r.is(ErrorCode::AuthorizationPending) => {
                Err(Failure::Refused(r))
            }
            (429 | 500.., _) => Err(self.unreachable(Unreachable::Busy(self.status))),
            (200..=299 | 400..=499, Some(refusal)) => Err(Failure::Refused(refusal)),
            (200..=299, None) => serde_json::from_slice(&self.body)
                .map_err(|_| self.nonsense("it is not the JSON document that was asked for")),
            (300..=399, _) => Err(self.nonsense("a redirect, which is not followed")),
            (status, _) => Err(self.nonsense(format!("status {status} without an OAuth error"))),
        }
    }

    /// Reads the answer of an endpoint whose good answer has no content that matters (RFC 7009 §2.2).
    ///
    /// # Errors
    /// One of the three kinds of [`Failure`].
    pub fn read_empty(&self) -> Result<(), Failure> {
        if self.is_success() && self.refusal().is_none() {
            return Ok(());
        }
        self.read::<serde::de::IgnoredAny>().map(drop)
    }

    /// An answer that does not fit what was asked.
    #[must_use]
    pub fn nonsense(&self, what: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
        Failure::Nonsense { host: self.host.clone(), status: self.status, what: what.into() }
    }

    /// What its headers say.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Whether it is an OAuth error with this code.
    pub(crate) fn refuses_with(&self, code: ErrorCode) -> bool {
        self.refusal().is_some_and(|refusal| refusal.is(code))
    }

    /// A header of the answer, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The OAuth error of an answer for the log: only codes that the standards know, since a server could repeat
    /// a secret in its place.
    fn told_error(&self) -> String {
        match self.refusal() {
            Some(refusal) => match ErrorCode::ALL.iter().find(|code| refusal.is(**code)) {
                Some(code) => format!(": {}", code.as_str()),
                None => ": an error of its own".into(),
            },
            None => String::new(),
        }
    }

    fn unreachable(&self, why: Unreachable) -> Failure {
        Failure::Unreachable { host: self.host.clone(), why }
    }

    /// What somebody else says, without the secrets that were sent to him.
    pub(crate) fn without_secrets(&self, text: String) -> String {
        let told = self.secrets.iter().map(Secret::expose).filter(|secret| secret.len() >= 8);
        told.fold(text, |text, secret| text.replace(secret, "<secret>"))
    }

    fn refusal(&self) -> Option<Refusal> {
        let body: ErrorBody = serde_json::from_slice(&self.body).ok()?;
        let code = tidy(&self.without_secrets(body.error), 80);
        let description = body.error_description.map(|text| tidy(&self.without_secrets(text), 300));
        let description = description.filter(|text| !text.is_empty());
        (!code.is_empty()).then_some(Refusal { code, description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec(),
            host: "a.example".into(),
            told: Told::default(),
            headers: HeaderMap::new(),
            secrets: vec!["refresh-secret".into()],
        }
    }

    fn kind(status: u16, body: &str) -> &'static str {
        match reply(status, body).read::<serde_json::Value>() {
            Ok(_) => "good",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Nonsense { .. }) => "nonsense",
            Err(Failure::Unreachable { .. }) => "unreachable",
        }
    }

    #[test]
    fn every_answer_falls_into_one_of_the_kinds() {
        let table = [
            (200, r#"{"a":1}"#, "good"),
            (200, r#"{"error":"authorization_pending"}"#, "refused"),
            (400, r#"{"error":"invalid_grant"}"#, "refused"),
            (401, r#"{"error":"invalid_client"}"#, "refused"),
            (429, r#"{"error":"slow_down"}"#, "refused"),
            (429, r#"{"error":"invalid_grant"}"#, "unreachable"),
            (503, r#"{"error":"invalid_grant"}"#, "unreachable"),
            (500, "<html>", "unreachable"),
            (200, "<html>", "nonsense"),
            (200, "", "nonsense"),
            (400, "<html>", "nonsense"),
            (404, "{}", "nonsense"),
            (400, r#"{"error":""}"#, "nonsense"),
            (302, "", "nonsense"),
            (999, "", "unreachable"),
        ];
        for (status, body, expected) in table {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_cannot_repeat_a_secret() {
        let text = reply(400, r#"{"error":"refresh-secret","error_description":"no refresh-secret is known"}"#);
        let failure = text.read::<serde_json::Value>().unwrap_err().to_string();
        assert_eq!(failure, "no <secret> is known (<secret>)");
        let url = || "https://a.example/".parse().unwrap();
        let call = Call::form(url(), &[("client_id", "cli"), ("code", "x"), ("token", "y")]).with_bearer(&"z".into());
        assert_eq!(call.secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["x", "y", "z"]);
    }

    #[test]
    fn a_refusal_cannot_write_to_the_terminal() {
        let text = reply(400, r#"{"error":"x\u001b[2J","error_description":"\u001b]0;hi\u0007 you"}"#);
        let failure = text.read::<serde_json::Value>().unwrap_err().to_string();
        assert_eq!(failure, "]0;hi you (x[2J)");
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_panic(status in 100u16..1000, body: Vec<u8>) {
            let _ = Reply { status, body, host: String::new(), told: Told::default(), headers: HeaderMap::new(), secrets: vec!["refresh-secret".into()] }.read::<serde_json::Value>();
        }
    }
}
