//! Requests by the byte, for what no HTTP client does: leaving before the answer, stopping in between.

use super::Server;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The grant type of a device's poll.
pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A request of which the body is still to be sent.
pub(crate) struct Exchange {
    stream: TcpStream,
    body: String,
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn head(server: &Server, path: &str, body: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{more}\r\n",
        server.address,
        body.len()
    )
}

/// Sends a form, and gives the connection whose answer nobody has read.
pub(crate) fn send_and_leave(server: &Server, path: &str, body: &str) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(format!("{}{body}", head(server, path, body, "")).as_bytes()).unwrap();
    stream
}

/// Sends a request's head, and comes back when the server waits for its body.
pub(crate) fn half_a_request(server: &Server, path: &str, body: &str) -> Exchange {
    let mut stream = connect(server);
    stream.write_all(head(server, path, body, "Expect: 100-continue\r\n").as_bytes()).unwrap();
    let mut said = [0; 25];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    Exchange { stream, body: body.to_owned() }
}

impl Exchange {
    /// Sends the body; the whole answer, until the server closes the connection.
    pub(crate) fn finish(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer
    }
}
