//! Which certificate a request counts as having shown.
//!
//! A trusted proxy ends the connections of its clients, so a request from there has shown what the proxy's header says,
//! or nothing; the proxy's own certificate is never a client's. From anybody else the header counts for nothing, and the
//! connection's certificate counts. Who vouches for that one is asked when somebody wants to know, and again after a
//! minute: a connection may live longer than a certificate is good.

use super::{TlsError, files::read_certificates, header};
use crate::{config::Tls, web::caller::is_trusted};
use axum::http::{HeaderMap, HeaderName};
use gatepass_authority::{PresentedCertificate, Trust};
use gatepass_keys::ClientCertificate;
use gatepass_oauth::UtcMillis;
use ipnet::IpNet;
use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a judgement of a connection's certificate holds.
const JUDGED_FOR: Duration = Duration::from_secs(60);

/// What is believed of certificates.
pub(crate) struct CertificatePolicy {
    header: Option<HeaderName>,
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    meets_clients: bool,
}

impl CertificatePolicy {
    pub(crate) fn open(tls: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            header: tls.client_certificate_header.clone(),
            authorities: tls.client_ca.as_deref().map(authorities).transpose()?,
            meets_clients: tls.meets_clients(),
        })
    }

    /// Whether certificates of clients reach the server at all.
    pub(crate) fn meets_clients(&self) -> bool {
        self.meets_clients
    }

    /// Who vouches for a certificate that came with these others.
    fn judge(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UtcMillis) -> Trust {
        let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now.0).unwrap_or(0)));
        let vouched = |authorities: &Arc<dyn ClientCertVerifier>| {
            authorities.verify_client_cert(certificate, others, now).is_ok()
        };
        if self.authorities.as_ref().is_some_and(vouched) { Trust::Authority } else { Trust::Nobody }
    }

    /// What a request has shown.
    pub(crate) fn shown(
        &self,
        connection: Option<Arc<ByConnection>>,
        headers: &HeaderMap,
        peer: IpAddr,
        proxies: &[IpNet],
    ) -> Option<Shown> {
        if self.header.is_none() && connection.is_none() {
            return None;
        }
        if !is_trusted(&peer, proxies) {
            return connection.map(Shown::Held);
        }
        // Two of them are nobody's.
        let mut values = headers.get_all(self.header.as_ref()?).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let certificate = header::parse(value.to_str().ok()?)?;
        Some(Shown::Told(ClientCertificate::from_der(&certificate), header::parse_chain(headers)))
    }
}

/// The certificate whose key the other end of a connection holds.
pub(crate) struct ByConnection {
    certificate: ClientCertificate,
    /// With those that came along.
    chain: Vec<CertificateDer<'static>>,
    judged: Mutex<Option<(Trust, UtcMillis)>>,
}

impl ByConnection {
    /// `None` when the other end has shown none.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Option<Arc<Self>> {
        let certificate = ClientCertificate::from_der(chain.first()?);
        let chain = chain.iter().map(|der| der.clone().into_owned()).collect();
        Some(Arc::new(Self { certificate, chain, judged: Mutex::default() }))
    }

    fn trust(&self, policy: &CertificatePolicy, now: UtcMillis) -> Trust {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        match (*judged, self.chain.split_first()) {
            (Some((trust, at)), _) if now < at.plus(JUDGED_FOR) => trust,
            (_, Some((certificate, others))) => {
                let trust = policy.judge(certificate, others, now);
                *judged = Some((trust, now));
                trust
            }
            (_, None) => Trust::Nobody,
        }
    }
}

/// A certificate that counts for a request. Whether anybody vouches for it costs some signatures, so it waits until
/// somebody asks.
#[derive(Clone)]
pub(crate) enum Shown {
    /// By its connection.
    Held(Arc<ByConnection>),
    /// By a header, with those that lead to its authority.
    Told(ClientCertificate, Vec<CertificateDer<'static>>),
}

impl Shown {
    /// The certificate itself.
    pub(crate) fn certificate(&self) -> &ClientCertificate {
        match self {
            Self::Held(held) => &held.certificate,
            Self::Told(certificate, _) => certificate,
        }
    }

    /// The certificate, and who vouches for it.
    pub(crate) fn presented(&self, policy: &CertificatePolicy, now: UtcMillis) -> PresentedCertificate {
        let trust = match self {
            Self::Held(held) => held.trust(policy, now),
            Self::Told(certificate, others) => policy.judge(&CertificateDer::from(certificate.der()), others, now),
        };
        PresentedCertificate { certificate: self.certificate().clone(), trust }
    }
}

fn authorities(path: &std::path::Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()))
        .build()
        .map_err(|error| TlsError::Unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_proxys_own_certificate_is_never_a_clients() {
        let header = |name: Option<&str>| {
            let client_certificate_header = name.map(|name| name.parse().unwrap());
            CertificatePolicy::open(&Tls { client_certificate_header, ..Tls::default() }).unwrap()
        };
        let connection = ByConnection::of(&[CertificateDer::from(&b"the connection's"[..])]);
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let shown = |policy: &CertificatePolicy, peer: &str, headers: &HeaderMap| {
            let shown = policy.shown(connection.clone(), headers, peer.parse().unwrap(), &proxies);
            shown.map(|shown| shown.certificate().der().to_vec())
        };
        let told: HeaderMap = [("x-c".parse().unwrap(), ":AAAA:".parse().unwrap())].into_iter().collect();
        for policy in [header(None), header(Some("x-c"))] {
            assert_eq!(shown(&policy, "192.0.2.1", &told).as_deref(), Some(&b"the connection's"[..]));
            assert_eq!(shown(&policy, "10.0.0.1", &HeaderMap::new()), None);
        }
        assert_eq!(shown(&header(None), "10.0.0.1", &told), None);
        assert_eq!(shown(&header(Some("x-c")), "10.0.0.1", &told).as_deref(), Some(&[0, 0, 0][..]));
        assert_eq!(shown(&header(Some("x-c")), "::ffff:10.0.0.1", &told).as_deref(), Some(&[0, 0, 0][..]));
    }
}
