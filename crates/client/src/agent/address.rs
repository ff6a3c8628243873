//! Where an agent listens.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// What a port's address begins with.
const TCP: &str = "tcp://";

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket, by its absolute path.
    #[cfg(unix)]
    Socket(PathBuf),
    /// A port of this machine's loopback.
    Port(SocketAddr),
}

/// The text is no address of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It is neither form.
    #[error("an agent's address is tcp://127.0.0.1:PORT or the absolute path of a socket")]
    Form,
    /// A host elsewhere, to which a token would be sent in the clear.
    #[error("an agent is asked on this machine's loopback address only")]
    NotLoopback,
    /// This system has no local sockets.
    #[error("this system has no local sockets; an agent's address here is tcp://127.0.0.1:PORT")]
    NoSockets,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(text) = text.strip_prefix(TCP) {
            let address: SocketAddr = text.parse().map_err(|_| InvalidAddress::Form)?;
            return if address.ip().is_loopback() { Ok(Self::Port(address)) } else { Err(InvalidAddress::NotLoopback) };
        }
        let path = PathBuf::from(text);
        if !path.is_absolute() {
            return Err(InvalidAddress::Form);
        }
        Self::of_path(path)
    }
}

impl Address {
    /// The address of a socket.
    ///
    /// # Errors
    /// [`InvalidAddress::NoSockets`] on a system that has none.
    #[cfg(unix)]
    pub fn of_path(path: PathBuf) -> Result<Self, InvalidAddress> {
        Ok(Self::Socket(path))
    }

    /// The address of a socket.
    ///
    /// # Errors
    /// [`InvalidAddress::NoSockets`] on a system that has none.
    #[cfg(not(unix))]
    pub fn of_path(_: PathBuf) -> Result<Self, InvalidAddress> {
        Err(InvalidAddress::NoSockets)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Port(address) => write!(f, "{TCP}{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_loopback_port() {
        for good in ["tcp://127.0.0.1:4711", "tcp://[::1]:4711"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        #[cfg(unix)]
        assert_eq!("/run/a.sock".parse::<Address>().unwrap(), Address::Socket("/run/a.sock".into()));
        for (bad, why) in [
            ("a.sock", InvalidAddress::Form),
            ("", InvalidAddress::Form),
            ("tcp://localhost:1", InvalidAddress::Form),
            ("tcp://127.0.0.1", InvalidAddress::Form),
            ("tcp://10.0.0.1:80", InvalidAddress::NotLoopback),
            ("tcp://0.0.0.0:80", InvalidAddress::NotLoopback),
            ("http://127.0.0.1:80", InvalidAddress::Form),
        ] {
            assert_eq!(bad.parse::<Address>(), Err(why), "{bad}");
        }
    }
}
