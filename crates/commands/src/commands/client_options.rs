//! The options that say who signs in, and how it proves itself.
//!
//! A secret is never an argument, since everybody on the machine can read those: it is read from a file, or from stdin.

use crate::{
    error::{Error, Kind},
    ui::Ui,
};
use clap::{Args, ValueEnum};
use gatepass_client::{
    ClientAuthentication, ClientKey, Secret, TlsIdentity,
    oauth::{ClientAuthMethod, ClientId},
    sign_in::wish::Proof,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The longest secret file that is read, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// Who signs in.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The client")]
pub(crate) struct ClientOptions {
    /// The client to sign in as, an ID or the URL of its metadata document; without it one is found or registered
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The file with the client's secret; - reads it from stdin
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// How the secret is sent; without it as the server lists, else as client_secret_basic
    #[arg(long, value_name = "METHOD", requires = "client_secret_file")]
    client_auth_method: Option<SecretMethod>,
    /// The file with the client's private key, in PEM or as a JWK, which signs each request (private_key_jwt) or is the
    /// certificate's; it is kept with the sign-in
    #[arg(long, value_name = "FILE", requires = "client_id", conflicts_with = "client_secret_file")]
    client_key_file: Option<PathBuf>,
    /// The name that the server knows the key by, where the file does not say
    #[arg(long, value_name = "KID", requires = "client_key_file", conflicts_with = "client_cert_file")]
    client_key_id: Option<String>,
    /// The file with the client's certificate, and those that lead to its authority, in PEM (RFC 8705)
    #[arg(long, value_name = "FILE", requires_all = ["client_id", "client_key_file"])]
    client_cert_file: Option<PathBuf>,
}

/// How a secret is sent (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum SecretMethod {
    /// In the Authorization header
    ClientSecretBasic,
    /// Among the fields of the form
    ClientSecretPost,
}

impl ClientOptions {
    /// The client's identifier, if one was named.
    pub(crate) fn client_id(&self) -> Result<Option<ClientId>, Error> {
        let read =
            |text: &String| text.parse().map_err(|error| Error::new(Kind::Usage, format!("--client-id: {error}")));
        self.client_id.as_ref().map(read).transpose()
    }

    /// Whether the secret or the key comes by stdin, which then is not there for anything else.
    pub(crate) fn reads_stdin(&self) -> bool {
        [&self.client_secret_file, &self.client_key_file]
            .into_iter()
            .any(|file| file.as_deref() == Some(Path::new("-")))
    }

    /// Whether the client has something to prove itself with.
    pub(crate) fn has_proof(&self) -> bool {
        self.client_secret_file.is_some() || self.client_key_file.is_some()
    }

    fn proof_by_key(&self, path: &Path, ui: &Ui) -> Result<Proof, Error> {
        warn_of_readers(path, "the client's key", ui);
        let text = read_text(path, "the client's key")?;
        if let Some(file) = &self.client_cert_file {
            let certificate = read_text(file, "the client's certificate")?;
            let wrong = |why| Error::new(Kind::Usage, format!("the client's certificate in {}: {why}", file.display()));
            let identity = TlsIdentity::read(certificate.expose().to_owned(), text).map_err(wrong)?;
            return Ok(Proof::Ready(ClientAuthentication::Tls(identity)));
        }
        let wrong = |why| Error::new(Kind::Usage, format!("the client's key in {}: {why}", path.display()));
        Ok(Proof::Key { key: ClientKey::read(text).map_err(wrong)?, kid: self.client_key_id.clone() })
    }

    /// How the client proves itself.
    pub(crate) fn proof(&self, ui: &Ui) -> Result<Proof, Error> {
        if let Some(path) = &self.client_key_file {
            return self.proof_by_key(path, ui);
        }
        let Some(path) = &self.client_secret_file else { return Ok(Proof::None) };
        warn_of_readers(path, "the client's secret", ui);
        let method = self.client_auth_method.map(|method| match method {
            SecretMethod::ClientSecretBasic => ClientAuthMethod::ClientSecretBasic,
            SecretMethod::ClientSecretPost => ClientAuthMethod::ClientSecretPost,
        });
        Ok(Proof::Secret { secret: read_secret(path)?, method })
    }
}

/// Reads a file or stdin, whole and bounded, as what it is called.
fn read_text(path: &Path, what: &str) -> Result<Secret, Error> {
    let from = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_SECRET + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_SECRET + 1).read_to_string(&mut text))
    };
    let whole = Secret::from(text);
    let wrong = |why: String| Error::new(Kind::Usage, format!("{what} in {from}: {why}"));
    read.map_err(|error| wrong(error.to_string()))?;
    match u64::try_from(whole.expose().len()) {
        Ok(length) if length <= MAX_SECRET => Ok(whole),
        _ => Err(wrong("it is longer than 64 KiB".into())),
    }
}

/// Says so where every user of the machine can read what is to be secret. It is no more than said: what a platform mounts
/// into a container has such modes, and the file is none of ours.
fn warn_of_readers(path: &Path, what: &str, ui: &Ui) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable =
            std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o004 != 0);
        if readable {
            let path = path.display();
            ui.warn(&format!("every user of this machine can read {what} in {path}; 'chmod 600 {path}' ends that"));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, what, ui);
}

/// Reads a secret of one line from a file, or from stdin.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Error> {
    let whole = read_text(path, "the client's secret")?;
    let line = whole.expose().trim_end_matches(['\r', '\n']);
    // RFC 6749 appendix A.2: visible characters and spaces.
    if line.is_empty() || whole.expose().len() > 4096 || !line.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        let from = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let why = "a secret is one line of 1 to 4096 visible ASCII characters";
        return Err(Error::new(Kind::Usage, format!("the client's secret in {from}: {why}")));
    }
    Ok(Secret::from(line))
}
