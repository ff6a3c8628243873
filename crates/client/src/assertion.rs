//! What a platform says of a workload: a JWT (RFC 7523 §3), had anew for each request, since platforms replace them.
//!
//! | platform | where it is |
//! |---|---|
//! | Kubernetes, and whoever else writes a file | [`AssertionSource::File`]: a projected service-account token is rotated in place |
//! | GitHub Actions | [`AssertionSource::GithubActions`]: an address and a token that the job is given |
//!
//! Nothing of it is checked here but that it can be a JWT: the server judges.

use crate::{Call, Failure, Transport, WebUrl};
use gatepass_oauth::Secret;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// The longest assertion that is taken, in bytes.
const MAX: u64 = 64 * 1024;

/// Where an assertion comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum AssertionSource {
    /// A file, read anew each time.
    File {
        /// Where it is, from the root.
        path: PathBuf,
    },
    /// The runner of a GitHub Actions job. What it gives the job is kept by value, for as long as the job runs.
    GithubActions {
        /// Whom to ask (`ACTIONS_ID_TOKEN_REQUEST_URL`).
        url: WebUrl,
        /// The job's own token (`ACTIONS_ID_TOKEN_REQUEST_TOKEN`).
        token: JobToken,
        /// Whom the assertion is for.
        audience: String,
    },
}

/// A job's own token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobToken(pub Secret);

impl PartialEq for JobToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Eq for JobToken {}

/// Why there is no assertion to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAssertion {
    /// The file.
    #[error("the assertion in {path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The platform.
    #[error("GitHub Actions gave no ID token: {0}")]
    Github(Failure),
}

#[derive(Deserialize)]
struct GithubAnswer {
    value: Secret,
}

impl AssertionSource {
    /// The assertion of the moment.
    ///
    /// # Errors
    /// [`NoAssertion`].
    pub async fn fetch(&self, transport: &Transport) -> Result<Secret, NoAssertion> {
        match self {
            Self::File { path } => {
                let (file, name) = (path.clone(), path.display().to_string());
                let read = tokio::task::spawn_blocking(move || read(&file)).await;
                read.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| NoAssertion::File { path: name, why })
            }
            Self::GithubActions { url, token, audience } => {
                github(transport, url, &token.0, audience).await.map_err(NoAssertion::Github)
            }
        }
    }
}

/// Asks the runner as its documents say: the audience among the URL's parameters, the job's token as the bearer.
async fn github(transport: &Transport, url: &WebUrl, token: &Secret, audience: &str) -> Result<Secret, Failure> {
    let mut asked = url.url().clone();
    asked.query_pairs_mut().append_pair("audience", audience);
    let asked = WebUrl::try_from(String::from(asked)).unwrap_or_else(|_| url.clone());
    let reply =
        transport.send(Call::get(asked).accepting("application/json; api-version=2.0").with_bearer(token)).await?;
    let answer: GithubAnswer = reply.read()?;
    if is_jwt(answer.value.expose()) { Ok(answer.value) } else { Err(reply.nonsense("an ID token that is none")) }
}

fn read(path: &Path) -> Result<Secret, String> {
    // A pipe would be waited for.
    if !fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".into());
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_string(&mut text));
    let whole = Secret::from(text);
    read.map_err(|error| error.to_string())?;
    let jwt = whole.expose().trim();
    if is_jwt(jwt) { Ok(jwt.into()) } else { Err("it is no JWT".into()) }
}

/// Three parts, each of the alphabet of base64url.
fn is_jwt(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    u64::try_from(text.len()).is_ok_and(|length| length <= MAX)
        && text.split('.').count() == 3
        && text.split('.').all(part)
}

/// Whom an assertion speaks of, by its own word. Only for a name to show: nothing is believed of it.
#[must_use]
pub(crate) fn subject_of(assertion: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let (_, claims) = gatepass_keys::jose::unverified::<Claims>(assertion.expose())?;
    Some(claims.sub).filter(|sub| (1..=512).contains(&sub.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_only_if_it_holds_one_jwt() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, good) in [
            (" a.b-_9.c\n".to_owned(), true),
            ("a.b".into(), false),
            ("a..c".into(), false),
            ("a.b.c d".into(), false),
            (String::new(), false),
            ("a.b.c\u{0}".into(), false),
            (format!("a.b.{}", "c".repeat(70_000)), false),
        ] {
            fs::write(&file, &text).unwrap();
            assert_eq!(read(&file).is_ok(), good, "{:.20}", text);
        }
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(read(&file).is_err());
        assert!(read(folder.path()).is_err() && read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn where_it_comes_from_is_kept_and_the_jobs_token_is_not_shown() {
        let source = AssertionSource::GithubActions {
            url: "https://pipelines.example/token?api-version=2.0".parse().unwrap(),
            token: JobToken("hunter2".into()),
            audience: "https://a.example".into(),
        };
        let kept = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<AssertionSource>(&kept).unwrap(), source);
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
