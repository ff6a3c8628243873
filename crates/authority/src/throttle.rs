//! Bounds on guessing, per subject and per address, counted in the store and so shared by all nodes.
//!
//! A guess is counted *before* it is judged, so that a thousand parallel guesses count as a thousand; one
//! that was right is taken back. Only a wrong client secret is counted afterwards: it has more bits than
//! anybody guesses, so what is bounded there is the noise.
//!
//! An address is the whole network that one subscriber has: of IPv6 the first 64 bits.

use crate::{Authority, Failure};
use std::{net::IpAddr, time::Duration};

/// How many attempts in how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) attempts: i64,
    pub(crate) window: Duration,
}

/// Passwords of one account.
pub(crate) const PASSWORD: Limit = Limit { what: "password", attempts: 10, window: Duration::from_secs(15 * 60) };
/// Passwords from one address, for any account.
pub(crate) const PASSWORD_ADDRESS: Limit =
    Limit { what: "password-address", attempts: 100, window: Duration::from_secs(15 * 60) };
/// User codes by one person: 20⁸ codes and ten guesses leave a chance below 10⁻⁸ (RFC 8628 §5.1).
pub(crate) const USER_CODE: Limit = Limit { what: "user-code", attempts: 10, window: Duration::from_secs(10 * 60) };
/// Number matches of one device's request.
pub(crate) const NUMBER_MATCH: Limit =
    Limit { what: "number-match", attempts: 3, window: Duration::from_secs(60 * 60) };
/// Failed proofs of one client from one address.
pub(crate) const CLIENT_SECRET: Limit = Limit { what: "client-secret", attempts: 30, window: Duration::from_secs(60) };
/// Set-up links from one address.
pub(crate) const ONE_TIME_LINK: Limit = Limit { what: "one-time-link", attempts: 30, window: Duration::from_secs(60) };

/// Short links to sign-in pages from one address: 20⁸ of them, each for a minute or some.
pub(crate) const TICKET: Limit = Limit { what: "ticket", attempts: 30, window: Duration::from_secs(10 * 60) };

/// There were too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {} seconds", retry_after.as_secs().max(1))]
pub struct TooMany {
    /// How long to wait.
    pub retry_after: Duration,
}

impl Authority {
    /// Counts an attempt of `subject` and refuses it when there were too many.
    pub(crate) async fn count(&self, limit: Limit, subject: &str) -> Result<(), Failure> {
        let now = self.0.clock.now();
        let attempts = self.0.store.count_attempt(&bucket(limit, subject), limit.window, now).await?;
        if attempts.hits > limit.attempts {
            return Err(TooMany { retry_after: now.until(attempts.window_ends_at) }.into());
        }
        Ok(())
    }

    /// Takes an attempt of `subject` back: it was right.
    pub(crate) async fn refund(&self, limit: Limit, subject: &str) -> Result<(), Failure> {
        Ok(self.0.store.refund_attempt(&bucket(limit, subject)).await?)
    }

    /// Begins the count of `subject` anew.
    pub(crate) async fn forgive(&self, limit: Limit, subject: &str) -> Result<(), Failure> {
        Ok(self.0.store.forgive_attempts(&bucket(limit, subject)).await?)
    }
}

/// The network that an address stands for.
pub(crate) fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

fn bucket(limit: Limit, subject: &str) -> String {
    format!("{}:{subject}", limit.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_of_ipv6_is_one_network() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
