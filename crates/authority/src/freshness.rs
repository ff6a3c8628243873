//! How long what was fetched stays good (RFC 9111 §4.2, §5.2.2), within our own bounds.

use gatepass_oauth::UtcMillis;
use http::{HeaderMap, HeaderValue, header};
use std::time::Duration;

/// Whoever says less is asked no more often.
pub(crate) const LEAST: Duration = Duration::from_secs(30);
/// Whoever says more is asked once a day.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// Who says nothing.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// What an answer says about keeping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    pub(crate) until: UtcMillis,
    /// `false` after `no-store` or `private`: not written down, and gone when it is no longer fresh.
    pub(crate) may_be_kept: bool,
}

/// Reads `Cache-Control`, `Expires` and `Age` of an answer that came now. What is kept serves all clients, so we are a shared
/// cache (RFC 9111 §1): `s-maxage` counts first, then `max-age`, then `Expires`.
pub(crate) fn of(headers: &HeaderMap, now: UtcMillis) -> Freshness {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect();
    let has = |name: &str| directives.iter().any(|directive| directive == name);
    let seconds = |text: &str| text.trim_matches('"').parse::<u64>().ok().map(Duration::from_secs);
    let named = |name: &str| directives.iter().find_map(|directive| directive.strip_prefix(name)).and_then(seconds);
    let says = named("s-maxage=").or_else(|| named("max-age=")).or_else(|| expires_in(headers));
    let age = headers.get(header::AGE).and_then(|value| value.to_str().ok()).and_then(seconds).unwrap_or_default();
    let may_be_kept = !has("no-store") && !has("private");
    let life = match says {
        _ if !may_be_kept || has("no-cache") => Duration::ZERO,
        Some(life) => life.saturating_sub(age),
        None => USUAL,
    };
    Freshness { until: now.plus(life.clamp(LEAST, MOST)), may_be_kept }
}

/// How long after its own `Date` an answer expires; nothing when its `Expires` is no date (RFC 9111 §5.3). Both are of the
/// site's clock, so ours does not matter.
fn expires_in(headers: &HeaderMap) -> Option<Duration> {
    let time = |name| {
        headers.get(name).map(|value: &HeaderValue| httpdate::parse_http_date(value.to_str().unwrap_or_default()))
    };
    let expires = time(header::EXPIRES)?;
    match (expires, time(header::DATE)) {
        (Ok(expires), Some(Ok(date))) => Some(expires.duration_since(date).unwrap_or_default()),
        _ => Some(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn what_a_site_says_counts_between_half_a_minute_and_a_day() {
        let table = [
            (&[][..], 600, true),
            (&[("cache-control", "max-age=3600")], 3600, true),
            (&[("cache-control", "public, Max-Age=\"3600\"")], 3600, true),
            (&[("cache-control", "max-age=3600"), ("age", "600")], 3000, true),
            (&[("cache-control", "max-age=60"), ("age", "600")], 30, true),
            (&[("cache-control", "max-age=0")], 30, true),
            (&[("cache-control", "max-age=99999999999999999")], 86_400, true),
            (&[("cache-control", "max-age=soon")], 600, true),
            (&[("cache-control", "no-cache, max-age=3600")], 30, true),
            (&[("cache-control", "max-age=3600"), ("cache-control", "no-store")], 30, false),
            (&[("cache-control", "private, max-age=3600")], 30, false),
            (&[("cache-control", "max-age=60, s-maxage=3600")], 3600, true),
            (&[("date", DATE), ("expires", "Sun, 06 Nov 1994 09:49:37 GMT")], 3600, true),
            (&[("date", DATE), ("expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("age", "600")], 3000, true),
            (&[("date", DATE), ("expires", "Sun, 06 Nov 1994 07:49:37 GMT")], 30, true),
            (
                &[("date", DATE), ("expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("cache-control", "max-age=60")],
                60,
                true,
            ),
            (&[("expires", "0")], 30, true),
            (&[("expires", "Sun, 06 Nov 1994 09:49:37 GMT")], 30, true),
        ];
        for (pairs, seconds, may_be_kept) in table {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            let expected = Freshness { until: UtcMillis::from_seconds(seconds), may_be_kept };
            assert_eq!(of(&headers, UtcMillis(0)), expected, "{pairs:?}");
        }
    }
}
