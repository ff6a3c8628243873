//! What the headers of an answer say that matters to a sign-in.

use crate::dpop::memory::is_nonce;
use gatepass_oauth::{UtcMillis, dpop::NONCE_HEADER};
use reqwest::header::{DATE, HeaderMap, WWW_AUTHENTICATE};
use std::time::UNIX_EPOCH;

/// The longest challenge that is read, in bytes.
const MAX_CHALLENGE: usize = 4096;

/// What an answer's headers say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The nonce for the next DPoP proof (RFC 9449 §8.2).
    pub(crate) nonce: Option<String>,
    /// The server's time (RFC 9110 §6.6.1).
    pub(crate) date: Option<UtcMillis>,
    challenges: Vec<String>,
}

impl Told {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |value: Option<&reqwest::header::HeaderValue>| value?.to_str().ok().map(str::to_owned);
        let all = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        Self {
            nonce: text(headers.get(NONCE_HEADER)).filter(|nonce| is_nonce(nonce)),
            date: text(headers.get(DATE)).as_deref().and_then(read_date),
            challenges: all.filter(|text| text.len() <= MAX_CHALLENGE).take(8).map(str::to_owned).collect(),
        }
    }

    /// Whether a challenge of the scheme `DPoP` names this error (RFC 9449 §7.1).
    pub(crate) fn challenges(&self, error: &str) -> bool {
        let (quoted, bare) = (format!("error=\"{error}\""), format!("error={error}"));
        self.challenges.iter().any(|challenge| {
            challenge.to_ascii_lowercase().contains("dpop ")
                && challenge.split([' ', ',']).any(|part| part == quoted || part == bare)
        })
    }
}

fn read_date(text: &str) -> Option<UtcMillis> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UtcMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &str)]) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Told::read(&headers)
    }

    #[test]
    fn what_makes_no_sense_counts_as_not_said() {
        let good = told(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("dpop-nonce", "abc")]);
        assert_eq!((good.date, good.nonce.as_deref()), (Some(UtcMillis(784_111_777_000)), Some("abc")));
        let bad = told(&[("date", "yesterday"), ("dpop-nonce", "a b")]);
        assert_eq!((bad.date, bad.nonce), (None, None));
    }

    #[test]
    fn a_challenge_is_read_in_the_shapes_that_servers_send() {
        let shapes = [
            "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"",
            "DPoP algs=\"ES256\",error=\"use_dpop_nonce\"",
            "dpop error=use_dpop_nonce",
            "Bearer, DPoP error=\"use_dpop_nonce\"",
        ];
        for shape in shapes {
            assert!(told(&[("www-authenticate", shape)]).challenges("use_dpop_nonce"), "{shape}");
        }
        assert!(told(&[("www-authenticate", "Bearer"), ("www-authenticate", shapes[0])]).challenges("use_dpop_nonce"));
        for other in ["Bearer error=\"use_dpop_nonce\"", "DPoP error=\"invalid_token\"", "DPoP"] {
            assert!(!told(&[("www-authenticate", other)]).challenges("use_dpop_nonce"), "{other}");
        }
    }
}
