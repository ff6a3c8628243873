//! The server's secret: in the environment, or in a file that only its owner reads.

use gatepass_keys::{Entropy, ServerSecret};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The variable that holds the secret instead of the file, for whoever has a store of secrets.
pub const VARIABLE: &str = "GATEPASS_SECRET";
const FILE: &str = "secret";

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The text is no secret.
    #[error("{place} does not hold a server secret: 64 hexadecimal digits; make one with 'openssl rand -hex 32'")]
    Malformed {
        /// Where it stands.
        place: String,
    },
    /// Others may read it.
    #[error("the secret {} can be read by others; run 'chmod 600' on it", .0.display())]
    Open(PathBuf),
    /// The file cannot be read or made.
    #[error("the secret {} cannot be used ({source}); check the folder and its permissions", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] gatepass_keys::entropy::NoEntropy),
}

/// The secret: `given` from the environment, else that of the data folder, made where there is none.
///
/// # Errors
/// [`SecretError`].
pub fn load_or_create(given: Option<&str>, data_dir: &Path, entropy: &Entropy) -> Result<ServerSecret, SecretError> {
    private_folder(data_dir).map_err(|source| SecretError::File { path: data_dir.to_owned(), source })?;
    if let Some(text) = given {
        return ServerSecret::from_hex(text).map_err(|_| SecretError::Malformed { place: VARIABLE.into() });
    }
    let path = data_dir.join(FILE);
    match create(data_dir, &path, entropy) {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => read(&path),
        Err(error) => Err(error),
    }
}

/// A new file with a new secret; `None` when there is one. Of two processes one makes it.
fn create(data_dir: &Path, path: &Path, entropy: &Entropy) -> Result<Option<ServerSecret>, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    if path.exists() {
        return Ok(None);
    }
    let secret = ServerSecret::generate(entropy)?;
    // Written whole under another name first, so that nobody reads half of it.
    let draft = data_dir.join(format!("{FILE}.{}", std::process::id()));
    let written = private_file(&draft)
        .and_then(|mut file| file.write_all(secret.to_hex().as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(Some(secret)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path) -> Result<ServerSecret, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let text = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    if is_open_to_others(path).map_err(failed)? {
        return Err(SecretError::Open(path.to_owned()));
    }
    ServerSecret::from_hex(&text).map_err(|_| SecretError::Malformed { place: path.display().to_string() })
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the data folder, for its owner only.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new");
        let (first, second) = (
            load_or_create(None, &data, &Entropy::system()).unwrap(),
            load_or_create(None, &data, &Entropy::system()).unwrap(),
        );
        assert_eq!(*first.to_hex(), *second.to_hex());
        assert!(!is_open_to_others(&data.join("secret")).unwrap());
    }

    #[test]
    fn a_damaged_or_open_secret_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "not a secret").unwrap();
        assert!(matches!(load_or_create(None, folder.path(), &Entropy::system()), Err(SecretError::Open(_))));
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(matches!(load_or_create(None, folder.path(), &Entropy::system()), Err(SecretError::Malformed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a secret");
        assert!(load_or_create(Some("short"), folder.path(), &Entropy::system()).is_err());
        let fresh = folder.path().join("fresh");
        load_or_create(Some(&"07".repeat(32)), &fresh, &Entropy::system()).unwrap();
        assert!(fresh.is_dir() && !fresh.join("secret").exists(), "a given secret is not written down");
    }
}
