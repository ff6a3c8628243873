//! Listening on a loopback port, for virtual machines that share no file system with us.
//!
//! Any user and any web page of this machine can connect to a port. So each request carries a token of 43 random symbols (256
//! bits), which lies in a file that only its owner can read. It is compared by its hash, in constant time. A wrong one ends
//! the connection after a quarter of a second; there is one try for each connection.

use super::serve::ListenError;
use crate::home::{Home, private_file, private_folder};
use gatepass_keys::{Entropy, HashedToken};
use gatepass_oauth::Secret;
use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::net::TcpListener;

const SYMBOLS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 43;

/// A port with its token; dropped, the file of the token is removed.
#[derive(Debug)]
pub struct PortListener {
    pub(super) listener: TcpListener,
    pub(super) token: HashedToken,
    address: SocketAddr,
    file: PathBuf,
}

impl PortListener {
    /// Listens on a loopback address (port 0: any that is free) and puts a new token into a file of the home.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn open(address: SocketAddr, home: &Home, entropy: &Entropy) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let failed = |source| ListenError::Port { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let token = Secret::from(entropy.text(SYMBOLS, LENGTH)?);
        let folder = home.agent_folder();
        let file = folder.join(format!("port-{}.token", address.port()));
        let written = private_folder(&folder).and_then(|()| write(&file, &token));
        written.map_err(|source| ListenError::Io { what: "write", path: file.clone(), source })?;
        Ok(Self { listener, token: HashedToken::of(token.expose()), address, file })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the token lies.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.file
    }
}

impl Drop for PortListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// The port is ours, so a file of that name is one that an agent before us has left.
fn write(path: &Path, token: &Secret) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_file().create_new(true).write(true).open(path)?;
    file.write_all(token.expose().as_bytes())?;
    file.write_all(b"\n")
}
