//! The server's own certificate, read again when its files change.
//!
//! The files are looked at every second. A new pair that fits takes the place of the old one for the connections that
//! come; one that does not is logged once, and the old one stays.

use super::{TlsError, read};
use crate::config::TlsFiles;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio::{task::JoinHandle, time::interval};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Current {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    key: RwLock<Arc<CertifiedKey>>,
    /// The files as they were before they were read first.
    opened: [Version; 2],
}

/// What tells one version of a file from another: time of change and size.
type Version = Option<(SystemTime, u64)>;

impl Current {
    pub(super) fn open(files: &TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let opened = versions(files);
        let key = RwLock::new(Arc::new(load(files, &provider)?));
        Ok(Self { files: files.clone(), provider, key, opened })
    }

    /// Looks after the files until it is aborted.
    pub(super) fn keep_current(self: &Arc<Self>) -> JoinHandle<()> {
        let (current, mut known) = (self.clone(), self.opened);
        tokio::spawn(async move {
            let mut look = interval(LOOK);
            loop {
                look.tick().await;
                let seen = versions(&current.files);
                if seen != known {
                    known = seen;
                    current.reload();
                }
            }
        })
    }

    fn reload(&self) {
        match load(&self.files, &self.provider) {
            Ok(key) => {
                *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the new TLS certificate cannot be used; the old one stays"),
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn versions(files: &TlsFiles) -> [Version; 2] {
    [version(&files.certificate), version(&files.key)]
}

fn version(path: &Path) -> Version {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&zeroize::Zeroizing::new(read(&files.key)?))
        .map_err(|_| TlsError::Empty { path: files.key.clone(), what: "private key" })?;
    // This compares the certificate with the key, too.
    CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Unusable(error.to_string()))
}

/// The certificates of a PEM file; at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let empty = || TlsError::Empty { path: path.to_owned(), what: "certificate" };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(|_| empty())?;
    if chain.is_empty() { Err(empty()) } else { Ok(chain) }
}
