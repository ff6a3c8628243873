//! The certificate of a client: what it says, and whether it proves a client (RFC 8705 §2).
//!
//! The private key's possession was proven in the TLS handshake. What is left:
//!
//! - `tls_client_auth`: an authority that the operator trusts has signed it (the TLS layer says so, [`Trust`]), and it
//!   names the registered subject (§2.1).
//! - `self_signed_tls_client_auth`: its public key is one of the client's registered keys (§2.2). Nobody's signature
//!   matters, nor does its time: the registration is what is trusted.

use gatepass_keys::{ClientCertificate, Jwk, JwkSet, jwk::PublicKey, jws::base64url};
use gatepass_oauth::CertificateSubject;
use std::net::IpAddr;
use x509_cert::{
    Certificate,
    der::{
        Decode, DecodePem, Encode, Reader, SliceReader,
        asn1::{ObjectIdentifier, UintRef},
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
    name::RdnSequence,
    spki::SubjectPublicKeyInfoOwned,
};

/// A certificate as a connection or a trusted proxy presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// The certificate.
    pub certificate: ClientCertificate,
    /// Who vouches for it.
    pub trust: Trust,
}

/// Who vouches for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A chain of signatures leads to an authority that the operator trusts, and it is valid now.
    Authority,
    /// Nobody.
    Nobody,
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoProof {
    #[error("the client showed no certificate")]
    Missing,
    #[error("no trusted authority vouches for the certificate")]
    Untrusted,
    #[error("the certificate does not name the registered subject")]
    Subject,
    #[error("the certificate's key is not registered")]
    Key,
    #[error("the certificate cannot be read")]
    Unreadable,
}

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Whether a certificate proves a client that is registered with a subject.
pub(crate) fn check_subject(
    presented: Option<&PresentedCertificate>,
    expected: &CertificateSubject,
) -> Result<(), NoProof> {
    let presented = presented.ok_or(NoProof::Missing)?;
    if presented.trust != Trust::Authority {
        return Err(NoProof::Untrusted);
    }
    let certificate = Certificate::from_der(presented.certificate.der()).map_err(|_| NoProof::Unreadable)?;
    if names(&certificate, expected)? { Ok(()) } else { Err(NoProof::Subject) }
}

/// Whether a certificate proves a client that is registered with keys.
pub(crate) fn check_key(presented: Option<&PresentedCertificate>, keys: &JwkSet) -> Result<(), NoProof> {
    let presented = presented.ok_or(NoProof::Missing)?;
    let shown = public_key(&presented.certificate).ok_or(NoProof::Unreadable)?;
    if keys.keys.iter().any(|jwk| jwk.key == shown.key) { Ok(()) } else { Err(NoProof::Key) }
}

/// Names are compared as they stand, save for the case of a DNS name (RFC 4343).
fn names(certificate: &Certificate, expected: &CertificateSubject) -> Result<bool, NoProof> {
    let tbs = &certificate.tbs_certificate;
    if let CertificateSubject::DistinguishedName(name) = expected {
        return Ok(!tbs.subject.is_empty() && tbs.subject.to_string() == *name);
    }
    let alternatives = tbs.get::<SubjectAltName>().map_err(|_| NoProof::Unreadable)?;
    let Some((_, SubjectAltName(alternatives))) = alternatives else { return Ok(false) };
    Ok(alternatives.iter().any(|name| match (name, expected) {
        (GeneralName::DnsName(name), CertificateSubject::Dns(expected)) => name.as_str().eq_ignore_ascii_case(expected),
        (GeneralName::UniformResourceIdentifier(name), CertificateSubject::Uri(expected)) => name.as_str() == expected,
        (GeneralName::Rfc822Name(name), CertificateSubject::Email(expected)) => name.as_str() == expected,
        (GeneralName::IpAddress(bytes), CertificateSubject::Ip(expected)) => match expected {
            IpAddr::V4(address) => bytes.as_bytes() == address.octets(),
            IpAddr::V6(address) => bytes.as_bytes() == address.octets(),
        },
        _ => false,
    }))
}

/// A distinguished name in the form in which certificates are compared; `None` when it keeps not to RFC 4514.
#[must_use]
pub fn tidy_distinguished_name(text: &str) -> Option<String> {
    let name: RdnSequence = text.trim().parse().ok()?;
    Some(name.to_string()).filter(|name| !name.is_empty())
}

/// The certificate of a PEM file; the first one.
#[must_use]
pub fn read_pem(text: &str) -> Option<ClientCertificate> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let start = text.find(BEGIN)?;
    let end = text.get(start..)?.find(END)? + start + END.len();
    let certificate = Certificate::from_pem(text.get(start..end)?.as_bytes()).ok()?;
    certificate.to_der().ok().map(|der| ClientCertificate::from_der(&der))
}

/// A certificate's public key; `None` when it is none of those that are offered: P-256, Ed25519, RSA of 2048 bits and
/// more.
#[must_use]
pub fn public_key(certificate: &ClientCertificate) -> Option<Jwk> {
    let certificate = Certificate::from_der(certificate.der()).ok()?;
    let key = read_key(&certificate.tbs_certificate.subject_public_key_info)?;
    let jwk = Jwk { key, kid: None, alg: None, usage: None };
    // A key set says whether the key is one that can be used.
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    JwkSet::parse(&set).ok().and_then(|set| set.keys.into_iter().next())
}

fn read_key(info: &SubjectPublicKeyInfoOwned) -> Option<PublicKey> {
    let bits = info.subject_public_key.as_bytes()?;
    let curve = || info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    match info.algorithm.oid {
        EC_PUBLIC_KEY if curve() == Some(P_256) => {
            // An uncompressed point: 0x04, x, y.
            let (x, y) = bits.strip_prefix(&[0x04])?.split_at_checked(32)?;
            Some(PublicKey::Ec { crv: "P-256".into(), x: base64url(x), y: base64url(y) })
        }
        ED25519 => Some(PublicKey::Okp { crv: "Ed25519".into(), x: base64url(bits) }),
        RSA_ENCRYPTION => {
            let mut reader = SliceReader::new(bits).ok()?;
            let (n, e) = reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))).ok()?;
            Some(PublicKey::Rsa { n: base64url(n.as_bytes()), e: base64url(e.as_bytes()) })
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
