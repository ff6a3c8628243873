//! When to ask next: the device's side of RFC 8628 §3.5 as a machine without I/O.
//!
//! 1. Wait the interval, and a little more: a clock that drifts makes exact polls come too early.
//! 2. `authorization_pending`: wait the interval again.
//! 3. `slow_down`: five seconds more between all further polls.
//! 4. No answer: wait twice as long as before, up to a bound; the next answer ends this.
//! 5. `access_denied`, `expired_token`, any other error: the end. Time over: the end as well.

use crate::{Failure, Refusal};
use gatepass_oauth::{DeviceAuthorizationResponse, ErrorCode, UtcMillis, device::SLOW_DOWN_SECONDS};
use std::time::Duration;

/// The longest wait while no answer comes, unless the server asks for more between polls.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// An interval of nothing would make us a flood.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest life of a code that is believed.
const MAX_LIFE: Duration = Duration::from_secs(60 * 60);

/// Decides when to poll.
#[derive(Clone, Debug)]
pub struct Poller {
    interval: Duration,
    failures: u32,
    expires_at: UtcMillis,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Poll after this long.
    Wait(Duration),
    /// Stop.
    End(Ended),
}

/// Why a sign-in by device code ended without tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The person said no.
    #[error("the sign-in was denied in the browser")]
    Denied,
    /// Nobody decided in time.
    #[error("the code expired before anybody entered it")]
    Expired,
    /// The server refused for another reason.
    #[error("{0}")]
    Refused(Refusal),
}

impl Poller {
    /// Whether the code still lives when the first poll may come.
    #[must_use]
    pub fn may_poll_in_time(answer: &DeviceAuthorizationResponse) -> bool {
        answer.interval.max(LEAST_INTERVAL.as_secs()) < answer.expires_in
    }

    /// Starts at the moment when the codes arrived.
    #[must_use]
    pub fn new(answer: &DeviceAuthorizationResponse, now: UtcMillis) -> Self {
        let interval = Duration::from_secs(answer.interval).clamp(LEAST_INTERVAL, MAX_LIFE);
        let life = Duration::from_secs(answer.expires_in).min(MAX_LIFE);
        Self { interval, failures: 0, expires_at: now.plus(life) }
    }

    /// When both codes end.
    #[must_use]
    pub fn expires_at(&self) -> UtcMillis {
        self.expires_at
    }

    /// The first step.
    #[must_use]
    pub fn start(&self, now: UtcMillis) -> Step {
        self.wait(now)
    }

    /// The step after a poll that brought no tokens.
    pub fn after(&mut self, failure: &Failure, now: UtcMillis) -> Step {
        match failure {
            Failure::Refused(refusal) => {
                self.failures = 0;
                if refusal.is(ErrorCode::SlowDown) {
                    self.interval += Duration::from_secs(SLOW_DOWN_SECONDS);
                } else if refusal.is(ErrorCode::AccessDenied) {
                    return Step::End(Ended::Denied);
                } else if refusal.is(ErrorCode::ExpiredToken) {
                    return Step::End(Ended::Expired);
                } else if !refusal.is(ErrorCode::AuthorizationPending) {
                    return Step::End(Ended::Refused(refusal.clone()));
                }
            }
            // A captive portal answers nonsense until somebody clicks it away: wait as for no answer.
            Failure::Unreachable { .. } | Failure::Nonsense { .. } => self.failures = self.failures.saturating_add(1),
        }
        self.wait(now)
    }

    fn wait(&self, now: UtcMillis) -> Step {
        let left = now.until(self.expires_at);
        if left.is_zero() {
            return Step::End(Ended::Expired);
        }
        let asked = self.interval + self.interval / 10;
        let wait = match self.failures {
            0 => asked,
            failures => asked.saturating_mul(2u32.saturating_pow(failures)).min(MAX_WAIT.max(asked.saturating_mul(2))),
        };
        // The last poll comes just before the end rather than after it, if the interval allows.
        Step::Wait(match wait >= left {
            true if left > asked => asked.max(left - asked),
            true if left > self.interval => self.interval,
            _ => wait,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unreachable;

    const T0: UtcMillis = UtcMillis(1_790_000_000_000);

    fn codes(interval: u64, expires_in: u64) -> DeviceAuthorizationResponse {
        let answer = serde_json::json!({
            "device_code": "d", "user_code": "u", "verification_uri": "https://a.example",
            "interval": interval, "expires_in": expires_in
        });
        serde_json::from_value(answer).unwrap()
    }

    fn poller(interval: u64, expires_in: u64) -> Poller {
        Poller::new(&codes(interval, expires_in), T0)
    }

    fn refused(code: &str) -> Failure {
        Failure::Refused(Refusal { code: code.into(), description: None })
    }

    fn away() -> Failure {
        Failure::Unreachable { host: "a.example".into(), why: Unreachable::Timeout }
    }

    fn millis(step: &Step) -> u128 {
        match step {
            Step::Wait(wait) => wait.as_millis(),
            Step::End(end) => panic!("ended: {end}"),
        }
    }

    #[test]
    fn it_starts_above_the_interval_and_slow_down_counts_for_good() {
        let mut poller = poller(5, 600);
        assert_eq!(millis(&poller.start(T0)), 5500);
        assert_eq!(millis(&poller.after(&refused("authorization_pending"), T0)), 5500);
        assert_eq!(millis(&poller.after(&refused("slow_down"), T0)), 11_000);
        assert_eq!(millis(&poller.after(&refused("authorization_pending"), T0)), 11_000);
        assert_eq!(millis(&poller.after(&refused("slow_down"), T0)), 16_500);
        assert_eq!(millis(&self::poller(120, 1800).start(T0)), 132_000, "what the server asks for counts");
    }

    #[test]
    fn a_network_that_is_away_doubles_the_wait_and_never_ends_the_sign_in() {
        let mut poller = poller(5, 3600);
        let waits: Vec<u128> = (0..6).map(|_| millis(&poller.after(&away(), T0))).collect();
        assert_eq!(waits, [11_000, 22_000, 44_000, 60_000, 60_000, 60_000]);
        for _ in 0..1000 {
            assert!(matches!(poller.after(&away(), T0), Step::Wait(_)));
        }
        assert_eq!(millis(&poller.after(&refused("authorization_pending"), T0)), 5500, "an answer ends the back-off");
        assert_eq!(millis(&self::poller(60, 1800).after(&away(), T0)), 132_000, "longer than before in any case");
    }

    #[test]
    fn only_the_server_or_the_clock_ends_it() {
        assert_eq!(poller(5, 600).after(&refused("access_denied"), T0), Step::End(Ended::Denied));
        assert_eq!(poller(5, 600).after(&refused("expired_token"), T0), Step::End(Ended::Expired));
        assert!(matches!(poller(5, 600).after(&refused("invalid_client"), T0), Step::End(Ended::Refused(_))));
        let late = T0.plus(Duration::from_secs(600));
        assert_eq!(poller(5, 600).after(&refused("authorization_pending"), late), Step::End(Ended::Expired));
        assert_eq!(poller(5, 0).start(T0), Step::End(Ended::Expired));
    }

    #[test]
    fn a_code_that_ends_before_the_first_poll_is_of_no_use() {
        for (interval, life) in [(5, 600), (5, 6), (60, 65), (10, 11), (1, 2)] {
            assert!(Poller::may_poll_in_time(&codes(interval, life)), "{interval} of {life}");
            assert!(millis(&poller(interval, life).start(T0)) < u128::from(life) * 1000, "{interval} of {life}");
        }
        for (interval, life) in [(5, 5), (0, 0), (0, 1), (7200, 60)] {
            assert!(!Poller::may_poll_in_time(&codes(interval, life)), "{interval} of {life}");
        }
        assert!(Poller::may_poll_in_time(&codes(3600, 86_400)), "what the server says counts, not how long we wait");
    }

    #[test]
    fn the_last_poll_comes_before_the_code_ends() {
        let mut poller = poller(5, 100);
        for _ in 0..5 {
            poller.after(&away(), T0);
        }
        let late = T0.plus(Duration::from_secs(70));
        assert_eq!(millis(&poller.after(&away(), late)), 24_500);
    }

    proptest::proptest! {
        #[test]
        fn a_wait_is_always_between_the_interval_and_the_bound(
            interval: u64, expires_in: u64, answers in proptest::collection::vec(0u8..4, 0..60), step in 0u64..90,
        ) {
            let mut poller = poller(interval, expires_in);
            let mut now = T0;
            for answer in answers {
                let failure = match answer {
                    0 => refused("authorization_pending"),
                    1 => refused("slow_down"),
                    2 => away(),
                    _ => Failure::Nonsense { host: String::new(), status: 200, what: "".into() },
                };
                now = now.plus(Duration::from_secs(step));
                if let Step::Wait(wait) = poller.after(&failure, now) {
                    proptest::prop_assert!(wait >= Duration::from_secs(interval).min(MAX_LIFE));
                    proptest::prop_assert!(wait >= poller.interval);
                    proptest::prop_assert!(wait <= ((poller.interval + poller.interval / 10) * 2).max(MAX_WAIT));
                    proptest::prop_assert!(now < poller.expires_at());
                }
            }
        }
    }
}
