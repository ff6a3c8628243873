//! The certificate of a client as a proxy tells it: PEM with percent-escapes (nginx `$ssl_client_escaped_cert`), or the
//! byte sequence of RFC 9440 (`Client-Cert: :MIIB…:`).

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// The certificate in a header's value; `None` for what holds none.
pub(super) fn parse(value: &str) -> Option<CertificateDer<'static>> {
    let value = value.trim();
    match value.strip_prefix(':') {
        Some(rest) => STANDARD.decode(rest.strip_suffix(':')?).ok().filter(|der| !der.is_empty()).map(Into::into),
        None => {
            let text = percent_decode_str(value).decode_utf8().ok()?;
            CertificateDer::from_pem_slice(text.as_bytes()).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    #[test]
    fn both_forms_are_read_and_nonsense_is_not() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert;
        let escaped = utf8_percent_encode(&made.pem(), NON_ALPHANUMERIC).to_string();
        let bytes = format!(":{}:", STANDARD.encode(made.der()));
        for value in [escaped, bytes.clone(), format!(" {bytes} ")] {
            assert_eq!(parse(&value).as_deref(), Some(&made.der()[..]), "{value}");
        }
        for bad in ["", ":", "::", ":!:", ":AAAA", "(null)", "%ff", "-----BEGIN%20CERTIFICATE-----"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
