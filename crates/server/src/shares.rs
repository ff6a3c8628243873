//! What one network may have of what all share: connections, and the bytes of bodies that are being read.
//!
//! HTTP/2 lets one connection send many bodies at once, so neither the number of connections nor the size of a body bounds
//! what is held in memory. Their bytes are counted as they arrive; a body for which there is no room any more is refused.
//! A network has a small share of all of it, so that nobody else is refused for its sake. A trusted proxy speaks for
//! everybody behind it and has no share but the whole.

use crate::{serve::Limits, web::caller::is_trusted};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use ipnet::IpNet;
use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

/// What is shared. Clones share it.
#[derive(Clone)]
pub(crate) struct Shares(Arc<Inner>);

struct Inner {
    limits: Limits,
    /// Bytes of all bodies.
    bytes: AtomicUsize,
    networks: Mutex<HashMap<IpAddr, Network>>,
}

/// What one network has now.
#[derive(Default)]
struct Network {
    connections: usize,
    bytes: Arc<AtomicUsize>,
}

impl Shares {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner { limits, bytes: AtomicUsize::new(0), networks: Mutex::default() }))
    }

    /// A connection from this address; `None` when its network has as many as it may.
    pub(crate) fn connect(&self, peer: IpAddr, proxies: &[IpNet]) -> Option<Arc<Share>> {
        let Limits { connections, connections_of_one, bodies, bodies_of_one, .. } = self.0.limits;
        let (most, room) = match is_trusted(&peer, proxies) {
            true => (connections, bodies),
            false => (connections_of_one, bodies_of_one),
        };
        let address = network(peer);
        let mut networks = self.0.networks();
        let network = networks.entry(address).or_default();
        if network.connections >= most {
            return None;
        }
        network.connections += 1;
        Some(Arc::new(Share { shares: self.0.clone(), address, bytes: network.bytes.clone(), room }))
    }
}

impl Inner {
    fn networks(&self) -> MutexGuard<'_, HashMap<IpAddr, Network>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's part in the share of its network, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Inner>,
    address: IpAddr,
    bytes: Arc<AtomicUsize>,
    room: usize,
}

impl Share {
    fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let of_all = self.shares.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let of_one = self.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if of_all <= self.shares.limits.bodies && of_one <= self.room {
            return Ok(());
        }
        self.give_back(bytes);
        Err(NoRoom)
    }

    fn give_back(&self, bytes: usize) {
        self.shares.bytes.fetch_sub(bytes, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut network) = self.shares.networks().entry(self.address) {
            network.get_mut().connections = network.get().connections.saturating_sub(1);
            if network.get().connections == 0 {
                network.remove();
            }
        }
    }
}

/// The bodies that are being read leave no room for this one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there is no room for this body now")]
pub(crate) struct NoRoom;

/// The body of a request, whose bytes count until it was read.
pub(crate) struct Counted {
    body: Incoming,
    share: Arc<Share>,
    bytes: usize,
}

impl Counted {
    pub(crate) fn new(body: Incoming, share: Arc<Share>) -> Self {
        Self { body, share, bytes: 0 }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?) else { return Poll::Ready(None) };
        if let Some(data) = frame.data_ref() {
            self.share.take(data.len())?;
            self.bytes += data.len();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.share.give_back(self.bytes);
        }
    }
}

/// The network of one subscriber: of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> Shares {
        let few = Limits { connections: 3, connections_of_one: 2, bodies: 100, bodies_of_one: 40, ..Limits::default() };
        Shares::new(few)
    }

    fn connect(shares: &Shares, address: &str) -> Option<Arc<Share>> {
        shares.connect(address.parse().unwrap(), &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn a_network_has_its_connections_and_no_more() {
        let shares = shares();
        let (one, _two) = (connect(&shares, "2001:db8::1").unwrap(), connect(&shares, "2001:db8::ffff:2").unwrap());
        assert!(connect(&shares, "2001:db8::3").is_none());
        assert!(connect(&shares, "2001:db8:0:1::3").is_some(), "another network");
        drop(one);
        assert!(connect(&shares, "2001:db8::3").is_some());
        let behind: Vec<_> = (0..3).filter_map(|_| connect(&shares, "::ffff:10.0.0.1")).collect();
        assert_eq!(behind.len(), 3, "a proxy speaks for many");
    }

    #[test]
    fn the_bytes_of_one_network_leave_room_for_others() {
        let shares = shares();
        let (greedy, again, other) =
            (connect(&shares, "192.0.2.1"), connect(&shares, "192.0.2.1"), connect(&shares, "192.0.2.2"));
        let (greedy, again, other) = (greedy.unwrap(), again.unwrap(), other.unwrap());
        greedy.take(30).unwrap();
        assert!(again.take(11).is_err());
        other.take(40).unwrap();
        again.take(10).unwrap();
        let proxy = connect(&shares, "10.0.0.1").unwrap();
        assert!(proxy.take(21).is_err(), "there is no more than all");
        greedy.give_back(30);
        proxy.take(50).unwrap();
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let shares = shares();
        drop((connect(&shares, "192.0.2.1"), connect(&shares, "192.0.2.2")));
        assert!(shares.0.networks().is_empty());
    }
}
