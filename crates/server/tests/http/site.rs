//! Somebody else's site on this machine: it answers as a test says, and remembers what it was asked.

use gatepass_testkit::{Engine, Options, TestServer, authority::ClientPolicy, tokio};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What a path answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl Reply {
    pub(crate) fn json(value: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status: 200, headers, body: value.to_string(), delay: Duration::ZERO }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::json(&json!({})) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) url: String,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let site = Self { url, replies: Arc::default(), asked: Arc::default() };
        let serving = site.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let site = serving.clone();
                tokio::spawn(async move {
                    let (mut head, mut part) = (Vec::new(), [0; 2048]);
                    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                        match stream.read(&mut part).await {
                            Ok(count) if count > 0 => head.extend_from_slice(&part[..count]),
                            _ => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    site.asked.lock().unwrap().push(head);
                    let reply = site.replies.lock().unwrap().get(&path).cloned().unwrap_or_else(|| Reply::status(404));
                    tokio::time::sleep(reply.delay).await;
                    let mut text = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
                    for (name, value) in &reply.headers {
                        text.push_str(&format!("{name}: {value}\r\n"));
                    }
                    if reply.status != 304 {
                        text.push_str(&format!("content-length: {}\r\n", reply.body.len()));
                    }
                    let _ = stream.write_all(format!("{text}\r\n{}", reply.body).as_bytes()).await;
                });
            }
        });
        site
    }

    pub(crate) fn answers(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The identifier of the client whose document lies at this path.
    pub(crate) fn id(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A good document at this path; the client's identifier.
    pub(crate) fn publishes(&self, path: &str) -> String {
        self.answers(path, Reply::json(&self.document(path)));
        self.id(path)
    }

    pub(crate) fn document(&self, path: &str) -> Value {
        json!({
            "client_id": self.id(path),
            "client_name": "Desk tool",
            "redirect_uris": [gatepass_testkit::REDIRECT_URI, "http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            "logo_uri": format!("{}/logo.png", self.url),
        })
    }
}

/// The policy of tests: sites on this machine may be asked.
pub(crate) fn policy() -> ClientPolicy {
    ClientPolicy { private_hosts: vec!["localhost".into()], ..ClientPolicy::default() }
}

pub(crate) async fn server(engine: Engine, clients: ClientPolicy) -> TestServer {
    TestServer::with(engine, Options { clients, ..Options::default() }).await
}
