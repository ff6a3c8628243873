//! The certificate with which a client proves itself (RFC 8705 §2), and its private key, both in PEM.

use gatepass_oauth::Secret;
use rustls::{
    ClientConfig, ConfigBuilder,
    client::WantsClientCert,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};

/// A certificate, with those that lead to its authority, and its key. Kept by value, like any other secret of a sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TlsIdentity {
    certificate: String,
    key: Secret,
}

/// Why a certificate and a key prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// The one is no certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// The other is no key.
    #[error("the key is no private key in PEM without a passphrase")]
    NoKey,
    /// They do not belong together, or cannot be used.
    #[error("the certificate and the key cannot be used: {0}")]
    Unfit(String),
}

impl TlsIdentity {
    /// A certificate and its key.
    ///
    /// # Errors
    /// [`BadIdentity`].
    pub fn read(certificate: String, key: Secret) -> Result<Self, BadIdentity> {
        let identity = Self { certificate, key };
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let unfit = |error: rustls::Error| BadIdentity::Unfit(error.to_string());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        identity.onto(builder.map_err(unfit)?.with_root_certificates(rustls::RootCertStore::empty()))?;
        Ok(identity)
    }

    /// TLS that shows the certificate when it is asked for.
    ///
    /// # Errors
    /// [`BadIdentity`].
    pub(crate) fn onto(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, BadIdentity> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(BadIdentity::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes()).map_err(|_| BadIdentity::NoKey)?;
        builder.with_client_auth_cert(chain, key).map_err(|error| BadIdentity::Unfit(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_own_key_go_together_and_no_others() {
        let made = || rcgen::generate_simple_self_signed(vec!["svc.example".to_owned()]).unwrap();
        let (one, two) = (made(), made());
        let key = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| Secret::from(made.signing_key.serialize_pem());
        assert!(TlsIdentity::read(one.cert.pem(), key(&one)).is_ok());
        assert!(matches!(TlsIdentity::read(one.cert.pem(), key(&two)), Err(BadIdentity::Unfit(_))));
        assert_eq!(TlsIdentity::read(String::new(), key(&one)).err(), Some(BadIdentity::NoCertificate));
        assert_eq!(TlsIdentity::read(one.cert.pem(), "x".into()).err(), Some(BadIdentity::NoKey));
        let shown = format!("{:?}", TlsIdentity::read(one.cert.pem(), key(&one)).unwrap());
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}
