//! The options by which a service or a workload signs in without a person.

use super::client_options::ClientOptions;
use crate::{
    env,
    error::{Error, Kind},
};
use clap::{Args, ValueEnum};
use gatepass_client::{AssertionSource, Grant, assertion::JobToken, oauth::Issuer};
use std::path::PathBuf;

/// Where Kubernetes puts a service account's token when nothing else is said.
const KUBERNETES_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How it signs in.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "Without a person")]
pub(crate) struct UnattendedOptions {
    /// Sign the client itself in, by its secret, key or certificate (RFC 6749 §4.4)
    #[arg(long, requires = "client_id", conflicts_with = "way")]
    client_credentials: bool,
    /// Sign in by the JWT in this file (RFC 7523), which is read anew for each token
    #[arg(long, value_name = "PATH", conflicts_with = "way")]
    assertion_file: Option<PathBuf>,
    /// Sign in by the JWT of the platform that this runs on
    #[arg(long, value_name = "PLATFORM", conflicts_with = "way")]
    assertion: Option<Platform>,
}

/// Who speaks for a workload.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Platform {
    /// The runner of a GitHub Actions job with the permission id-token: write
    GithubActions,
    /// The pod's service account
    Kubernetes,
}

impl UnattendedOptions {
    /// Whether no person signs in.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.client_credentials || self.assertion_file.is_some() || self.assertion.is_some()
    }

    /// What is asked of the server; `None` when a person signs in.
    pub(crate) fn grant(&self, client: &ClientOptions, server: &Issuer) -> Result<Option<Grant>, Error> {
        if self.client_credentials {
            return match client.has_proof() {
                true => Ok(Some(Grant::ClientCredentials)),
                false => {
                    Err(Error::new(Kind::Usage, "--client-credentials: the client has nothing to prove itself with")
                        .hint(
                            "add --client-secret-file, --client-key-file, or --client-cert-file and --client-key-file",
                        ))
                }
            };
        }
        let source = match (&self.assertion_file, self.assertion) {
            (Some(path), _) => file(path.clone())?,
            (None, Some(Platform::Kubernetes)) => {
                file(env::read(env::KUBERNETES_TOKEN_FILE).map_or_else(|| KUBERNETES_TOKEN.into(), PathBuf::from))?
            }
            (None, Some(Platform::GithubActions)) => github(server)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Grant::Assertion { source }))
    }
}

/// From the root, since renewals come from other folders.
fn file(path: PathBuf) -> Result<AssertionSource, Error> {
    let whole = std::path::absolute(&path);
    let path = whole.map_err(|error| Error::new(Kind::Usage, format!("--assertion-file: {error}")))?;
    Ok(AssertionSource::File { path })
}

fn github(server: &Issuer) -> Result<AssertionSource, Error> {
    let missing = |name: &str| {
        Error::new(
            Kind::Usage,
            format!("{name} is not set, so this is no GitHub Actions job that may ask for ID tokens"),
        )
        .hint("add 'permissions: id-token: write' to the job")
    };
    let [url, token] = [env::GITHUB_URL, env::GITHUB_TOKEN].map(|name| env::read(name).ok_or_else(|| missing(name)));
    let (url, token) = (url?, token?);
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::new(Kind::Usage, format!("{} holds characters that no token has", env::GITHUB_TOKEN)));
    }
    let url = url.parse().map_err(|error| Error::new(Kind::Usage, format!("{}: {error}", env::GITHUB_URL)))?;
    Ok(AssertionSource::GithubActions { url, token: JobToken(token.into()), audience: server.to_string() })
}
