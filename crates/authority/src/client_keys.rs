//! The public keys of a client: those of its registration, or those at its `jwks_uri` (RFC 7591 §2).
//!
//! Keys that are fetched are good for five minutes. When a signature is none of theirs, the client may have new ones: they
//! are fetched again, but for one address at most every thirty seconds, whatever comes. When the site is down, the keys that
//! it gave last are good for a day.

use crate::{
    Authority, Client, PresentedCertificate,
    certificate::{self, NoProof},
};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Trust};
use gatepass_keys::{
    JwkSet,
    jws::{self, InvalidJws},
};
use gatepass_oauth::{ClientOrigin, UtcMillis};
use http::{Request, StatusCode, header};
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How much of a set, and how long.
const BOUNDS: Bounds = Bounds { bytes: 64 * 1024, time: Duration::from_secs(3) };
/// How many sets are remembered.
const CAPACITY: usize = 256;
/// How long a set is good.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// The least time between two requests for the same set.
const REST: Duration = Duration::from_secs(30);
/// How long a set is good when its site is down.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// What was fetched on the operator's word is nothing to a stranger who names the same address.
type Place = (bool, String);

pub(crate) struct RemoteKeys(Cache<Place, Arc<Mutex<Slot>>>);

impl Default for RemoteKeys {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

#[derive(Default)]
struct Slot {
    keys: Option<(Arc<JwkSet>, UtcMillis)>,
    asked_at: Option<UtcMillis>,
    failure: Option<String>,
}

impl Authority {
    /// Verifies what a client has signed; `here` are the keys of its registration. Inside, the reason why it is not good.
    pub(crate) async fn verify_signed_by<C: DeserializeOwned>(
        &self,
        client: &Client,
        here: &JwkSet,
        token: &str,
    ) -> Result<C, String> {
        self.judge_by_keys(client, here, |keys| jws::verify(token, keys), |error| *error == InvalidJws::Signature).await
    }

    /// Whether a certificate has one of a client's keys (RFC 8705 §2.2.2). Inside, the reason why it has none.
    pub(crate) async fn check_self_signed(
        &self,
        client: &Client,
        here: &JwkSet,
        presented: Option<&PresentedCertificate>,
    ) -> Result<(), String> {
        if presented.is_none() {
            return Err(NoProof::Missing.to_string());
        }
        let check = |keys: &JwkSet| certificate::check_key(presented, keys);
        self.judge_by_keys(client, here, check, |reason| *reason == NoProof::Key).await
    }

    /// Judges by the keys of a client, and once more when they may be older than its newest.
    async fn judge_by_keys<T, E: Display>(
        &self,
        client: &Client,
        here: &JwkSet,
        judge: impl Fn(&JwkSet) -> Result<T, E>,
        may_be_newer: impl Fn(&E) -> bool,
    ) -> Result<T, String> {
        let place = match &client.metadata.jwks_uri {
            Some(uri) if here.keys.is_empty() => (client.origin == ClientOrigin::Operator, uri.clone()),
            _ => return judge(here).map_err(|error| error.to_string()),
        };
        let made =
            self.0.remote_keys.0.get_or_insert_with(&place, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let Ok(slot) = made;
        let mut slot = slot.lock().await;
        let now = self.0.clock.now();
        if slot.keys.as_ref().is_none_or(|(_, at)| at.plus(FRESH) <= now) {
            self.ask_for_keys(&mut slot, &place).await;
        }
        let judged = judge(&*slot.good_keys(now)?);
        let asked_before = slot.asked_at.is_some_and(|at| at < now);
        match judged {
            Err(error) if may_be_newer(&error) && asked_before => {}
            judged => return judged.map_err(|error| error.to_string()),
        }
        self.ask_for_keys(&mut slot, &place).await;
        slot.good_keys(now).and_then(|keys| judge(&keys).map_err(|error| error.to_string()))
    }

    /// Fetches a set, unless that was tried just now.
    async fn ask_for_keys(&self, slot: &mut Slot, place: &Place) {
        let now = self.0.clock.now();
        if slot.asked_at.is_some_and(|at| now < at.plus(REST)) {
            return;
        }
        slot.asked_at = Some(now);
        match self.fetch_keys(place).await {
            Ok(keys) => (slot.keys, slot.failure) = (Some((Arc::new(keys), now)), None),
            Err(reason) => slot.failure = Some(format!("the keys at {}: {reason}", place.1)),
        }
    }

    async fn fetch_keys(&self, (operators, uri): &Place) -> Result<JwkSet, String> {
        let trust = if *operators { Trust::Operator } else { Trust::Stranger };
        let request = Request::get(uri).header(header::ACCEPT, "application/jwk-set+json, application/json");
        let request = request.body(Bytes::new()).map_err(|_| "the address cannot be asked")?;
        let answer = self.0.fetcher.send(request, trust, BOUNDS).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer was {}", answer.status().as_u16()));
        }
        let text = std::str::from_utf8(answer.body()).map_err(|_| "the answer is not UTF-8")?;
        JwkSet::parse(text).map_err(|error| error.to_string())
    }
}

impl Slot {
    fn good_keys(&self, now: UtcMillis) -> Result<Arc<JwkSet>, String> {
        match &self.keys {
            Some((keys, at)) if now < at.plus(STALE) => Ok(keys.clone()),
            _ => Err(self.failure.clone().unwrap_or_else(|| "its keys could not be fetched".into())),
        }
    }
}
