//! What is known of the servers of other vendors, as data: `providers.toml`.
//!
//! A server tells almost all of itself by its metadata. The rest stands in its vendor's documents: which scopes bring a
//! refresh token, what else the authorization request needs, what an error is called there. It is kept in one file; here
//! is only what the switches mean. Nothing in it can send a secret to another host than the issuer's own, or the API
//! host that the vendor documents for it.

use gatepass_oauth::{GrantType, Issuer, Scope, ServerMetadata};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::OnceLock};
use url::Url;

/// One vendor's servers.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What `--provider` calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Patterns of its issuers; `*` stands for any characters but `/`.
    pub issuers: Vec<String>,
    /// Whether it publishes metadata at all.
    #[serde(default = "yes")]
    pub has_metadata: bool,
    /// What the metadata leaves out, or all there is. `{issuer}` and `{host}` are filled in.
    #[serde(default)]
    metadata: ServerMetadata,
    /// The scopes that are asked for when nobody names any.
    pub scope: Scope,
    /// What stands between the scopes of its answers, where that is no space.
    #[serde(default)]
    pub scope_separator: Option<char>,
    /// Further parameters of the authorization request.
    #[serde(default)]
    pub authorize: BTreeMap<String, String>,
    /// The grants that need a client secret, also from programs that cannot keep one.
    #[serde(default)]
    pub needs_secret: Vec<GrantType>,
    /// Whether the device flow is offered beside the browser without being asked for.
    #[serde(default = "yes")]
    pub device_by_default: bool,
    /// Whether a stranger may register a client (RFC 7591), if the metadata names the endpoint.
    #[serde(default = "yes")]
    pub registers_clients: bool,
    /// The redirect URI that its clients have, where it is not the usual one; its port is left open.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Whether what a client signs to prove itself is for the token endpoint, and not for the issuer (RFC 7523 §3).
    #[serde(default)]
    pub assertion_for_token_endpoint: bool,
    /// What its answer about a person calls things, where that is not OpenID Connect.
    #[serde(default)]
    pub identity: Option<IdentityMembers>,
    /// Its own names of errors, and what the standards call them.
    #[serde(default)]
    pub errors: BTreeMap<String, String>,
    /// How to come by a client.
    pub client_hint: String,
    /// How to name the issuer, where that goes wrong easily.
    #[serde(default)]
    pub issuer_hint: Option<String>,
    /// What else a person should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where all this is documented.
    pub sources: Vec<String>,
}

/// The members of an answer about a person.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityMembers {
    /// What never changes.
    pub subject: String,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
}

#[derive(Deserialize)]
struct File {
    provider: Vec<Provider>,
}

fn yes() -> bool {
    true
}

/// Every vendor of the file.
#[must_use]
pub fn all() -> &'static [Provider] {
    static ALL: OnceLock<Vec<Provider>> = OnceLock::new();
    // A test reads the file; were it broken all the same, servers would be taken by their metadata alone.
    ALL.get_or_init(|| {
        toml::from_str::<File>(include_str!("providers.toml")).map_or_else(|_| Vec::new(), |f| f.provider)
    })
}

/// The vendor whose server this is, by its name.
#[must_use]
pub fn of(issuer: &Issuer) -> Option<&'static Provider> {
    let text = issuer.as_str().to_ascii_lowercase();
    all().iter().find(|provider| provider.issuers.iter().any(|pattern| fits(pattern, &text)))
}

/// The vendor with this id.
#[must_use]
pub fn named(id: &str) -> Option<&'static Provider> {
    all().iter().find(|provider| provider.id == id)
}

impl Provider {
    /// What is known of the server of `issuer`, as if it had said so.
    #[must_use]
    pub fn metadata_of(&self, issuer: &Issuer) -> ServerMetadata {
        let host = Url::parse(issuer.as_str()).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
        });
        let fill = |text: &Option<String>| {
            let text = text.as_ref()?.replace("{issuer}", issuer.as_str());
            Some(text.replace("{host}", host.as_deref().unwrap_or_default()))
        };
        ServerMetadata {
            issuer: issuer.to_string(),
            authorization_endpoint: fill(&self.metadata.authorization_endpoint),
            token_endpoint: fill(&self.metadata.token_endpoint),
            device_authorization_endpoint: fill(&self.metadata.device_authorization_endpoint),
            userinfo_endpoint: fill(&self.metadata.userinfo_endpoint),
            revocation_endpoint: fill(&self.metadata.revocation_endpoint),
            ..self.metadata.clone()
        }
    }

    /// An error's name as the standards have it.
    #[must_use]
    pub fn standard_error<'a>(&'a self, code: &'a str) -> &'a str {
        self.errors.get(code).map_or(code, String::as_str)
    }
}

/// Whether a text fits a pattern in which `*` stands for one or more characters but `/`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let reach = rest.find('/').unwrap_or(rest.len());
            (1..=reach).filter_map(|at| rest.get(at..)).any(|rest| fits(after, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(issuer: &str) -> Option<&'static str> {
        of(&issuer.parse().unwrap()).map(|provider| provider.id.as_str())
    }

    #[test]
    fn the_file_is_read_and_every_fact_has_its_source() {
        let file: File = toml::from_str(include_str!("providers.toml")).unwrap();
        assert_eq!(file.provider.len(), all().len());
        assert!(all().len() >= 8);
        for provider in all() {
            assert!(!provider.sources.is_empty() && !provider.client_hint.is_empty(), "{}", provider.id);
            assert_eq!(named(&provider.id), Some(provider));
            for standard in provider.errors.values() {
                let body = serde_json::json!({"error": standard});
                assert!(serde_json::from_value::<gatepass_oauth::ErrorBody>(body).is_ok());
            }
        }
    }

    #[test]
    fn a_vendor_is_known_by_its_issuer_alone() {
        for (issuer, id) in [
            ("https://github.com", "github"),
            ("https://GitHub.com", "github"),
            ("https://octocorp.ghe.com", "github"),
            ("https://accounts.google.com", "google"),
            ("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "entra"),
            ("https://dev-1.okta.com/oauth2/default", "okta"),
            ("https://tenant.eu.auth0.com/", "auth0"),
            ("https://sso.example/realms/staff", "keycloak"),
            ("http://127.0.0.1:8080/realms/staff", "keycloak"),
            ("https://gitlab.com", "gitlab"),
        ] {
            assert_eq!(id_of(issuer), Some(id), "{issuer}");
        }
        for stranger in [
            "https://github.com.evil.example",
            "https://evil.example/github.com",
            "https://evilokta.com",
            "https://evil.example/x.okta.com",
            "https://.ghe.com.evil.example",
            "https://sso.example/realms/a/b",
        ] {
            assert_eq!(id_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn templates_name_the_issuers_own_host() {
        let issuer: Issuer = "https://octocorp.ghe.com".parse().unwrap();
        let metadata = of(&issuer).unwrap().metadata_of(&issuer);
        assert_eq!(metadata.issuer, "https://octocorp.ghe.com");
        assert_eq!(metadata.token_endpoint.as_deref(), Some("https://octocorp.ghe.com/login/oauth/access_token"));
        assert_eq!(metadata.userinfo_endpoint.as_deref(), Some("https://api.octocorp.ghe.com/user"));
    }
}
