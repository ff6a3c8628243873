//! The one name in a client's certificate that its registration expects (RFC 8705 §2.1.2).

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// The longest name, in bytes.
const MAX_LENGTH: usize = 1024;

/// What the certificate must name. Of these a registration has exactly one; it is compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CertificateSubject {
    /// `tls_client_auth_subject_dn`: the subject, in the form of RFC 4514.
    DistinguishedName(String),
    /// `tls_client_auth_san_dns`.
    Dns(String),
    /// `tls_client_auth_san_uri`.
    Uri(String),
    /// `tls_client_auth_san_ip`.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`.
    Email(String),
}

/// The text names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate's subject is dn:, dns:, uri:, ip: or email: and a name of at most {MAX_LENGTH} bytes")]
pub struct InvalidCertificateSubject;

impl FromStr for CertificateSubject {
    type Err = InvalidCertificateSubject;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, InvalidCertificateSubject> {
        let (kind, name) = text.split_once(':').ok_or(InvalidCertificateSubject)?;
        if name.is_empty() || name.len() > MAX_LENGTH || name.chars().any(char::is_control) {
            return Err(InvalidCertificateSubject);
        }
        Ok(match kind {
            "dn" => Self::DistinguishedName(name.to_owned()),
            "dns" => Self::Dns(name.to_owned()),
            "uri" => Self::Uri(name.to_owned()),
            "ip" => Self::Ip(name.parse().map_err(|_| InvalidCertificateSubject)?),
            "email" => Self::Email(name.to_owned()),
            _ => return Err(InvalidCertificateSubject),
        })
    }
}

impl fmt::Display for CertificateSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DistinguishedName(name) => write!(f, "dn:{name}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(name) => write!(f, "uri:{name}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Email(name) => write!(f, "email:{name}"),
        }
    }
}

impl TryFrom<String> for CertificateSubject {
    type Error = InvalidCertificateSubject;

    fn try_from(text: String) -> Result<Self, InvalidCertificateSubject> {
        text.parse()
    }
}

impl From<CertificateSubject> for String {
    fn from(subject: CertificateSubject) -> Self {
        subject.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back_from_its_column() {
        for text in ["dn:CN=a,O=b", "dns:a.example", "uri:spiffe://a/b", "ip:2001:db8::1", "email:a@b.example"] {
            assert_eq!(text.parse::<CertificateSubject>().unwrap().to_string(), text);
        }
        for bad in ["", "dn:", "cn:a", "ip:a", "dns:a\nb", &format!("dns:{}", "x".repeat(2000))] {
            assert_eq!(bad.parse::<CertificateSubject>(), Err(InvalidCertificateSubject), "{bad}");
        }
    }
}
