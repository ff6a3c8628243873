//! The address that a person opens: short, or at least shorter, where the server takes pushed requests (RFC 9126).
//!
//! 1. The request goes to the server before the browser does (§2.1), proven like any other of this client. What is pushed
//!    is what the plain address would say, so both mean the same sign-in.
//! 2. The answer is a reference (§2.2). A gatepass server gives its own programs a short link besides, which survives a
//!    terminal that breaks lines; it is believed on the server's own origin only.
//! 3. When nothing is pushed, the plain address serves, unless the server takes pushed requests only (§5).
//! 4. A reference ends after some time. Whoever has opened it goes on; for whoever has not, there is another in time: a new
//!    one where the link is short or pushing is demanded, else the plain address, which has no end.

use super::{attempt::Attempt, race::Race};
use crate::{ClientAuthentication, Event, Failure, Unreachable, WebUrl, token_endpoint::seconds};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a server may take to answer a push that it does not demand: a person waits for the address.
const PATIENCE: Duration = Duration::from_secs(8);
/// The least time between two pushes.
const LEAST_LIFE: Duration = Duration::from_secs(5);
/// How long before its end a reference is replaced at most: who opens it just then has the time to sign in.
const LEAD: Duration = Duration::from_secs(30);
/// How long to wait after a push that failed, where there is nothing else to show.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest reference that is taken, in bytes.
const MAX_REFERENCE: usize = 1024;

/// What to open, and until when.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) url: String,
    is_short: bool,
    until: Option<Instant>,
}

impl Address {
    /// The one that says everything itself. It has no end.
    fn plain(attempt: &Attempt) -> Self {
        Self { url: attempt.url.clone(), is_short: false, until: None }
    }

    /// It could not be replaced, and is to be in a while.
    pub(super) fn later(&mut self) {
        self.until = Instant::now().checked_add(PAUSE);
    }

    /// Waits until it is to be replaced; for ever, if it is not.
    pub(super) async fn over(&self) {
        match self.until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// The answer (§2.2), as loosely as servers write it.
#[derive(Deserialize)]
struct Answer {
    request_uri: String,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    sign_in_uri: Option<String>,
}

impl Race<'_> {
    /// The address of a sign-in that begins.
    ///
    /// # Errors
    /// [`Failure`], where the server takes pushed requests only and did not take this one.
    pub(super) async fn address(self, attempt: &Attempt) -> Result<Address, Failure> {
        let Some(endpoint) = &self.server.pushed_authorization_request_endpoint else {
            return Ok(Address::plain(attempt));
        };
        if self.server.requires_pushed_requests {
            return self.push(endpoint, attempt).await;
        }
        let pushed = timeout(PATIENCE, self.push(endpoint, attempt))
            .await
            .unwrap_or_else(|_| Err(Failure::Unreachable { host: endpoint.host(), why: Unreachable::Timeout }));
        Ok(pushed.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "the request was not pushed; the browser carries it");
            Address::plain(attempt)
        }))
    }

    /// The address after one that is over; `None` where one must be pushed and could not be, so that it is to be tried
    /// again.
    pub(super) async fn next_address(self, attempt: &Attempt, last: &Address) -> Option<Address> {
        if !last.is_short && !self.server.requires_pushed_requests {
            return Some(Address::plain(attempt));
        }
        // The browser may come back meanwhile, and is heard after this.
        match timeout(PATIENCE, self.address(attempt)).await.ok()? {
            Ok(address) => Some(address),
            Err(failure) => {
                (self.tell)(Event::Trouble(failure));
                None
            }
        }
    }

    async fn push(self, endpoint: &WebUrl, attempt: &Attempt) -> Result<Address, Failure> {
        let page = self.server.authorization_endpoint.as_ref().map(WebUrl::url);
        let (Some(page), Ok(plain)) = (page, url::Url::parse(&attempt.url)) else { return Ok(Address::plain(attempt)) };
        // Client and proof are the asker's to say; one that names itself in a header is named here as well (§2.1).
        let named = matches!(self.request.authentication, ClientAuthentication::ClientSecretBasic { .. });
        let fields: Vec<_> = plain
            .query_pairs()
            .skip(page.query_pairs().count())
            .filter(|(name, _)| name != "client_id" || named)
            .collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let asked_at = Instant::now();
        let reply = self.asker().post(endpoint, &fields).await?;
        let answer: Answer = reply.read()?;
        let reference = &answer.request_uri;
        if !(1..=MAX_REFERENCE).contains(&reference.len()) || !reference.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(reply.nonsense("a request_uri that is none"));
        }
        let mut url = page.clone();
        url.query_pairs_mut()
            .append_pair("client_id", self.request.client_id.as_str())
            .append_pair("request_uri", reference);
        let short = answer.sign_in_uri.as_deref().and_then(|text| self.short_link(text, url.as_str().len()));
        Ok(Address {
            is_short: short.is_some(),
            url: short.unwrap_or_else(|| url.into()),
            until: seconds(&answer.expires_in).and_then(|life| asked_at.checked_add(used_for(life))),
        })
    }

    /// A link of the server itself that is shorter than what it stands for.
    fn short_link(self, text: &str, longest: usize) -> Option<String> {
        let link: WebUrl = text.parse().ok()?;
        let issuer: WebUrl = self.server.issuer.as_str().parse().ok()?;
        let good = link.url().origin() == issuer.url().origin() && link.as_str().len() < longest;
        good.then(|| link.into())
    }
}

/// How long a reference with this life in seconds is shown.
fn used_for(life: u64) -> Duration {
    let life = Duration::from_secs(life);
    life.saturating_sub(LEAD.min(life / 4)).max(LEAST_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_replaced_before_its_end_and_never_in_a_hurry() {
        let table = [(600, 570), (90, 68), (60, 45), (5, 5), (0, 5)];
        for (life, shown) in table {
            assert_eq!(used_for(life).as_secs_f64().ceil(), f64::from(shown), "{life}");
        }
        assert!(used_for(u64::MAX) > Duration::from_secs(1_000_000));
    }
}
