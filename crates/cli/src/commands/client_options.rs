//! The options that say who signs in, and how it proves itself.
//!
//! A secret is never an argument, since everybody on the machine can read those: it is read from a file, or from stdin.

use crate::error::{Error, Kind};
use clap::{Args, ValueEnum};
use gatepass_client::{
    Secret,
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

    /// Whether the secret comes by stdin, which then is not there for anything else.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.client_secret_file.as_deref() == Some(Path::new("-"))
    }

    /// How the client proves itself.
    pub(crate) fn proof(&self) -> Result<Proof, Error> {
        let Some(path) = &self.client_secret_file else { return Ok(Proof::None) };
        let method = self.client_auth_method.map(|method| match method {
            SecretMethod::ClientSecretBasic => ClientAuthMethod::ClientSecretBasic,
            SecretMethod::ClientSecretPost => ClientAuthMethod::ClientSecretPost,
        });
        Ok(Proof::Secret { secret: read_secret(path)?, method })
    }
}

/// Reads a secret of one line from a file, or from stdin.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Error> {
    let from = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let wrong = |why: String| Error::new(Kind::Usage, format!("the client's secret in {from}: {why}"));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_SECRET + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_SECRET + 1).read_to_string(&mut text))
    };
    let whole = Secret::from(text);
    read.map_err(|error| wrong(error.to_string()))?;
    let line = whole.expose().trim_end_matches(['\r', '\n']);
    // RFC 6749 appendix A.2: visible characters and spaces.
    if line.is_empty() || whole.expose().len() > 4096 || !line.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Err(wrong("a secret is one line of 1 to 4096 visible ASCII characters".into()));
    }
    Ok(Secret::from(line))
}
