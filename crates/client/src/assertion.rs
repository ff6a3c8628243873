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
use zeroize::Zeroizing;

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
    // A pipe would be waited for. A link is followed: that is how Kubernetes replaces a token.
    if !fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes)).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX) {
        return Err("it is longer than 64 KiB".into());
    }
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err("it is empty".into()),
        Ok(jwt) if is_jwt(jwt) => Ok(jwt.into()),
        _ => Err("it holds no JWT, or more than one".into()),
    }
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
        for text in ["a.b-_9.c", "a.b-_9.c\n", " a.b-_9.c\r\n\n"] {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file).unwrap().expose(), "a.b-_9.c");
        }
        for (bytes, why) in [
            (&b"a.b"[..], "it holds no JWT, or more than one"),
            (b"a..c", "it holds no JWT, or more than one"),
            (b"a.b.c d", "it holds no JWT, or more than one"),
            (b"a.b.c\nd.e.f\n", "it holds no JWT, or more than one"),
            (b"a.b.c\0", "it holds no JWT, or more than one"),
            (b"\xff\xfe", "it holds no JWT, or more than one"),
            (b"", "it is empty"),
            (b"\r\n", "it is empty"),
            (&[b'a'; 70_000], "it is longer than 64 KiB"),
        ] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file).err().as_deref(), Some(why));
        }
        assert_eq!(read(folder.path()).err().as_deref(), Some("it is no file"));
        assert!(read(&folder.path().join("none")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("token"), folder.path().join("link"));
        fs::write(&file, "a.b.c").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link).unwrap().expose(), "a.b.c");
        fs::remove_file(&file).unwrap();
        assert!(read(&link).is_err(), "it leads nowhere");
        std::os::unix::fs::symlink("loop2", folder.path().join("loop2")).unwrap();
        assert!(read(&folder.path().join("loop2")).is_err());
        assert_eq!(read(Path::new("/dev/zero")).err().as_deref(), Some("it is no file"));
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
