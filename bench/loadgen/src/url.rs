//! Loopback URLs, and form encoding.

use crate::Result;

/// An `http://` URL on the loopback address.
#[derive(Clone)]
pub struct Url {
    /// `host:port`, as the `Host` header says it.
    pub host: String,
    /// `host:port` to connect to.
    pub address: String,
    /// Path and query.
    pub path: String,
}

impl Url {
    pub fn parse(url: &str) -> Result<Url> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("only http:// URLs: {url}"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if !(name == "localhost" || name == "[::1]" || name.starts_with("127.")) {
            return Err(format!("refusing a target that is not the loopback address: {url}"));
        }
        let has_port = host.contains(':') && !host.ends_with(']');
        let address = if has_port { host.to_owned() } else { format!("{host}:80") };
        Ok(Url { host: host.to_owned(), address, path: path.to_owned() })
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The value of one query parameter of a URL.
pub fn query_parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let query = query.split('#').next().unwrap_or(query);
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| decode(value))
    })
}
