//! How recently and how well the person must have signed in (RFC 9470).
//!
//! A token that does not say when or how is not good enough: a client's own token never passes such a guard.

use gatepass_keys::Clock;
use gatepass_oauth::UtcMillis;
use std::time::Duration;

/// What a token says of the sign-in behind it (RFC 9470 §6: `auth_time` and `acr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignInFacts<'a> {
    /// When the person signed in.
    pub auth_time: Option<UtcMillis>,
    /// How, as a class.
    pub acr: Option<&'a str>,
}

/// What is asked of a sign-in.
#[derive(Clone, Debug, Default)]
pub struct StepUp {
    max_age: Option<(Duration, Clock)>,
    acr_values: Vec<String>,
}

impl StepUp {
    pub(crate) fn with_max_age(self, max_age: Duration, clock: Clock) -> Self {
        Self { max_age: Some((max_age, clock)), ..self }
    }

    pub(crate) fn with_acr(self, classes: impl IntoIterator<Item = String>) -> Self {
        Self { acr_values: classes.into_iter().collect(), ..self }
    }

    pub(crate) fn is_satisfied(&self, sign_in: SignInFacts<'_>) -> bool {
        let is_recent = self
            .max_age
            .as_ref()
            .is_none_or(|(most, clock)| sign_in.auth_time.is_some_and(|at| clock.now() <= at.plus(*most)));
        let is_strong = self.acr_values.is_empty()
            || sign_in.acr.is_some_and(|acr| self.acr_values.iter().any(|class| class == acr));
        is_recent && is_strong
    }

    /// For the challenge: the classes with spaces between them.
    pub(crate) fn acr_values(&self) -> Option<String> {
        (!self.acr_values.is_empty()).then(|| self.acr_values.join(" "))
    }

    /// For the challenge: seconds.
    pub(crate) fn max_age(&self) -> Option<u64> {
        self.max_age.as_ref().map(|(most, _)| most.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_must_be_recent_and_strong_enough_and_a_token_must_say_so() {
        let clock = Clock::settable(UtcMillis(100_000));
        let asked = StepUp::default().with_max_age(Duration::from_secs(60), clock).with_acr(["a".into(), "b".into()]);
        let facts = |auth_time: i64, acr| SignInFacts { auth_time: Some(UtcMillis(auth_time)), acr };
        assert!(asked.is_satisfied(facts(40_000, Some("b"))));
        for weak in [facts(39_999, Some("b")), facts(100_000, Some("c")), facts(100_000, None), SignInFacts::default()]
        {
            assert!(!asked.is_satisfied(weak), "{weak:?}");
        }
        assert!(StepUp::default().is_satisfied(SignInFacts::default()));
        assert_eq!((asked.acr_values().as_deref(), asked.max_age()), (Some("a b"), Some(60)));
    }
}
