//! The pool: how connections are made, secured and bounded.

use std::{fmt::Display, path::Path, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::{Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    Error, Options,
    url::{Server, Trust},
};

/// A server that does not answer at all is given up after this time.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection without traffic is probed this often, so that a vanished server is noticed.
const PROBE: Duration = Duration::from_secs(30);

/// A pool; it connects when it is first asked for a connection.
pub(super) fn pool(server: &Server, options: &Options) -> Result<Pool, Error> {
    let config = bounded(server.config.clone(), options);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match config.get_ssl_mode() {
        SslMode::Disable => Manager::from_config(config, NoTls, recycling),
        _ => Manager::from_config(config, MakeRustlsConnect::new(tls(&server.trust)?), recycling),
    };
    Pool::builder(manager)
        .max_size(options.pool.max(1))
        .wait_timeout(Some(options.wait))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(options.wait))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Error::unavailable(error.to_string()))
}

/// Adds the bounds that the URL does not set itself.
fn bounded(mut config: Config, options: &Options) -> Config {
    if config.get_application_name().is_none() {
        config.application_name("gatepass");
    }
    if config.get_options().is_none() {
        let statement = options.statement.as_millis();
        // A transaction of ours never rests: if it does, its program is gone.
        config.options(format!("-c statement_timeout={statement} -c idle_in_transaction_session_timeout={statement}"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config.keepalives_idle(PROBE).keepalives_interval(PROBE).tcp_user_timeout(options.statement + CONNECT);
    config
}

/// TLS that verifies the server's certificate and its name.
fn tls(trust: &Trust) -> Result<ClientConfig, Error> {
    let refused = |error: rustls::Error| Error::unavailable(format!("TLS cannot be set up: {error}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refused)?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier().map_err(refused)?,
        Trust::File(file) => builder.with_root_certificates(authorities(file)?),
    };
    Ok(builder.with_no_client_auth())
}

/// The authorities in a PEM file.
fn authorities(file: &Path) -> Result<RootCertStore, Error> {
    let refused =
        |why: &dyn Display| Error::unavailable(format!("sslrootcert {} cannot be used: {why}", file.display()));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(&error))? {
        store.add(certificate.map_err(|error| refused(&error))?).map_err(|error| refused(&error))?;
    }
    if store.is_empty() { Err(refused(&"it holds no certificate")) } else { Ok(store) }
}
