//! A resolver that knows public addresses only.

use crate::address;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{collections::BTreeSet, error::Error, sync::Arc};

/// Resolves names for strangers.
pub(crate) struct PublicOnly {
    pub(crate) private_hosts: Arc<BTreeSet<String>>,
}

/// A name that leads, at least in part, to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not resolve to public addresses only")]
struct NotPublic(String);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let private_hosts = self.private_hosts.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // One private address among them is reason enough: no honest name has both.
            if !private_hosts.contains(&host) && found.iter().any(|found| !address::is_public(found.ip())) {
                return Err(NotPublic(host).into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// The name that this resolver refused, if that is why a request failed.
pub(crate) fn refusal(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(NotPublic(name)) = inner.downcast_ref() {
            return Some(name.clone());
        }
        cause = inner.source();
    }
    None
}
