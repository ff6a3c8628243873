//! Tokens as they are kept, and when to fetch the next ones. Pure.

use gatepass_oauth::{Scope, Secret, TokenResponse, TokenType, UtcMillis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An access token with what belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tokens {
    /// What opens the API.
    pub access_token: Secret,
    /// How it is used: alone, or with a proof of the sign-in's key.
    #[serde(default = "bearer")]
    pub token_type: TokenType,
    /// What the next one is fetched with; without it a sign-in ends with the access token.
    pub refresh_token: Option<Secret>,
    /// What was granted.
    pub scope: Scope,
    /// When the request for it was sent: its life is counted from there, on the safe side.
    pub obtained_at: UtcMillis,
    /// When it ends; `None` when the server does not say.
    pub expires_at: Option<UtcMillis>,
    /// Who signed in, as the server signed it: for those who take ID tokens, as Kubernetes and AWS do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
    /// Whether the refresh token was shown for a token that may do less, and what came of it is not known: who shows it
    /// again may be given that answer again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asked_for_less: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What all tokens were before there were others.
fn bearer() -> TokenType {
    TokenType::Bearer
}

/// How a token stands against the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it if need be, but fetch the next one first.
    Due,
    /// The clock stands before the moment at which it was obtained, so it was set back since, or another machine obtained
    /// it: nobody knows how much of its life is left. Fetch the next one first, and use it only if that cannot be done.
    Doubtful,
    /// It is over.
    Expired,
}

impl Tokens {
    /// Takes over an answer. A scope that is not named is the one `asked` for (RFC 6749 §5.1); a
    /// refresh token that is not replaced stays `previous` (§6).
    #[must_use]
    pub fn from_response(
        response: TokenResponse,
        asked: &Scope,
        previous: Option<&Secret>,
        requested_at: UtcMillis,
    ) -> Self {
        Self {
            access_token: response.access_token,
            token_type: response.token_type,
            refresh_token: response.refresh_token.or_else(|| previous.cloned()),
            scope: response.scope.unwrap_or_else(|| asked.clone()),
            obtained_at: requested_at,
            expires_at: response.expires_in.map(|seconds| requested_at.plus(Duration::from_secs(seconds))),
            id_token: response.id_token,
            asked_for_less: false,
        }
    }

    /// Whether the next one is fetched with this refresh token.
    pub(crate) fn is_refreshed_with(&self, refresh_token: &Secret) -> bool {
        self.refresh_token.as_ref().is_some_and(|own| own.expose() == refresh_token.expose())
    }

    /// How the token stands at `now`.
    ///
    /// It is due a minute before its end at the latest, and up to another minute earlier by `jitter`
    /// (0 to 999 thousandths), so that many programs do not come at the same moment. A token of a short
    /// life is due when a quarter of it is left.
    #[must_use]
    pub fn freshness(&self, now: UtcMillis, jitter: u32) -> Freshness {
        let Some(end) = self.expires_at else { return Freshness::Fresh };
        let life = self.obtained_at.until(end);
        let minute = Duration::from_secs(60);
        let margin = minute.min(life / 4) + minute.min(life / 10).saturating_mul(jitter.min(999)) / 1000;
        if self.is_from_later(now) {
            Freshness::Doubtful
        } else if now >= end {
            Freshness::Expired
        } else if now.until(end) <= margin {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// Whether at least `span` of its life is left; a life that the server does not tell counts as long.
    #[must_use]
    pub fn lasts(&self, span: Duration, now: UtcMillis) -> bool {
        self.expires_at.is_none_or(|end| !self.is_from_later(now) && now < end && now.until(end) >= span)
    }

    /// Whether a token that came within the last `span`, by a clock that nobody sets, is used for the most part of its
    /// life still. What is written in it may be by another machine's clock.
    #[must_use]
    pub fn outlasts(&self, span: Duration) -> bool {
        self.expires_at.is_none_or(|end| span < self.obtained_at.until(end) / 4 * 3)
    }

    /// Whether it was obtained at a time that is yet to come, by more than clocks are set back in passing. What that may
    /// hide of its age is no more than the margin by which it is replaced before its end.
    fn is_from_later(&self, now: UtcMillis) -> bool {
        let slack = self.expires_at.map_or(Duration::ZERO, |end| self.obtained_at.until(end) / 4);
        now.until(self.obtained_at) > slack.min(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: UtcMillis = UtcMillis(1_790_000_000_000);

    fn tokens(life: Option<u64>) -> Tokens {
        let response = serde_json::json!({"access_token": "a", "token_type": "Bearer", "expires_in": life});
        Tokens::from_response(serde_json::from_value(response).unwrap(), &Scope::empty(), None, T0)
    }

    fn due_at(life: u64, jitter: u32) -> u64 {
        let tokens = tokens(Some(life));
        (0..=life).find(|s| tokens.freshness(T0.plus(Duration::from_secs(*s)), jitter) != Freshness::Fresh).unwrap()
    }

    #[test]
    fn a_token_is_due_a_minute_or_two_before_its_end() {
        assert_eq!(due_at(3600, 0), 3540);
        assert_eq!(due_at(3600, 999), 3481);
        assert_eq!(due_at(600, 0), 540);
        assert_eq!(due_at(600, 999), 481);
    }

    #[test]
    fn a_short_life_is_used_for_the_most_part() {
        assert_eq!(due_at(60, 0), 45);
        assert_eq!(due_at(60, 999), 40);
        assert_eq!(due_at(4, 0), 3);
    }

    #[test]
    fn lives_that_make_no_sense_are_lived_with() {
        assert_eq!(tokens(None).freshness(UtcMillis(i64::MAX), 0), Freshness::Fresh);
        assert_eq!(tokens(Some(0)).freshness(T0, 0), Freshness::Expired);
        assert_eq!(tokens(Some(u64::MAX)).freshness(T0, 999), Freshness::Fresh);
        assert!(
            !tokens(Some(60)).lasts(Duration::from_secs(61), T0) && tokens(Some(60)).lasts(Duration::from_secs(60), T0)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_no_token_fresh() {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        let token = tokens(Some(3600));
        assert_eq!(token.freshness(T0.minus(hour), 0), Freshness::Doubtful);
        assert_eq!(token.freshness(T0.minus(second), 0), Freshness::Fresh, "clocks are set a little all the time");
        assert!(!token.lasts(Duration::ZERO, T0.minus(hour)) && token.lasts(second, T0.minus(second)));
        assert_eq!(tokens(Some(4)).freshness(T0.minus(second + second), 0), Freshness::Doubtful);
        assert_eq!(tokens(None).freshness(T0.minus(hour), 0), Freshness::Fresh, "what has no end cannot be doubted");
        assert!(token.outlasts(hour / 2) && !token.outlasts(hour / 4 * 3) && tokens(None).outlasts(hour));
    }

    #[test]
    fn a_refresh_token_that_is_not_replaced_stays() {
        let response = serde_json::json!({"access_token": "a", "token_type": "Bearer"});
        let old = Secret::from("old");
        let asked: Scope = "x y".parse().unwrap();
        let kept = Tokens::from_response(serde_json::from_value(response).unwrap(), &asked, Some(&old), T0);
        assert_eq!(kept.refresh_token.unwrap().expose(), "old");
        assert_eq!(kept.scope, asked);
    }

    proptest::proptest! {
        #[test]
        fn a_token_only_ever_gets_older(life in 0u64..100_000, jitter in 0u32..1000, a in 0u64..200_000, b in 0u64..200_000) {
            let rank = |freshness| match freshness { Freshness::Fresh => 0, Freshness::Due => 1, Freshness::Doubtful => 2, Freshness::Expired => 3 };
            let at = |s: u64| rank(tokens(Some(life)).freshness(T0.plus(Duration::from_secs(s)), jitter));
            proptest::prop_assert!(at(a.min(b)) <= at(a.max(b)));
        }
    }
}
