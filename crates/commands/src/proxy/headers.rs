//! What of the headers goes on, and what is changed on the way.

use super::upstream::Upstream;
use hyper::{
    HeaderMap, Uri,
    header::{
        ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LOCATION, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, LINK,
        LOCATION, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
        VIA,
    },
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// A proof of the client's own (RFC 9449 §4.1), which is of no use beside our token.
const DPOP: HeaderName = HeaderName::from_static("dpop");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// The fields that belong to one connection whether or not `Connection` names them (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHORIZATION, PROXY_AUTHENTICATE];

/// What one connection's fields said, which were taken out.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// The protocol to change to.
    pub(super) upgrade: Option<HeaderValue>,
    /// Whether trailers are welcome.
    pub(super) trailers: bool,
}

/// Takes out the fields that are meant for one connection only.
pub(super) fn take_connection(headers: &mut HeaderMap) -> Connection {
    let mut taken = Connection::default();
    let mut named = Vec::new();
    let mut upgrades = false;
    for value in headers.get_all(CONNECTION) {
        for name in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            match name {
                "" | "close" | "keep-alive" => {}
                name if name.eq_ignore_ascii_case("upgrade") => upgrades = true,
                name => named.extend(name.parse::<HeaderName>()),
            }
        }
    }
    if upgrades {
        taken.upgrade = headers.get(UPGRADE).filter(|value| may_upgrade(value)).cloned();
    }
    taken.trailers = headers.get_all(TE).iter().any(|value| has_word(value, "trailers"));
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
    taken
}

/// HTTP/2 is spoken without asking, and what is asked for in its name would pass unguarded.
fn may_upgrade(protocol: &HeaderValue) -> bool {
    !has_word(protocol, "h2c") && protocol.to_str().is_ok_and(|text| !text.to_ascii_lowercase().contains("tls/"))
}

fn has_word(value: &HeaderValue, word: &str) -> bool {
    let mut words = value.to_str().unwrap_or_default().split([',', ';']);
    words.any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// Who the client must not seem to be, or tell of: replaced or left out in a request for the upstream.
pub(super) fn toward_upstream(headers: &mut HeaderMap, upstream: &Upstream, is_own_origin: impl Fn(&[u8]) -> bool) {
    // The host is the upstream's, the credential ours, and a 100 was given by whoever reads the body (§10.1.1).
    headers.remove(HOST);
    headers.remove(AUTHORIZATION);
    headers.remove(DPOP);
    headers.remove(EXPECT);
    if headers.get(ORIGIN).is_some_and(|origin| is_own_origin(origin.as_bytes()))
        && let Ok(origin) = HeaderValue::try_from(upstream.origin())
    {
        headers.insert(ORIGIN, origin);
    }
    // It would tell the upstream the secret in the path.
    if headers.get(REFERER).is_some_and(|referer| is_own_origin(origin_of(referer.as_bytes()))) {
        headers.remove(REFERER);
    }
    join_cookies(headers);
    // §7.6.3
    headers.append(VIA, HeaderValue::from_static("1.1 gatepass"));
}

fn origin_of(referer: &[u8]) -> &[u8] {
    let end = referer.iter().enumerate().filter(|(_, byte)| **byte == b'/').nth(2).map(|(at, _)| at);
    end.and_then(|end| referer.get(..end)).unwrap_or(referer)
}

/// HTTP/2 may part cookies, HTTP/1.1 may not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Changes an answer's addresses so that they lead back through the proxy.
pub(super) fn toward_client(headers: &mut HeaderMap, upstream: &Upstream, asked: &Uri, prefix: &str) {
    // It names another way to the upstream, which the client's address is not.
    headers.remove(ALT_SVC);
    for name in [LOCATION, CONTENT_LOCATION] {
        let here = headers.get(&name).and_then(|value| value.to_str().ok());
        let here = here.and_then(|text| upstream.seen_from_here(asked, text, prefix));
        if let Some(value) = here.and_then(|here| HeaderValue::try_from(here).ok()) {
            headers.insert(name, value);
        }
    }
    change_all(headers, &LINK, |text| links(text, |url| upstream.seen_from_here(asked, url, prefix)));
    change_all(headers, &SET_COOKIE, |text| cookie(text, |path| upstream.cookie_path(path, prefix)));
}

fn change_all(headers: &mut HeaderMap, name: &HeaderName, change: impl Fn(&str) -> String) {
    if !headers.contains_key(name) {
        return;
    }
    let changed: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            value.to_str().ok().and_then(|text| HeaderValue::try_from(change(text)).ok()).unwrap_or(value.clone())
        })
        .collect();
    headers.remove(name);
    for value in changed {
        headers.append(name, value);
    }
}

/// Changes the targets of links, which stand between `<` and `>` (RFC 8288 §3).
fn links(text: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = text.split('<');
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        changed.push('<');
        match part.split_once('>') {
            Some((target, rest)) => {
                changed.push_str(&change(target).unwrap_or_else(|| target.to_owned()));
                changed.push('>');
                changed.push_str(rest);
            }
            None => changed.push_str(part),
        }
    }
    changed
}

/// A cookie for the path as it is called here, and for the host that the client sees.
fn cookie(text: &str, path: impl Fn(&str) -> String) -> String {
    let mut kept = Vec::new();
    for (number, attribute) in text.split(';').enumerate() {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "domain" if number > 0 => {}
            "path" if number > 0 => kept.push(format!(" Path={}", path(value.trim()))),
            _ => kept.push(attribute.to_owned()),
        }
    }
    kept.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn upstream() -> Upstream {
        "https://a.example/v1".parse::<gatepass_client::WebUrl>().unwrap().try_into().unwrap()
    }

    #[test]
    fn what_is_meant_for_one_connection_goes_no_further() {
        let mut headers = map(&[
            ("connection", "close, X-Mine"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers;q=0.5, deflate"),
            ("upgrade", "websocket"),
            ("x-other", "2"),
        ]);
        let taken = take_connection(&mut headers);
        assert_eq!(headers, map(&[("x-other", "2")]));
        assert!(taken.trailers && taken.upgrade.is_none(), "Connection does not name Upgrade");
    }

    #[test]
    fn a_web_socket_may_be_asked_for_and_http_2_may_not() {
        let upgrade = |protocol| take_connection(&mut map(&[("connection", "Upgrade"), ("upgrade", protocol)])).upgrade;
        assert_eq!(upgrade("websocket").unwrap(), "websocket");
        for refused in ["h2c", "H2C, websocket", "TLS/1.0"] {
            assert!(upgrade(refused).is_none(), "{refused}");
        }
    }

    #[test]
    fn the_upstream_learns_neither_the_secret_nor_the_clients_own_token() {
        let mut headers = map(&[
            ("host", "127.0.0.1:4000"),
            ("authorization", "Bearer other"),
            ("dpop", "eyJ.of.another"),
            ("expect", "100-continue"),
            ("origin", "http://127.0.0.1:4000"),
            ("referer", "http://127.0.0.1:4000/secret/page"),
            ("x-forwarded-for", "10.0.0.1"),
        ]);
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        toward_upstream(&mut headers, &upstream(), |origin| origin == b"http://127.0.0.1:4000");
        let expected = map(&[
            ("origin", "https://a.example"),
            ("x-forwarded-for", "10.0.0.1"),
            ("cookie", "a=1; b=2"),
            ("via", "1.1 gatepass"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn addresses_in_an_answer_lead_back() {
        let mut headers = map(&[
            ("location", "https://a.example/v1/x"),
            ("link", "<https://a.example/v1/i?page=2>; rel=\"next\", <https://b.example/>; rel=x"),
            ("set-cookie", "s=1; Path=/v1/; Domain=a.example; Secure"),
            ("alt-svc", "h3=\":443\""),
        ]);
        let up = upstream();
        toward_client(&mut headers, &up, &up.uri("/i").unwrap(), "/t");
        let expected = map(&[
            ("location", "/t/x"),
            ("link", "</t/i?page=2>; rel=\"next\", <https://b.example/>; rel=x"),
            ("set-cookie", "s=1; Path=/t/; Secure"),
        ]);
        assert_eq!(headers, expected);
    }
}
