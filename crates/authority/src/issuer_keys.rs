//! The keys of issuers that the operator trusts, found by discovery (OpenID Connect Discovery 1.0 §4) and kept.
//!
//! Only issuers with a policy get here, so there are few. A set stays good for ten minutes. A `kid` that is not in it has
//! it fetched again, but never sooner than thirty seconds after the last attempt, whatever comes in; one request fetches,
//! the others wait for it. When the issuer cannot be reached, the set that is there serves for a day.

use crate::Authority;
use gatepass_fetch::{Bounds, Trust};
use gatepass_keys::JwkSet;
use gatepass_oauth::UtcMillis;
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long a set stays good.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long it serves when no other can be had.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two attempts at one issuer.
const PAUSE: Duration = Duration::from_secs(30);
/// How many issuers are kept at most.
const MOST: usize = 256;
/// The bounds of each of the two requests.
const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, time: Duration::from_secs(5) };

#[derive(Default)]
pub(crate) struct IssuerKeys(Mutex<HashMap<String, Arc<Mutex<Kept>>>>);

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<JwkSet>, UtcMillis)>,
    tried_at: Option<UtcMillis>,
}

/// The part of the discovery document that matters.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Authority {
    /// The keys of a trusted issuer, with this one among them if that can be had.
    pub(crate) async fn issuer_keys(&self, issuer: &str, kid: Option<&str>) -> Result<Arc<JwkSet>, String> {
        let place = {
            let mut all = self.0.issuer_keys.0.lock().await;
            if all.len() >= MOST && !all.contains_key(issuer) {
                all.clear();
            }
            all.entry(issuer.to_owned()).or_default().clone()
        };
        let mut kept = place.lock().await;
        let now = self.0.clock.now();
        let is_known =
            |keys: &JwkSet| kid.is_none_or(|kid| keys.keys.iter().any(|key| key.kid.as_deref() == Some(kid)));
        if let Some((keys, read_at)) = &kept.keys
            && now < read_at.plus(FRESH)
            && is_known(keys)
        {
            return Ok(keys.clone());
        }
        let may_try = kept.tried_at.is_none_or(|tried_at| now >= tried_at.plus(PAUSE));
        let mut why = "the last attempt is too recent".to_owned();
        if may_try {
            kept.tried_at = Some(now);
            match self.fetch_issuer_keys(issuer).await {
                Ok(keys) => kept.keys = Some((Arc::new(keys), now)),
                Err(reason) => why = reason,
            }
        }
        let usable = kept.keys.as_ref().filter(|(_, read_at)| now < read_at.plus(STALE));
        usable.map(|(keys, _)| keys.clone()).ok_or(why)
    }

    async fn fetch_issuer_keys(&self, issuer: &str) -> Result<JwkSet, String> {
        let base = issuer.trim_end_matches('/');
        let text = self.fetch_text(&format!("{base}/.well-known/openid-configuration"), Trust::Operator).await?;
        let document: Document =
            serde_json::from_str(&text).map_err(|_| "its discovery document is malformed".to_owned())?;
        if document.issuer != issuer {
            return Err("its discovery document is another issuer's".into());
        }
        // The operator has named the issuer's host; wherever else the issuer points, it is a stranger.
        let trust = if origin(&document.jwks_uri) == origin(issuer) { Trust::Operator } else { Trust::Stranger };
        let text = self.fetch_text(&document.jwks_uri, trust).await?;
        JwkSet::parse(&text).map_err(|error| error.to_string())
    }

    async fn fetch_text(&self, url: &str, trust: Trust) -> Result<String, String> {
        let request = http::Request::get(url).header("accept", "application/json").body(bytes::Bytes::new());
        let request = request.map_err(|_| "its address is no URL".to_owned())?;
        let answer = self.0.fetcher.send(request, trust, BOUNDS).await.map_err(|error| error.to_string())?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        String::from_utf8(answer.into_body().into()).map_err(|_| "its answer is not UTF-8".into())
    }
}

/// Scheme and authority.
fn origin(url: &str) -> Option<&str> {
    let after_scheme = url.find("://")? + 3;
    let length = url.get(after_scheme..)?.find(['/', '?', '#']).unwrap_or(url.len() - after_scheme);
    url.get(..after_scheme + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_authority() {
        assert_eq!(origin("https://a.example/x/y"), Some("https://a.example"));
        assert_eq!(origin("https://a.example"), Some("https://a.example"));
        assert_ne!(origin("https://a.example.evil/x"), origin("https://a.example/x"));
        assert_ne!(origin("https://a.example@evil/x"), origin("https://a.example/x"));
        assert_eq!(origin("nonsense"), None);
    }
}
