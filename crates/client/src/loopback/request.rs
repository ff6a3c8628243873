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

/// Reads a request head that came to `port`.
#[must_use]
pub fn read(head: &[u8], path: &str, port: u16) -> Asked {
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
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    match (hosts.next(), hosts.next()) {
        (Some((_, host)), None) if ours.iter().any(|known| known.eq_ignore_ascii_case(host.trim())) => {}
        _ => return Asked::WrongHost,
    }
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    match (asked == path, method) {
        (false, _) => Asked::Elsewhere,
        (true, "GET") => Asked::Callback(query.to_owned()),
        (true, _) => Asked::WrongMethod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str, host: &str) -> Asked {
        read(format!("{line}\r\nHost: {host}\r\nX: y\r\n\r\n").as_bytes(), "/callback", 4711)
    }

    #[test]
    fn only_the_redirect_itself_is_taken() {
        let here = "127.0.0.1:4711";
        assert_eq!(ask("GET /callback?code=a&state=b HTTP/1.1", here), Asked::Callback("code=a&state=b".into()));
        assert_eq!(ask("GET /callback HTTP/1.1", "localhost:4711"), Asked::Callback(String::new()));
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
            let _ = (is_whole(&bytes), read(&bytes, "/callback", 1));
        }
    }
}
