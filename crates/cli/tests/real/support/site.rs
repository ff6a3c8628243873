//! Another server that tools talk to: it is told what to answer, and remembers what it was asked.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header that is there once.
    pub(crate) fn only_header(&self, name: &str) -> &str {
        let all: Vec<_> = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0].1.as_str()
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Told {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type".into(), kind.into())], body: body.into() }
    }

    /// 401 with a challenge.
    pub(crate) fn challenge(challenge: &str) -> Self {
        let mut told = Self::new(401, "text/plain", "who is it?");
        told.headers.push(("WWW-Authenticate".into(), challenge.into()));
        told
    }
}

/// The server. It lives as long as the test.
pub(crate) struct Site {
    pub(crate) url: String,
    /// Host and port.
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        Self::serve(None, answer)
    }

    /// The same over TLS, with a certificate for 127.0.0.1; also the certificate in PEM, which is its own authority.
    pub(crate) fn start_tls(answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        (Self::serve(Some(Arc::new(config)), answer), made.cert.pem())
    }

    fn serve(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let all = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer, tls) = (Arc::clone(&all), Arc::clone(&answer), tls.clone());
                thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    match tls {
                        None => talk(stream, &all, &*answer),
                        Some(config) => {
                            talk(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &all, &*answer)
                        }
                    }
                });
            }
        });
        Self { url: format!("{scheme}://{address}"), address, asked }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether anybody ever sent a credential here.
    pub(crate) fn was_shown_a_credential(&self) -> bool {
        self.asked().iter().any(|asked| asked.header("authorization").is_some())
    }
}

fn talk(mut stream: impl Read + Write, all: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Told) {
    let Some(asked) = read(&mut stream) else {
        // Who tried TLS is told that this is none.
        let _ = stream.write_all(b"HTTP/1.1 400 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    all.lock().unwrap().push(asked.clone());
    let told = answer(&asked);
    let mut head =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", told.status, told.body.len());
    for (name, value) in told.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    if asked.method != "HEAD" {
        let _ = stream.write_all(&told.body);
    }
    let _ = stream.flush();
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        // The first byte of a TLS handshake.
        if bytes[0] == 0x16 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut words = head.split(' ');
    let mut asked =
        Asked { method: words.next()?.into(), target: words.next()?.into(), headers, body: bytes[end + 4..].to_vec() };
    let length: usize = asked.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while asked.body.len() < length {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        asked.body.extend_from_slice(&chunk[..count]);
    }
    Some(asked)
}
