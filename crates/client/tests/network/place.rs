//! A certificate authority, a door behind TLS, and proxies.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part of it")]

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A certificate with its key, in PEM.
pub struct Shown {
    pub certificate: String,
    pub key: String,
}

pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn named(mut params: CertificateParams, name: &str) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named(CertificateParams::default(), "Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a host, good from the beginning of one year to that of another.
    pub fn sign(&self, host: &str, years: (i32, i32)) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params = named(CertificateParams::new([host.to_owned()]).unwrap(), host);
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Shown { certificate, key: key.serialize_pem() }
    }

    /// Writes its own certificate into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("ca.pem");
        std::fs::write(&file, &self.pem).unwrap();
        file
    }
}

/// A listener that speaks TLS and answers every request with an empty JSON object.
pub struct Door {
    pub port: u16,
}

impl Door {
    pub fn open(shown: Shown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let chain = vec![CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for stream in listener.incoming().flatten() {
                runtime.block_on(serve(&acceptor, stream));
            }
        });
        Self { port }
    }

    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.port)
    }
}

async fn serve(acceptor: &TlsAcceptor, stream: TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.set_nonblocking(true).unwrap();
    let Ok(mut stream) = acceptor.accept(tokio::net::TcpStream::from_std(stream).unwrap()).await else { return };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// What a proxy wants of those who come.
#[derive(Clone, Copy)]
pub enum Wants {
    Nothing,
    Password(&'static str, &'static str),
    /// It lets nobody through.
    Nobody,
    /// SOCKS 5 (RFC 1928) instead of CONNECT.
    Socks,
}

/// A proxy that leads to one port of this machine, whatever host is asked for.
pub struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn open(wants: Wants, to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                thread::spawn(move || match wants {
                    Wants::Socks => socks(stream, to, &all),
                    _ => connect(stream, wants, to, &all),
                });
            }
        });
        Self { port, asked }
    }

    /// Its URL; `user` is empty or ends with `@`.
    pub fn url(&self, user: &str) -> String {
        format!("http://{user}127.0.0.1:{}", self.port)
    }

    /// What it was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn connect(mut stream: TcpStream, wants: Wants, to: u16, asked: &Mutex<Vec<String>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().replace(" HTTP/1.1", "");
    asked.lock().unwrap().push(line.clone());
    let given = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
    });
    let refusal = match wants {
        _ if !line.starts_with("CONNECT ") => Some("405 Method Not Allowed"),
        Wants::Password("ada", "hunter2") if given.as_deref() != Some("Basic YWRhOmh1bnRlcjI=") => {
            Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic")
        }
        Wants::Nobody => Some("403 Forbidden"),
        _ => None,
    };
    match refusal {
        Some(refusal) => drop(write!(stream, "HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n")),
        None => {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            join(stream, to);
        }
    }
}

fn socks(mut stream: TcpStream, to: u16, asked: &Mutex<Vec<String>>) {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).unwrap();
    let mut methods = vec![0; greeting[1].into()];
    stream.read_exact(&mut methods).unwrap();
    stream.write_all(&[5, 0]).unwrap();
    let mut request = [0; 5];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request[..4], [5, 1, 0, 3], "a connection to a host by its name");
    let mut rest = vec![0; usize::from(request[4]) + 2];
    stream.read_exact(&mut rest).unwrap();
    let (host, port) = rest.split_at(request[4].into());
    let port = u16::from_be_bytes([port[0], port[1]]);
    asked.lock().unwrap().push(format!("SOCKS {}:{port}", String::from_utf8_lossy(host)));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    join(stream, to);
}

/// Carries bytes both ways until both have ended.
fn join(near: TcpStream, to: u16) {
    let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
    let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut near_in, &mut far_out);
        let _ = far_out.shutdown(std::net::Shutdown::Write);
    });
    let (mut far_in, mut near_out) = (far, near);
    let _ = std::io::copy(&mut far_in, &mut near_out);
    let _ = near_out.shutdown(std::net::Shutdown::Write);
}

/// A port of this machine on which nobody listens.
pub fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
