//! A role of AWS for a token: `AssumeRoleWithWebIdentity` of the Security Token Service (API version 2011-06-15).
//!
//! The request is a form that nobody signs: the token is what it is believed for. The answer is XML, an error too.

use super::AwsCredentials;
use crate::{AccountId, Call, Failure, Refusal, Reply, Transport, Unreachable, WebUrl, text::tidy};
use gatepass_oauth::{Secret, UtcMillis};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// The shortest and the longest session that STS gives.
const DURATION: std::ops::RangeInclusive<u64> = 900..=43_200;

/// The name of a role, such as `arn:aws:iam::123456789012:role/deploy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is named as in arn:aws:iam::123456789012:role/NAME")]
pub struct InvalidRoleArn;

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, InvalidRoleArn> {
        let visible =
            text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\'));
        let mut parts = text.splitn(6, ':');
        let mut is = |good: fn(&str) -> bool| parts.next().is_some_and(good);
        let fits = is(|p| p == "arn")
            && is(|p| p.starts_with("aws"))
            && is(|p| p == "iam")
            && is(str::is_empty)
            && is(|p| p.len() == 12 && p.bytes().all(|b| b.is_ascii_digit()))
            && is(|p| p.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
        if visible && fits { Ok(Self(text.to_owned())) } else { Err(InvalidRoleArn) }
    }
}

impl TryFrom<String> for RoleArn {
    type Error = InvalidRoleArn;

    fn try_from(text: String) -> Result<Self, InvalidRoleArn> {
        text.parse()
    }
}

impl From<RoleArn> for String {
    fn from(arn: RoleArn) -> Self {
        arn.0
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RoleArn {
    fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

/// Which token is shown to STS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// The sign-in's ID token.
    #[default]
    IdToken,
    /// Its access token, which may stand for less, or for somebody else.
    AccessToken,
}

/// What is asked of STS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The role.
    pub arn: RoleArn,
    /// What AWS calls the session in its logs.
    pub session_name: String,
    /// How long the session lasts, in seconds.
    pub duration: u64,
    /// Where STS is.
    pub endpoint: WebUrl,
    /// What is shown there.
    #[serde(default)]
    pub shown: Shown,
}

/// Where STS is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// In a region, or where it has none.
    Region(Option<&'a str>),
    /// At an endpoint that is named.
    Endpoint(WebUrl),
}

/// Why no role can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// The region is no name of one.
    #[error("a region is named as in eu-west-1")]
    Region,
    /// No endpoint is known for the partition that the role is in.
    #[error("no STS endpoint is known for this partition: name it with --sts-endpoint")]
    Partition,
    /// AWS takes no such name.
    #[error("the name of a session has 2 to 64 letters, digits, or one of _+=,.@-")]
    SessionName,
    /// AWS gives no such session.
    #[error("a session lasts from 15 minutes to 12 hours")]
    Duration,
}

impl Role {
    /// A role with the endpoint of its region, or the one that is named, asked for with the ID token.
    ///
    /// # Errors
    /// [`InvalidRole`].
    pub fn new(arn: RoleArn, session_name: &str, duration: Duration, place: Place<'_>) -> Result<Self, InvalidRole> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(fits) {
            return Err(InvalidRole::SessionName);
        }
        let duration = duration.as_secs();
        if !DURATION.contains(&duration) {
            return Err(InvalidRole::Duration);
        }
        let endpoint = match place {
            Place::Endpoint(endpoint) => endpoint,
            Place::Region(region) => endpoint(arn.partition(), region)?,
        };
        Ok(Self { arn, session_name: session_name.to_owned(), duration, endpoint, shown: Shown::default() })
    }

    /// The same, asked for with this token.
    #[must_use]
    pub fn showing(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    /// Exchanges a token, the one that is to be shown, for credentials of the role.
    ///
    /// # Errors
    /// [`Failure`]; AWS's own word is a refusal.
    pub async fn assume(
        &self,
        transport: &Transport,
        account: AccountId,
        token: &Secret,
    ) -> Result<AwsCredentials, Failure> {
        let duration = self.duration.to_string();
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", self.arn.0.as_str()),
            ("RoleSessionName", self.session_name.as_str()),
            ("DurationSeconds", duration.as_str()),
            ("WebIdentityToken", token.expose()),
        ];
        let reply = transport.send(Call::form(self.endpoint.clone(), &form).accepting("text/xml")).await?;
        let Credentials { access_key_id, secret_access_key, session_token, expiration } = read(&reply, &self.endpoint)?;
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let expires_at = time(&expiration);
        match expires_at {
            Some(expires_at)
                if visible(&access_key_id)
                    && visible(secret_access_key.expose())
                    && visible(session_token.expose()) =>
            {
                Ok(AwsCredentials {
                    account,
                    role: self.clone(),
                    access_key_id,
                    secret_access_key,
                    session_token,
                    expires_at,
                })
            }
            _ => Err(reply.nonsense("credentials that are none")),
        }
    }
}

/// The endpoint of a region. Without one, the only one that has no region.
fn endpoint(partition: &str, region: Option<&str>) -> Result<WebUrl, InvalidRole> {
    let named = |region: &str| {
        let fits = (3..=32).contains(&region.len())
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| region.to_owned()).ok_or(InvalidRole::Region)
    };
    let host = match (partition, region) {
        ("aws", None) => "sts.amazonaws.com".to_owned(),
        ("aws" | "aws-us-gov", Some(region)) => format!("sts.{}.amazonaws.com", named(region)?),
        ("aws-cn", Some(region)) => format!("sts.{}.amazonaws.com.cn", named(region)?),
        ("aws-us-gov" | "aws-cn", None) => return Err(InvalidRole::Region),
        _ => return Err(InvalidRole::Partition),
    };
    format!("https://{host}/").parse().map_err(|_| InvalidRole::Region)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(rename = "AssumeRoleWithWebIdentityResult")]
    result: AnswerResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerResult {
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    expiration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorAnswer {
    error: ErrorDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorDetail {
    code: String,
    #[serde(default)]
    message: String,
}

fn read(reply: &Reply, endpoint: &WebUrl) -> Result<Credentials, Failure> {
    let text = std::str::from_utf8(&reply.body).map_err(|_| reply.nonsense("it is no text"))?;
    if matches!(reply.status, 429 | 500..) {
        return Err(Failure::Unreachable { host: endpoint.host(), why: Unreachable::Busy(reply.status) });
    }
    if reply.is_success() {
        let answer: Answer = quick_xml::de::from_str(text).map_err(|_| reply.nonsense("it is not what STS answers"))?;
        return Ok(answer.result.credentials);
    }
    match quick_xml::de::from_str::<ErrorAnswer>(text) {
        Ok(ErrorAnswer { error }) => {
            let told = |text: String, most| tidy(&reply.without_secrets(text), most);
            let description = Some(told(error.message, 300)).filter(|text| !text.is_empty());
            Err(Failure::Refused(Refusal { code: told(error.code, 80), description }))
        }
        Err(_) => Err(reply.nonsense(format!("status {} without an error of STS", reply.status))),
    }
}

/// A point in time as AWS writes it.
fn time(text: &str) -> Option<UtcMillis> {
    let time = humantime::parse_rfc3339(text.trim()).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UtcMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_asked_for_where_it_is() {
        let role = |arn: &str, region: Option<&str>| {
            Role::new(arn.parse().unwrap(), "ada@example.com", Duration::from_secs(3600), Place::Region(region))
                .map(|role| role.endpoint.as_str().to_owned())
        };
        let arn = "arn:aws:iam::123456789012:role/path/deploy";
        assert_eq!(role(arn, None).as_deref(), Ok("https://sts.amazonaws.com/"));
        assert_eq!(role(arn, Some("eu-west-1")).as_deref(), Ok("https://sts.eu-west-1.amazonaws.com/"));
        let china = "arn:aws-cn:iam::123456789012:role/x";
        assert_eq!(role(china, Some("cn-north-1")).as_deref(), Ok("https://sts.cn-north-1.amazonaws.com.cn/"));
        assert_eq!(role(china, None), Err(InvalidRole::Region));
        assert_eq!(role("arn:aws-iso:iam::123456789012:role/x", Some("x-y-1")), Err(InvalidRole::Partition));
        for region in ["evil.example/", "EU", "a.b", "@x-y", ""] {
            assert_eq!(role(arn, Some(region)), Err(InvalidRole::Region), "{region}");
        }
        for bad in [
            "",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\"b",
        ] {
            assert!(bad.parse::<RoleArn>().is_err(), "{bad}");
        }
        let with = |name: &str, seconds| {
            Role::new(arn.parse().unwrap(), name, Duration::from_secs(seconds), Place::Region(None))
        };
        assert_eq!(with("a", 3600).unwrap_err(), InvalidRole::SessionName);
        assert_eq!(with("a b", 3600).unwrap_err(), InvalidRole::SessionName);
        assert_eq!(with("ab", 899).unwrap_err(), InvalidRole::Duration);
    }

    #[test]
    fn times_are_read_and_nothing_else() {
        assert_eq!(time("2014-10-24T23:00:23Z"), Some(UtcMillis(1_414_191_623_000)));
        assert_eq!(time("2014-10-24T23:00:23.500Z"), Some(UtcMillis(1_414_191_623_500)));
        for bad in ["", "soon", "1414191623", "2014-10-24"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
