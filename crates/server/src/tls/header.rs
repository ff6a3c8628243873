//! The certificate of a client as a proxy tells it: PEM with percent-escapes (nginx `$ssl_client_escaped_cert`), or the
//! byte sequence of RFC 9440 (`Client-Cert: :MIIB…:`). Those that lead to its authority come in `Client-Cert-Chain`, whatever
//! the first is called (§2.3): they need not be believed, since a chain is of use only where its signatures hold.

use axum::http::{HeaderMap, HeaderName};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// The header of RFC 9440 §2.3.
pub(super) const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// The most certificates that are read of a chain.
const LONGEST: usize = 8;

/// The certificates of a chain: a list of byte sequences, in one header or several. One that holds anything else is none.
pub(super) fn parse_chain(headers: &HeaderMap) -> Vec<CertificateDer<'static>> {
    let values = headers.get_all(CHAIN).iter().flat_map(|value| value.to_str().unwrap_or("?").split(','));
    let chain: Option<Vec<_>> = values.take(LONGEST + 1).map(|value| parse_bytes(value.trim())).collect();
    chain.filter(|chain| chain.len() <= LONGEST).unwrap_or_default()
}

fn parse_bytes(value: &str) -> Option<CertificateDer<'static>> {
    let encoded = value.strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(encoded).ok().filter(|der| !der.is_empty()).map(Into::into)
}

/// The certificate in a header's value; `None` for what holds none.
pub(super) fn parse(value: &str) -> Option<CertificateDer<'static>> {
    let value = value.trim();
    if value.starts_with(':') {
        return parse_bytes(value);
    }
    let text = percent_decode_str(value).decode_utf8().ok()?;
    CertificateDer::from_pem_slice(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    #[test]
    fn a_chain_is_read_whole_or_not_at_all() {
        let chain = |values: &[&str]| {
            let headers: HeaderMap = values.iter().map(|value| (CHAIN, value.parse().unwrap())).collect();
            parse_chain(&headers).iter().map(|certificate| certificate.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(chain(&[]), Vec::<Vec<u8>>::new());
        assert_eq!(chain(&[":AAAA:, :AAAB:", ":AAAC:"]), [vec![0, 0, 0], vec![0, 0, 1], vec![0, 0, 2]]);
        for bad in ["", ":AAAA:,", ":AAAA:, x", "::", ":!:", &":AAAA:,".repeat(9)] {
            assert_eq!(chain(&[bad]), Vec::<Vec<u8>>::new(), "{bad}");
        }
    }

    #[test]
    fn both_forms_are_read_and_nonsense_is_not() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert;
        let escaped = utf8_percent_encode(&made.pem(), NON_ALPHANUMERIC).to_string();
        let bytes = format!(":{}:", STANDARD.encode(made.der()));
        for value in [escaped, bytes.clone(), format!(" {bytes} ")] {
            assert_eq!(parse(&value).as_deref(), Some(&made.der()[..]), "{value}");
        }
        for bad in ["", ":", "::", ":!:", ":AAAA", ":AAAA:, :AAAA:", "(null)", "%ff", "-----BEGIN%20CERTIFICATE-----"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
