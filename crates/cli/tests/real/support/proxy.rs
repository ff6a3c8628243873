//! A running `gatepass proxy`, and requests through it.

use super::{Program, Server, Terminal, gatepass};
use gatepass_testkit::tokio::{
    self,
    io::AsyncWriteExt,
    net::{TcpStream, ToSocketAddrs},
};
use std::{process::Command, time::Duration};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

/// A proxy that listens. Dropped, it is killed.
pub(crate) struct Proxy {
    pub(crate) program: Program,
    /// What it printed.
    pub(crate) url: String,
    pub(crate) port: u16,
}

impl Proxy {
    /// With the account of a terminal.
    #[track_caller]
    pub(crate) fn of(terminal: &Terminal, upstream: &str, arguments: &[&str]) -> Self {
        Self::start(terminal.command(&["proxy", upstream]).args(arguments))
    }

    /// With the token `raw-token`, and no account.
    #[track_caller]
    pub(crate) fn raw(upstream: &str, arguments: &[&str]) -> Self {
        Self::start(Self::raw_command(upstream).args(arguments))
    }

    pub(crate) fn raw_command(upstream: &str) -> Command {
        let mut command = gatepass();
        command.env("GATEPASS_TOKEN", "raw-token").args(["proxy", upstream]);
        command
    }

    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = Program::start(command);
        let url = program.out.wait_for("http://127.0.0.1:");
        let rest = url.strip_prefix("http://127.0.0.1:").unwrap();
        let port = rest.split('/').next().unwrap().parse().unwrap();
        Self { program, url, port }
    }

    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The part of the path that is secret, with its slash.
    pub(crate) fn prefix(&self) -> &str {
        self.url.strip_prefix(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        Server::http().get(self.path(path)).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> reqwest::Response {
        Server::http().post(self.path(path)).body(body).send().await.unwrap()
    }

    /// Sends bytes as they are; all that comes back until the connection is closed or nothing more comes for a second.
    pub(crate) async fn say(&self, bytes: &str) -> String {
        say(("127.0.0.1", self.port), bytes).await
    }
}

async fn say(address: impl ToSocketAddrs, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Whoever refuses may close before all is sent.
    let _ = stream.write_all(bytes.as_bytes()).await;
    let all = super::upstream::read_all(&mut stream);
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("the connection stays open")
}

pub(crate) async fn next<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<Result<Message, Error>> {
    use futures_util::StreamExt;
    socket.next().await
}

pub(crate) async fn send<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    message: Message,
) {
    use futures_util::SinkExt;
    socket.send(message).await.unwrap();
}
