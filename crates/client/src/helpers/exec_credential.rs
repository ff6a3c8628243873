//! kubectl's credential plugins (`client.authentication.k8s.io`): what kubectl says in `KUBERNETES_EXEC_INFO`, and the
//! `ExecCredential` that it reads.

use super::{BadInput, Handed, Site};
use crate::calendar::rfc3339;
use gatepass_oauth::Secret;
use serde::Deserialize;
use url::Url;

/// The versions of the document, the newest first. Their members that matter here are the same.
pub const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// What kubectl asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    version: &'static str,
    /// The cluster that it talks to, if `provideClusterInfo` is set and it is one that a token may go to.
    pub cluster: Option<Site>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    api_version: String,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    #[serde(default)]
    server: String,
}

impl Default for Asked {
    fn default() -> Self {
        let [newest, _] = VERSIONS;
        Self { version: newest, cluster: None }
    }
}

impl Asked {
    /// Reads `KUBERNETES_EXEC_INFO`.
    ///
    /// # Errors
    /// [`BadInput::Malformed`] for another document, or another version of it.
    pub fn read(text: &str) -> Result<Self, BadInput> {
        let malformed = || BadInput::Malformed("kubectl");
        if text.len() > 1024 * 1024 {
            return Err(BadInput::TooLong);
        }
        let info: Info = serde_json::from_str(text).map_err(|_| malformed())?;
        let version = VERSIONS.into_iter().find(|known| *known == info.api_version).ok_or_else(malformed)?;
        Ok(Self { version, cluster: info.spec.cluster.and_then(|cluster| cluster_site(&cluster.server)) })
    }

    /// The document that kubectl reads.
    #[must_use]
    pub fn answer(&self, handed: Handed<'_>) -> Secret {
        let mut status = serde_json::json!({"token": handed.token.expose()});
        if let (Some(end), Some(members)) = (handed.expires_at, status.as_object_mut()) {
            members.insert("expirationTimestamp".into(), rfc3339(end).into());
        }
        let document = serde_json::json!({"apiVersion": self.version, "kind": "ExecCredential", "status": status});
        Secret::new(document.to_string())
    }
}

/// The site of a cluster's address, which may have a path: the gateways of clusters give each one its own.
#[must_use]
pub fn cluster_site(server: &str) -> Option<Site> {
    let url = Url::parse(server).ok()?;
    let bare = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| bare)?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Site::of(url.scheme(), &format!("{host}{port}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_oauth::UtcMillis;

    #[test]
    fn the_version_that_was_asked_for_is_answered() {
        let token = Secret::from("t");
        for version in VERSIONS {
            let text = format!(
                r#"{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":false,"cluster":{{"server":"https://k.example:6443/x"}}}}}}"#
            );
            let asked = Asked::read(&text).unwrap();
            assert_eq!(asked.cluster, Some("https://k.example:6443".parse().unwrap()));
            let answer = asked.answer(Handed { token: &token, expires_at: Some(UtcMillis(0)) });
            let document: serde_json::Value = serde_json::from_str(answer.expose()).unwrap();
            assert_eq!(
                document,
                serde_json::json!({"apiVersion": version, "kind": "ExecCredential",
                    "status": {"token": "t", "expirationTimestamp": "1970-01-01T00:00:00Z"}})
            );
        }
        for bad in ["", "{}", r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#, "[]"] {
            assert!(Asked::read(bad).is_err(), "{bad}");
        }
        let no_site =
            r#"{"apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"http://k.example"}}}"#;
        assert_eq!(Asked::read(no_site).unwrap().cluster, None);
    }
}
