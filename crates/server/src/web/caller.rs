//! Who sent the request, as far as the network tells.
//!
//! Behind a trusted proxy the address is the last one in `X-Forwarded-For` that is not itself a
//! trusted proxy's: everything to its left was written by strangers. From anybody else the header is
//! ignored.

use crate::{app::App, tls::Shown};
use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, header::USER_AGENT, request::Parts},
};
use gatepass_authority::Caller;
use ipnet::IpNet;
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
};

/// The longest text about a device or browser that is kept, in characters.
const LONGEST: usize = 120;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The [`Caller`] of a request, for handlers.
pub(crate) struct From(pub(crate) Caller);

impl FromRequestParts<App> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let caller = read(&parts.headers, &parts.extensions, &app.trusted_proxies);
        let shown = parts.extensions.get::<Shown>();
        let certificate = shown.map(|shown| shown.presented(&app.certificates, app.authority.now()));
        Ok(Self(Caller { certificate, ..caller }))
    }
}

/// The [`Caller`] of a request, but for its certificate.
pub(crate) fn read(headers: &HeaderMap, extensions: &Extensions, trusted: &[IpNet]) -> Caller {
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let address = client_address(peer, headers, trusted);
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Caller { address: address.to_string(), user_agent: tidy(user_agent), certificate: None }
}

/// The address behind the trusted proxies.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| is_trusted(address, trusted);
    let peer = peer.to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let addresses: Vec<Option<IpAddr>> = forwarded.map(|text| text.trim().parse().ok()).collect();
    let mut nearest = peer;
    for address in addresses.into_iter().rev() {
        // A text that is no address ends the chain: what is left of it cannot be believed.
        let Some(address) = address else { break };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    nearest
}

/// Whether an address is a trusted proxy's.
pub(crate) fn is_trusted(address: &IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// A stranger's text for our pages and logs: no control or direction-changing characters, bounded.
pub(crate) fn tidy(text: &str) -> String {
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.trim().to_owned();
    }
    let visible = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(visible).take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let headers: HeaderMap =
            forwarded.iter().map(|value| ("x-forwarded-for".parse().unwrap(), value.parse().unwrap())).collect();
        client_address(peer.parse().unwrap(), &headers, &["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()])
            .to_string()
    }

    #[test]
    fn forwarded_headers_count_only_from_a_trusted_proxy() {
        assert_eq!(address("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_stranger_wrote_before_the_last_address_does_not_count() {
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["203.0.113.9, nonsense"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["nonsense, 10.0.0.3"]), "10.0.0.3");
    }

    #[test]
    fn a_strangers_text_cannot_turn_a_page_around() {
        assert_eq!(tidy("a\u{202e}b\nc\u{200b}"), "abc");
        assert_eq!(tidy(&"x".repeat(500)).len(), LONGEST);
    }
}
