//! The claims of an assertion (RFC 7523 §3), and the rules about their times.

use gatepass_oauth::UtcMillis;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::{str::FromStr, time::Duration};

/// How far the issuer's clock may be off.
const SKEW: Duration = Duration::from_secs(60);
/// The longest that an assertion may still live which can come again.
const LONGEST_REPEATED: Duration = Duration::from_secs(60 * 60);
/// The longest that one may still live whose `jti` is remembered.
const LONGEST_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest `iss`, a URL.
const LONGEST_ISSUER: usize = 2048;
/// The longest `jti` and `sub`.
const LONGEST_TEXT: usize = 1024;

/// What an assertion says. What does not parse is refused as a whole.
#[derive(Debug, Deserialize)]
pub(crate) struct AssertionClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    #[serde(deserialize_with = "one_or_several")]
    pub(crate) aud: Vec<String>,
    #[serde(deserialize_with = "date")]
    exp: i64,
    #[serde(default, deserialize_with = "maybe_date")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "maybe_date")]
    pub(crate) iat: Option<i64>,
    #[serde(default)]
    pub(crate) jti: Option<String>,
    /// What else it says, in whatever form its issuer likes. Who needs a claim asks for its form.
    #[serde(flatten)]
    pub(crate) others: Map<String, Value>,
}

/// A claim is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidClaim;

/// What follows from `jti`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Single<'a> {
    /// It is good once, and remembered until then.
    Once { jti: &'a str, until: UtcMillis },
    /// It may come again while it lives.
    MayRepeat,
}

pub(crate) fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(audience) => vec![audience],
        Audience::Several(all) => all,
    })
}

/// `NumericDate` may have a fraction (RFC 7519 §2).
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let text = number.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    whole.parse().map_err(|_| serde::de::Error::custom("a date is a number of seconds"))
}

pub(crate) fn maybe_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    date(deserializer).map(Some)
}

impl AssertionClaims {
    /// Whether `iss` can be an issuer's name at all: it is looked up before anybody has vouched for it.
    pub(crate) fn names_an_issuer(&self) -> bool {
        self.iss.len() <= LONGEST_ISSUER && !self.iss.chars().any(char::is_control)
    }

    /// A claim that is a text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.others.get(name).and_then(Value::as_str)
    }

    /// A claim that must be a text of some form when it is there.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, InvalidClaim> {
        let Some(value) = self.others.get(name) else { return Ok(None) };
        value.as_str().and_then(|text| text.parse().ok()).map(Some).ok_or(InvalidClaim)
    }

    /// RFC 7523 §3, rules 4 to 6.
    pub(crate) fn check_times(&self, now: UtcMillis) -> Result<(), &'static str> {
        let future = |time: Option<i64>| time.is_some_and(|time| UtcMillis::from_seconds(time) > now.plus(SKEW));
        let expires = UtcMillis::from_seconds(self.exp);
        if expires <= now.minus(SKEW) {
            Err("it is expired")
        } else if future(self.nbf) || future(self.iat) {
            Err("it is from the future")
        } else if expires > now.plus(LONGEST_REMEMBERED).plus(SKEW) {
            Err("it lives for more than 24 hours")
        } else if self.sub.is_empty() || self.sub.len() > LONGEST_TEXT {
            Err("its sub is empty or too long")
        } else {
            Ok(())
        }
    }

    /// RFC 7523 §3, rule 7. Without a `jti` nothing can be remembered, so its life must be short.
    pub(crate) fn single_use(
        &self,
        reusable_since: Option<UtcMillis>,
        now: UtcMillis,
    ) -> Result<Single<'_>, &'static str> {
        let expires = UtcMillis::from_seconds(self.exp);
        match &self.jti {
            Some(jti) if jti.is_empty() || jti.len() > LONGEST_TEXT => Err("its jti is empty or too long"),
            Some(jti) if reusable_since.is_none() => Ok(Single::Once { jti, until: expires.plus(SKEW) }),
            _ if expires > now.plus(LONGEST_REPEATED).plus(SKEW) => {
                Err("it can come again and lives for more than an hour")
            }
            _ => Ok(Single::MayRepeat),
        }
    }

    /// Whether a claim is this text; a name that begins with a slash is a JSON pointer (RFC 6901).
    pub(crate) fn is_equal(&self, name: &str, value: &str) -> bool {
        let known = |name: &str| match name {
            "jti" => self.jti.as_ref().map(|text| Value::String(text.clone())),
            _ => self.others.get(name).cloned(),
        };
        let found = match name.strip_prefix('/').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            None => known(name),
            Some((first, rest)) => known(&first.replace("~1", "/").replace("~0", "~"))
                .and_then(|top| if rest.is_empty() { Some(top) } else { top.pointer(&format!("/{rest}")).cloned() }),
        };
        match found {
            Some(Value::String(text)) => text == value,
            Some(Value::Bool(truth)) => value == if truth { "true" } else { "false" },
            Some(Value::Number(number)) => number.to_string() == value,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UtcMillis = UtcMillis(1_790_000_000_000);

    fn claims(change: Value) -> AssertionClaims {
        let mut claims = json!({ "iss": "https://i.example", "sub": "s", "aud": ["a", "b"], "exp": 1_790_000_300, "ref": "main",
            "run_attempt": 1, "kubernetes.io": { "namespace": "prod" }, "scope": ["a"], "client_id": 7 });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn times_are_judged_with_a_minute_of_skew() {
        let now = 1_790_000_000;
        let table = [
            (json!({}), Ok(())),
            (json!({ "exp": now - 59 }), Ok(())),
            (json!({ "exp": now - 60 }), Err("it is expired")),
            (json!({ "exp": i64::MIN }), Err("it is expired")),
            (json!({ "exp": i64::MAX }), Err("it lives for more than 24 hours")),
            (json!({ "exp": 1_790_000_300.5 }), Ok(())),
            (json!({ "nbf": now + 60 }), Ok(())),
            (json!({ "nbf": now + 61 }), Err("it is from the future")),
            (json!({ "iat": now + 61 }), Err("it is from the future")),
            (json!({ "sub": "" }), Err("its sub is empty or too long")),
        ];
        for (change, expected) in table {
            assert_eq!(claims(change.clone()).check_times(NOW), expected, "{change}");
        }
    }

    #[test]
    fn what_can_come_again_lives_for_an_hour_at_most() {
        let hour = 1_790_000_000 + 3600;
        assert!(matches!(claims(json!({ "jti": "x" })).single_use(None, NOW), Ok(Single::Once { jti: "x", .. })));
        assert_eq!(claims(json!({ "jti": "x" })).single_use(Some(NOW), NOW), Ok(Single::MayRepeat));
        assert_eq!(claims(json!({ "exp": hour + 7 })).single_use(None, NOW), Ok(Single::MayRepeat));
        assert!(claims(json!({ "exp": hour + 61 })).single_use(None, NOW).is_err());
        assert!(claims(json!({ "jti": "" })).single_use(None, NOW).is_err());
    }

    #[test]
    fn a_claim_has_its_form_only_where_it_is_asked_for() {
        let claims = claims(json!({ "resource": "https://api.example", "client_id": 7 }));
        assert_eq!(
            claims.parsed("resource"),
            Ok(Some("https://api.example".parse::<gatepass_oauth::ResourceUri>().unwrap()))
        );
        assert_eq!(claims.parsed::<gatepass_oauth::Scope>("scope"), Err(InvalidClaim), "a list is no scope");
        assert_eq!(claims.parsed::<gatepass_oauth::Scope>("missing"), Ok(None));
        assert_eq!((claims.text("ref"), claims.text("client_id")), (Some("main"), None));
    }

    #[test]
    fn an_issuer_is_a_short_text_without_control_characters() {
        for (iss, names) in [("https://i.example", true), ("https://i.example\0", false), (&*"i".repeat(2049), false)] {
            assert_eq!(claims(json!({ "iss": iss })).names_an_issuer(), names, "{iss:?}");
        }
    }

    #[test]
    fn a_claim_is_compared_as_the_text_that_it_is() {
        let claims = claims(json!({ "protected": true }));
        for (name, value, expected) in [
            ("ref", "main", true),
            ("ref", "mai", false),
            ("run_attempt", "1", true),
            ("protected", "true", true),
            ("missing", "", false),
            ("client_id", "7", true),
            ("/scope/0", "a", true),
            ("kubernetes.io", "", false),
            ("/kubernetes.io/namespace", "prod", true),
            ("/kubernetes.io/namespace", "test", false),
            ("/kubernetes.io/missing", "prod", false),
            ("/", "", false),
        ] {
            assert_eq!(claims.is_equal(name, value), expected, "{name} {value}");
        }
    }
}
