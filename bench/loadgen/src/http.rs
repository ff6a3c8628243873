//! A minimal keep-alive HTTP/1.1 client: one connection, one request at a time, buffers that are used again.

use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The last answer.
#[derive(Default)]
pub struct Response {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// A connection that is opened when it is first needed, and again after the server has closed it.
pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    pub response: Response,
    /// How often it was opened.
    pub connects: u64,
}

/// What the head of an answer says about the rest.
struct Head {
    length: usize,
    keep_alive: bool,
    body: Body,
}

enum Body {
    None,
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Connection {
    pub fn new(address: &str) -> Self {
        let buffer = Vec::with_capacity(16 * 1024);
        Self { address: address.to_owned(), stream: None, buffer, response: Response::default(), connects: 0 }
    }

    /// Sends a request and reads its answer into `response`.
    pub async fn send(&mut self, request: &[u8]) -> crate::Result<()> {
        self.try_send(request).await.map_err(|error| format!("io: {error}"))
    }

    async fn try_send(&mut self, request: &[u8]) -> Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address).await?;
                stream.set_nodelay(true)?;
                self.connects += 1;
                self.buffer.clear();
                stream
            }
        };
        stream.write_all(request).await?;
        let head = self.read_head(&mut stream).await?;
        self.buffer.drain(..head.length);
        self.read_body(&mut stream, &head.body).await?;
        // After an error the connection is gone: the next request opens another.
        self.stream = head.keep_alive.then_some(stream);
        Ok(())
    }

    async fn read_head(&mut self, stream: &mut TcpStream) -> Result<Head> {
        loop {
            if let Some(head) = self.parse_head()? {
                return Ok(head);
            }
            self.fill(stream).await?;
        }
    }

    fn parse_head(&mut self) -> Result<Option<Head>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        let status = parsed.parse(&self.buffer).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let httparse::Status::Complete(length) = status else { return Ok(None) };
        let code = parsed.code.unwrap_or(0);
        let mut head = Head { length, keep_alive: parsed.version == Some(1), body: Body::UntilClosed };
        self.response.status = code;
        self.response.location = None;
        for header in parsed.headers.iter() {
            let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
            if header.name.eq_ignore_ascii_case("content-length") {
                head.body = Body::Length(value().parse().map_err(|error| Error::new(ErrorKind::InvalidData, error))?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") && value() == "chunked" {
                head.body = Body::Chunked;
            } else if header.name.eq_ignore_ascii_case("connection") && value().eq_ignore_ascii_case("close") {
                head.keep_alive = false;
            } else if header.name.eq_ignore_ascii_case("location") {
                self.response.location = Some(value().to_owned());
            }
        }
        match (code, &head.body) {
            (204 | 304 | 100..200, _) => head.body = Body::None,
            (_, Body::UntilClosed) => head.keep_alive = false,
            _ => {}
        }
        Ok(Some(head))
    }

    async fn read_body(&mut self, stream: &mut TcpStream, body: &Body) -> Result<()> {
        self.response.body.clear();
        match *body {
            Body::None => Ok(()),
            Body::Length(length) => self.take(stream, length).await,
            Body::Chunked => self.read_chunks(stream).await,
            Body::UntilClosed => {
                while stream.read_buf(&mut self.buffer).await? != 0 {}
                self.response.body.append(&mut self.buffer);
                Ok(())
            }
        }
    }

    async fn read_chunks(&mut self, stream: &mut TcpStream) -> Result<()> {
        loop {
            let size = httparse::parse_chunk_size(&self.buffer)
                .map_err(|_| Error::new(ErrorKind::InvalidData, "a broken chunk"))?;
            let httparse::Status::Complete((head, length)) = size else {
                self.fill(stream).await?;
                continue;
            };
            let length = usize::try_from(length).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            self.buffer.drain(..head);
            self.take(stream, length).await?;
            while self.buffer.len() < 2 {
                self.fill(stream).await?;
            }
            self.buffer.drain(..2);
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Moves `length` bytes from the connection to the body.
    async fn take(&mut self, stream: &mut TcpStream, length: usize) -> Result<()> {
        while self.buffer.len() < length {
            self.fill(stream).await?;
        }
        self.response.body.extend_from_slice(&self.buffer[..length]);
        self.buffer.drain(..length);
        Ok(())
    }

    async fn fill(&mut self, stream: &mut TcpStream) -> Result<()> {
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "closed in the middle of an answer")),
            _ => Ok(()),
        }
    }
}

/// The bytes of a request. `body` is its content type and content.
pub fn request(method: &str, url: &crate::url::Url, headers: &[(&str, &str)], body: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut out = format!("{method} {} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\n", url.path, url.host).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    match body {
        Some((content_type, content)) => {
            let head = format!("content-type: {content_type}\r\ncontent-length: {}\r\n\r\n", content.len());
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(content);
        }
        None => out.extend_from_slice(b"\r\n"),
    }
    out
}
