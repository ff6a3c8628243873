//! Taking an access token from a request (RFC 6750 §2.1, RFC 9449 §7.1).

use crate::Refusal;
use gatepass_oauth::Scheme;
use http::{HeaderMap, header::AUTHORIZATION};

/// The longest token that is looked at, in bytes; JWTs with many claims stay below.
const MAX_LENGTH: usize = 8 * 1024;

/// The bearer token of a request; `None` when it carries no `Authorization` header at all.
///
/// # Errors
/// [`Refusal::Malformed`] for two headers or a token outside the grammar `b64token`;
/// [`Refusal::Missing`] for another scheme, which is no bearer credential.
pub fn extract(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    match credential(headers)? {
        Some((Scheme::Bearer, token)) => Ok(Some(token)),
        Some((Scheme::Dpop, _)) => Err(Refusal::Missing),
        None => Ok(None),
    }
}

/// The access token of a request, with the scheme under which it is sent; `None` when it carries no
/// `Authorization` header at all.
///
/// # Errors
/// As [`extract`].
pub fn credential(headers: &HeaderMap) -> Result<Option<(Scheme, &str)>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let known = [Scheme::Bearer, Scheme::Dpop].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme));
    let scheme = known.ok_or(Refusal::Missing)?;
    let token = token.trim_matches(' ');
    let grammar = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if token.is_empty() || token.len() > MAX_LENGTH || !token.bytes().all(grammar) {
        return Err(Refusal::Malformed);
    }
    Ok(Some((scheme, token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_taken_in_any_case() {
        assert_eq!(extract(&headers(&["Bearer abc"])), Ok(Some("abc")));
        assert_eq!(extract(&headers(&["bEARER  a.b~c=="])), Ok(Some("a.b~c==")));
        assert_eq!(extract(&headers(&[])), Ok(None));
        assert_eq!(credential(&headers(&["dpop abc"])), Ok(Some((Scheme::Dpop, "abc"))));
        assert_eq!(extract(&headers(&["DPoP abc"])), Err(Refusal::Missing));
    }

    #[test]
    fn what_is_not_one_bearer_token_is_refused() {
        assert_eq!(extract(&headers(&["Basic YTpi"])), Err(Refusal::Missing));
        for bad in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\""] {
            assert_eq!(extract(&headers(&[bad])), Err(Refusal::Malformed), "{bad}");
        }
        assert_eq!(extract(&headers(&["Bearer a", "Bearer a"])), Err(Refusal::Malformed));
        assert_eq!(extract(&headers(&[&format!("Bearer {}", "a".repeat(9000))])), Err(Refusal::Malformed));
    }
}
