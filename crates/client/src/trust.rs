//! Whom to trust: the system's authorities, and those of a file.
//!
//! The system's own verifier judges (`rustls-platform-verifier`). When its answer is no, the certificate that it
//! saw is read for what a person wants to know: whose it is, who issued it, and what is wrong with it. All of it
//! travels as the error of the handshake, so nothing is shared and nothing is asked twice.

use crate::{TlsIdentity, calendar::rfc3339, text::tidy};
use gatepass_oauth::UtcMillis;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use x509_cert::{
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

/// The longest file of authorities that is read, in bytes.
const MAX_CA_FILE: u64 = 4 * 1024 * 1024;

/// The most hosts whose certificates are remembered.
const MAX_SEEN: usize = 32;

/// A server's certificate, as far as a person cares; every text is fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when on it is good.
    pub not_before: UtcMillis,
    /// Until when.
    pub not_after: UtcMillis,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
}

/// A server's certificate was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The certificate; `None` if it cannot be read.
    pub certificate: Option<Certificate>,
    /// What is wrong.
    pub reason: Distrust,
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody whom this machine trusts has signed it.
    UnknownAuthority,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for other hosts.
    WrongHost,
    /// Its authority took it back.
    Revoked,
    /// This machine has no list of authorities.
    NoTrustStore,
    /// Something else, in the verifier's words.
    Other(String),
}

impl std::error::Error for Untrusted {}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its certificate")?;
        let shown = self.certificate.as_ref();
        if let Some(shown) = shown {
            write!(f, " ({}, issued by {})", shown.subject, shown.issuer)?;
        }
        match (&self.reason, shown) {
            (Distrust::UnknownAuthority, _) => f.write_str(" comes from an unknown authority"),
            (Distrust::Expired, Some(shown)) => write!(f, " expired at {}", rfc3339(shown.not_after)),
            (Distrust::Expired, None) => f.write_str(" has expired"),
            (Distrust::NotYetValid, Some(shown)) => write!(f, " is not valid before {}", rfc3339(shown.not_before)),
            (Distrust::NotYetValid, None) => f.write_str(" is not valid yet"),
            (Distrust::WrongHost, Some(shown)) if !shown.names.is_empty() => {
                write!(f, " is for another host: {}", shown.names.join(", "))
            }
            (Distrust::WrongHost, _) => f.write_str(" is for another host"),
            (Distrust::Revoked, _) => f.write_str(" was revoked"),
            (Distrust::NoTrustStore, _) => {
                f.write_str(" cannot be judged, since this machine has no list of authorities")
            }
            (Distrust::Other(why), _) => write!(f, " is not accepted: {why}"),
        }
    }
}

impl Certificate {
    /// Reads a certificate in DER.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let read = x509_cert::Certificate::from_der(der).ok()?.tbs_certificate;
        let alternatives = read.get::<SubjectAltName>().ok().flatten();
        let names = alternatives.iter().flat_map(|(_, SubjectAltName(names))| names).filter_map(name).take(8);
        Some(Self {
            subject: party(&read.subject.to_string()),
            issuer: party(&read.issuer.to_string()),
            not_before: millis(&read.validity.not_before),
            not_after: millis(&read.validity.not_after),
            names: names.collect(),
        })
    }
}

fn party(name: &str) -> String {
    if name.is_empty() { "nobody by name".into() } else { tidy(name, 200) }
}

fn millis(time: &Time) -> UtcMillis {
    UtcMillis::from_seconds(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX / 1000))
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(tidy(name.as_str(), 100)),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(bytes.as_bytes()).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// TLS as requests speak it, with the authorities of a file besides the system's, and the client's own certificate for
/// servers that ask for one.
///
/// # Errors
/// Why the file cannot be used, or TLS not be set up.
pub(crate) fn client_config(
    ca_file: Option<&Path>,
    seen: &Seen,
    identity: Option<&TlsIdentity>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let more = match ca_file {
        Some(path) => authorities(path).map_err(|why| format!("the CA file {}: {why}", path.display()))?,
        None => Vec::new(),
    };
    let judge = Judge { provider: Arc::clone(&provider), more, verifier: OnceLock::new(), seen: seen.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge));
    match identity {
        Some(identity) => identity.onto(config).map_err(|error| error.to_string()),
        None => Ok(config.with_no_client_auth()),
    }
}

/// The certificates in a PEM file.
fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = match fs::metadata(path) {
        Ok(data) if data.len() > MAX_CA_FILE => Err(io::Error::other("it is longer than 4 MiB")),
        Ok(data) if data.is_dir() => Err(io::Error::other("it is a folder")),
        _ => fs::read(path),
    };
    let bytes = bytes.map_err(|error| format!("it cannot be read: {error}"))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = read.map_err(|_| "it is no PEM file".to_owned())?;
    if found.is_empty() {
        return Err("it holds no certificate in PEM".into());
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|_| "it holds something that is no certificate".to_owned())?;
    }
    Ok(found)
}

/// The certificates that were believed, by host; also through a proxy, where the HTTP client does not tell them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Seen {
    pub(crate) fn of(&self, host: &str) -> Option<Certificate> {
        Certificate::read(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host)?)
    }

    fn note(&self, host: &str, certificate: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_SEEN || all.contains_key(host) {
            all.insert(host.to_owned(), certificate.to_vec());
        }
    }
}

/// The system's verifier, made at the first handshake: plain http to this machine does without.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    more: Vec<CertificateDer<'static>>,
    verifier: OnceLock<Result<Verifier, TlsError>>,
    seen: Seen,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verifier =
            self.verifier.get_or_init(|| Verifier::new_with_extra_roots(self.more.clone(), Arc::clone(&self.provider)));
        let reason = match verifier {
            Ok(verifier) => {
                match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => {
                        self.seen.note(&server_name.to_str(), end_entity);
                        return Ok(verified);
                    }
                    Err(TlsError::InvalidCertificate(error)) => distrust(&error),
                    Err(error) => Distrust::Other(tidy(&error.to_string(), 200)),
                }
            }
            Err(_) => Distrust::NoTrustStore,
        };
        let untrusted = Untrusted { certificate: Certificate::read(end_entity), reason };
        Err(TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn distrust(error: &CertificateError) -> Distrust {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Distrust::WrongHost,
        CertificateError::UnknownIssuer => Distrust::UnknownAuthority,
        CertificateError::Revoked => Distrust::Revoked,
        other => Distrust::Other(tidy(&other.to_string(), 200)),
    }
}

/// What the handshake of a failed request said about the certificate.
pub(crate) fn untrusted_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Untrusted> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = error.downcast_ref::<TlsError>().or_else(|| inner.and_then(|inner| inner.downcast_ref::<TlsError>()));
        if let Some(TlsError::InvalidCertificate(CertificateError::Other(OtherError(other)))) = tls {
            return other.downcast_ref::<Untrusted>();
        }
        next = match inner {
            // An io::Error passes over the error that it holds.
            Some(inner) if tls.is_none() => Some(inner),
            _ => error.source(),
        };
    }
    None
}
