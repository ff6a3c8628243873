//! Reading what comes to the loopback port. Pure: bytes in, a verdict out.
//!
//! Anybody on the machine, and any web page in its browser, can knock here. So only one request
//! matters: a GET of the callback path with our own `Host`; the rest gets a short refusal.

use std::fmt;

/// The longest request head that is read, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;

/// What a request is to us. Its `Debug` leaves the query out, since that holds the code.
#[derive(Clone, PartialEq, Eq)]
pub enum Asked {
    /// The redirect: its query, still encoded.
    Callback(String),
    /// Another path: a favicon, a stranger.
    Elsewhere,
    /// The right path with a method that no redirect uses.
    WrongMethod,
    /// Another host's name: a page that had its own name resolve to this machine.
    WrongHost,
    /// No HTTP request.
    Junk,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback(_) => "Callback(<secret>)",
            Self::Elsewhere => "Elsewhere",
            Self::WrongMethod => "WrongMethod",
            Self::WrongHost => "WrongHost",
            Self::Junk => "Junk",
        })
    }
}

/// Whether the head of a request has come whole.
#[must_use]
pub fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n")
}

/// What the redirect URI says, letter by letter (RFC 8252 §8.10).
#[derive(Clone, Debug)]
pub struct Place {
    /// The name of this machine and the port.
    pub host: String,
    /// The path.
    pub path: String,
}

/// Reads a request head that came to the port.
#[must_use]
pub fn read(head: &[u8], place: &Place) -> Asked {
    let Some(head) = std::str::from_utf8(head).ok() else { return Asked::Junk };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Asked::Junk;
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Asked::Junk;
    }
    let mut hosts = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    match (hosts.next(), hosts.next()) {
        (Some((_, host)), None) if place.host.eq_ignore_ascii_case(host.trim()) => {}
        _ => return Asked::WrongHost,
    }
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    match (asked == place.path, method) {
        (false, _) => Asked::Elsewhere,
        (true, "GET") => Asked::Callback(query.to_owned()),
        (true, _) => Asked::WrongMethod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> Place {
        Place { host: host.into(), path: "/callback".into() }
    }

    fn ask(line: &str, host: &str) -> Asked {
        let head = format!("{line}\r\nHost: {host}\r\nX: y\r\n\r\n");
        read(head.as_bytes(), &place("127.0.0.1:4711"))
    }

    #[test]
    fn only_the_redirect_itself_is_taken() {
        let here = "127.0.0.1:4711";
        assert_eq!(ask("GET /callback?code=a&state=b HTTP/1.1", here), Asked::Callback("code=a&state=b".into()));
        assert_eq!(ask("GET /callback HTTP/1.1", here), Asked::Callback(String::new()));
        assert_eq!(ask("GET /callback HTTP/1.1", "localhost:4711"), Asked::WrongHost);
        let elsewhere = read(b"GET /callback HTTP/1.1\r\nHost: LOCALHOST:1\r\n\r\n", &place("localhost:1"));
        assert_eq!(elsewhere, Asked::Callback(String::new()));
        assert_eq!(ask("GET /favicon.ico HTTP/1.1", here), Asked::Elsewhere);
        assert_eq!(ask("GET /callback/x?code=a HTTP/1.1", here), Asked::Elsewhere);
        assert_eq!(ask("POST /callback?code=a HTTP/1.1", here), Asked::WrongMethod);
        assert_eq!(ask("HEAD /callback?code=a HTTP/1.1", here), Asked::WrongMethod);
        assert_eq!(ask("GET /callback?code=a HTTP/1.1", "evil.example"), Asked::WrongHost);
        assert_eq!(ask("GET /callback?code=a HTTP/1.1", "127.0.0.1:1\r\nHost: 127.0.0.1:4711"), Asked::WrongHost);
        assert_eq!(ask("GET http://127.0.0.1/callback HTTP/1.1", here), Asked::Junk);
        assert_eq!(ask("\u{16}\u{3}\u{1} hello", here), Asked::Junk);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (is_whole(&bytes), read(&bytes, &place("localhost:1")));
        }
    }
}
