//! docker's helper protocol (`docker-credential-helpers`): a server's address or a JSON document on stdin, a JSON
//! document or one sentence on stdout.

use super::{BadInput, Handed, Site};
use gatepass_oauth::Secret;
use serde::Deserialize;
use std::io::Read;

/// What docker reads as "ask nobody, there is none".
pub const NOT_FOUND: &str = "credentials not found in native keychain";

/// A registry as docker's configuration names it: host, and port if need be. `https://` before it and a path of the
/// registry's API after it mean the same registry; anything else means none.
///
/// # Errors
/// [`BadInput::Malformed`].
pub fn registry(text: &str) -> Result<String, BadInput> {
    let text = text.trim_end_matches(['\r', '\n']);
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // docker itself speaks http to registries on this machine.
    let site = Site::of(scheme, host).map_err(|_| BadInput::Malformed("docker"))?;
    match path.trim_end_matches('/') {
        "" | "v1" | "v2" => Ok(site.authority().to_owned()),
        _ => Err(BadInput::Malformed("docker")),
    }
}

/// The address on stdin, as docker said it.
///
/// # Errors
/// [`BadInput`].
pub fn read_server(input: impl Read) -> Result<String, BadInput> {
    Ok(super::bounded(input, "docker")?.expose().trim_end_matches(['\r', '\n']).to_owned())
}

/// What docker wants to be stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ToStore {
    /// The registry.
    #[serde(rename = "ServerURL")]
    pub server_url: String,
    /// The password.
    pub secret: Secret,
}

/// The document on stdin.
///
/// # Errors
/// [`BadInput`].
pub fn read_to_store(input: impl Read) -> Result<ToStore, BadInput> {
    serde_json::from_str(super::bounded(input, "docker")?.expose()).map_err(|_| BadInput::Malformed("docker"))
}

/// The answer to `get`.
#[must_use]
pub fn answer(server: &str, username: &str, handed: Handed<'_>) -> Secret {
    let document = serde_json::json!({"ServerURL": server, "Username": username, "Secret": handed.token.expose()});
    Secret::new(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_its_host_however_docker_says_it() {
        for text in [
            "r.example",
            "R.example",
            "https://r.example",
            "https://r.example/v2/",
            "r.example\n",
            "https://r.example/v1/",
        ] {
            assert_eq!(registry(text).unwrap(), "r.example", "{text}");
        }
        assert_eq!(registry("127.0.0.1:5000").unwrap(), "127.0.0.1:5000");
        for bad in [
            "",
            "http://r.example",
            "https://r.example@evil.example",
            "r.example/team",
            "a\nb",
            "https://r.example/v2/..%2f",
            "r.example\\x",
        ] {
            assert!(registry(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_documents_are_dockers() {
        let stored = read_to_store(r#"{"ServerURL":"r.example","Username":"u","Secret":"s"}"#.as_bytes()).unwrap();
        assert_eq!((stored.server_url.as_str(), stored.secret.expose()), ("r.example", "s"));
        assert!(read_to_store("junk".as_bytes()).is_err());
        let token = Secret::from("t");
        let answer = answer("https://r.example", "oauth2", Handed { token: &token, expires_at: None });
        let document: serde_json::Value = serde_json::from_str(answer.expose()).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"ServerURL": "https://r.example", "Username": "oauth2", "Secret": "t"})
        );
    }
}
