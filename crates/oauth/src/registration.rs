//! Client metadata as a program sends it (RFC 7591 §2, OpenID Connect Registration §2), and its rules.
//!
//! 1. It is a JSON object; a member that is not known, or `null`, counts as left out (§2). So do members in other
//!    languages (`client_name#de`).
//! 2. Every member that is known is of its type and bounded.
//! 3. Redirect URIs keep to [`RedirectUri`] and to the kind of program; their errors have a code of their own.
//! 4. Grant and response types fit together (§2.1). What this server does not offer is left out, as §2 allows; the
//!    answer shows what is left.
//!
//! What a *stranger* may have of it is the authority's decision.

use crate::{
    ApplicationType, ClientAuthMethod, ClientMetadata, Error, ErrorCode, GrantType, RedirectUri, Scope,
    issuer::is_loopback_host,
};
use serde_json::{Map, Value};
use url::Url;

/// The most entries of one list.
const MAX_LIST: usize = 32;
/// The longest text of one member, in bytes.
const MAX_TEXT: usize = 2048;
/// The longest name that is shown, in characters.
const MAX_NAME: usize = 100;

/// What a program asks to be registered with. Defaults that depend on who asks are still open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// Its name, fit for a page; empty when it gave none.
    pub name: String,
    /// How it will prove itself; `None` when it did not say.
    pub auth_method: Option<ClientAuthMethod>,
    /// Where its answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for tokens with.
    pub grant_types: Vec<GrantType>,
    /// The most that it may ask for; `None` when it did not say.
    pub scope: Option<Scope>,
    /// Its public keys, not looked at yet.
    pub jwks: Option<Value>,
    /// The rest.
    pub metadata: ClientMetadata,
}

/// A member will not do.
fn bad(description: String) -> Error {
    Error::new(ErrorCode::InvalidClientMetadata, description)
}

fn bad_uri(description: String) -> Error {
    Error::new(ErrorCode::InvalidRedirectUri, description)
}

impl Registration {
    /// Reads the metadata.
    ///
    /// # Errors
    /// `invalid_redirect_uri` or `invalid_client_metadata`, naming the member (§3.2.2).
    pub fn read(members: &Map<String, Value>) -> Result<Self, Error> {
        let members = Members(members);
        let redirect_uris = redirect_uris(&members, "redirect_uris")?;
        let metadata = read_metadata(&members)?;
        check_kind(&redirect_uris, metadata.application_type)?;
        let grant_types = grant_types(&members)?;
        if grant_types.contains(&GrantType::AuthorizationCode) && redirect_uris.is_empty() {
            return Err(bad_uri("redirect_uris is missing".into()));
        }
        let jwks = members.value("jwks").filter(|value| !value.is_null()).cloned();
        if jwks.is_some() && metadata.jwks_uri.is_some() {
            return Err(bad("jwks and jwks_uri exclude each other".into()));
        }
        let auth_method = members.text("token_endpoint_auth_method")?.map(|text| {
            let shown = shown_name(&text);
            text.parse().map_err(|error| bad(format!("token_endpoint_auth_method '{shown}' is not offered; {error}")))
        });
        let scope = members.text("scope")?.map(|text| text.parse().map_err(|error| bad(format!("scope: {error}"))));
        Ok(Self {
            name: shown_name(&members.text("client_name")?.unwrap_or_default()),
            auth_method: auth_method.transpose()?,
            redirect_uris,
            grant_types,
            scope: scope.transpose()?,
            jwks,
            metadata,
        })
    }
}

fn read_metadata(members: &Members<'_>) -> Result<ClientMetadata, Error> {
    let metadata = ClientMetadata {
        application_type: match members.text("application_type")?.as_deref() {
            None => None,
            Some("web") => Some(ApplicationType::Web),
            Some("native") => Some(ApplicationType::Native),
            Some(_) => return Err(bad("application_type is web or native".into())),
        },
        client_uri: members.web_url("client_uri")?,
        logo_uri: members.web_url("logo_uri")?,
        tos_uri: members.web_url("tos_uri")?,
        policy_uri: members.web_url("policy_uri")?,
        contacts: members.list("contacts")?,
        software_id: members.text("software_id")?,
        software_version: members.text("software_version")?,
        jwks_uri: members.callable_url("jwks_uri")?,
        post_logout_redirect_uris: redirect_uris(members, "post_logout_redirect_uris")?,
        backchannel_logout_uri: members.callable_url("backchannel_logout_uri")?,
        backchannel_logout_session_required: members.flag("backchannel_logout_session_required")?,
        token_endpoint_auth_signing_alg: members.text("token_endpoint_auth_signing_alg")?,
        id_token_signed_response_alg: members.text("id_token_signed_response_alg")?,
        introspection_signed_response_alg: None,
        tls_client_auth_subject_dn: members.text("tls_client_auth_subject_dn")?,
        tls_client_auth_san_dns: members.text("tls_client_auth_san_dns")?,
        tls_client_auth_san_uri: members.text("tls_client_auth_san_uri")?,
        tls_client_auth_san_ip: members.text("tls_client_auth_san_ip")?,
        tls_client_auth_san_email: members.text("tls_client_auth_san_email")?,
        tls_client_certificate_bound_access_tokens: members.flag("tls_client_certificate_bound_access_tokens")?,
        dpop_bound_access_tokens: members.flag("dpop_bound_access_tokens")?,
        require_pushed_authorization_requests: members.flag("require_pushed_authorization_requests")?,
    };
    let names = [
        &metadata.tls_client_auth_subject_dn,
        &metadata.tls_client_auth_san_dns,
        &metadata.tls_client_auth_san_uri,
        &metadata.tls_client_auth_san_ip,
        &metadata.tls_client_auth_san_email,
    ];
    if names.iter().filter(|name| name.is_some()).count() > 1 {
        return Err(bad("one member of tls_client_auth_* says which certificate it is".into()));
    }
    Ok(metadata)
}

fn redirect_uris(members: &Members<'_>, name: &'static str) -> Result<Vec<RedirectUri>, Error> {
    let texts = members.list(name).map_err(|error| bad_uri(error.description.into_owned()))?;
    texts.iter().map(|text| text.parse().map_err(|error| bad_uri(format!("{name}: {error}")))).collect()
}

/// A program that says that it is on the web answers over https and not on this machine. One that says `native` may use
/// all three ways of RFC 8252 §7, which a server must offer it; so may one that does not say.
fn check_kind(uris: &[RedirectUri], kind: Option<ApplicationType>) -> Result<(), Error> {
    let on_the_web = |uri: &&RedirectUri| {
        Url::parse(uri.as_str()).is_ok_and(|url| url.scheme() == "https" && !is_loopback_host(&url))
    };
    if kind == Some(ApplicationType::Web) && !uris.iter().all(|uri| on_the_web(&uri)) {
        return Err(bad_uri("redirect_uris of a web application use https and no loopback host".into()));
    }
    Ok(())
}

/// §2.1: `authorization_code` and the response type `code` come together.
fn grant_types(members: &Members<'_>) -> Result<Vec<GrantType>, Error> {
    let said = match members.has("grant_types") {
        true => members.list("grant_types")?,
        false => vec![GrantType::AuthorizationCode.as_str().to_owned()],
    };
    let mut grants: Vec<GrantType> = Vec::new();
    for grant in said.iter().filter_map(|text| text.parse().ok()) {
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    let uses_code = grants.contains(&GrantType::AuthorizationCode);
    if members.has("response_types") {
        let has_code = members.list("response_types")?.iter().any(|kind| kind == "code");
        if has_code != uses_code {
            return Err(bad("response_types has code if and only if grant_types has authorization_code".into()));
        }
    }
    if grants.contains(&GrantType::RefreshToken) && !uses_code && !grants.contains(&GrantType::DeviceCode) {
        grants.retain(|grant| *grant != GrantType::RefreshToken);
    }
    if grants.is_empty() {
        return Err(bad("grant_types names none that is offered".into()));
    }
    Ok(grants)
}

/// A stranger's name for a page: one line, without characters that hide or turn the text around, bounded.
#[must_use]
pub fn shown_name(text: &str) -> String {
    let hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
    };
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !hidden(*c))
        .collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MAX_NAME).collect::<String>().trim_end().to_owned()
}

/// The members of an object; `null` counts as left out.
struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_TEXT && is_storable(text) => Ok(Some(text.clone())),
            Some(_) => Err(bad(format!("{name} is a text of at most {MAX_TEXT} bytes"))),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<String>, Error> {
        let wrong = || bad(format!("{name} is a list of at most {MAX_LIST} texts of at most {MAX_TEXT} bytes"));
        let items = match self.value(name) {
            None => return Ok(Vec::new()),
            Some(value) => value.as_array().filter(|items| items.len() <= MAX_LIST).ok_or_else(wrong)?,
        };
        let text =
            |item: &Value| item.as_str().filter(|text| text.len() <= MAX_TEXT && is_storable(text)).map(str::to_owned);
        items.iter().map(|item| text(item).ok_or_else(wrong)).collect()
    }

    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.value(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| bad(format!("{name} is true or false"))),
        }
    }

    /// A page that people may be pointed to.
    fn web_url(&self, name: &str) -> Result<Option<String>, Error> {
        self.url(name, |url| matches!(url.scheme(), "https" | "http"), "an http or https URL")
    }

    /// An address that the server itself will ask. Whether it is public is looked at when it is asked.
    fn callable_url(&self, name: &str) -> Result<Option<String>, Error> {
        let fits = |url: &Url| matches!(url.scheme(), "https" | "http") && url.fragment().is_none();
        self.url(name, fits, "an https URL without a fragment")
    }

    fn url(&self, name: &str, fits: impl Fn(&Url) -> bool, what: &str) -> Result<Option<String>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let good = text.bytes().all(|b| b.is_ascii_graphic())
            && Url::parse(&text).is_ok_and(|url| fits(&url) && url.has_host() && url.username().is_empty());
        if good { Ok(Some(text)) } else { Err(bad(format!("{name} is {what}"))) }
    }
}

/// No character that a terminal or a database would take for something else.
fn is_storable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Registration, Error> {
        Registration::read(value.as_object().unwrap())
    }

    const CB: &str = "https://app.example/cb";

    #[test]
    fn what_is_left_out_has_the_defaults_of_rfc_7591() {
        let read =
            read(json!({"redirect_uris": [CB], "client_name#de": "x", "unknown": {"a": [1]}, "scope": null})).unwrap();
        assert_eq!(read.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!((read.auth_method, read.scope, read.name.as_str()), (None, None, ""));
        assert_eq!(read.metadata, ClientMetadata::default());
    }

    #[test]
    fn every_rule_has_its_error() {
        use ErrorCode::{InvalidClientMetadata as Metadata, InvalidRedirectUri as Uri};
        let long = "x".repeat(MAX_TEXT + 1);
        let table = [
            (json!({}), Uri),
            (json!({"redirect_uris": []}), Uri),
            (json!({"redirect_uris": "https://app.example/cb"}), Uri),
            (json!({"redirect_uris": [5]}), Uri),
            (json!({"redirect_uris": ["http://app.example/cb"]}), Uri),
            (json!({"redirect_uris": ["https://app.example/cb#f"]}), Uri),
            (json!({"redirect_uris": ["javascript:alert(1)"]}), Uri),
            (json!({"redirect_uris": vec![CB; MAX_LIST + 1]}), Uri),
            (json!({"redirect_uris": ["http://localhost/cb"], "application_type": "web"}), Uri),
            (json!({"redirect_uris": ["https://localhost/cb"], "application_type": "web"}), Uri),
            (json!({"redirect_uris": ["com.example.app:/cb"], "application_type": "web"}), Uri),
            (json!({"redirect_uris": [CB], "post_logout_redirect_uris": ["ftp://x"]}), Uri),
            (json!({"redirect_uris": [CB], "application_type": "robot"}), Metadata),
            (json!({"redirect_uris": [CB], "client_name": 5}), Metadata),
            (json!({"redirect_uris": [CB], "client_name": long}), Metadata),
            (json!({"redirect_uris": [CB], "client_name": "a\u{0}b"}), Metadata),
            (json!({"redirect_uris": [CB], "contacts": "me"}), Metadata),
            (json!({"redirect_uris": [CB], "token_endpoint_auth_method": "client_secret_jwt"}), Metadata),
            (json!({"redirect_uris": [CB], "grant_types": ["password"]}), Metadata),
            (json!({"redirect_uris": [CB], "grant_types": ["refresh_token"]}), Metadata),
            (json!({"redirect_uris": [CB], "grant_types": []}), Metadata),
            (json!({"redirect_uris": [CB], "response_types": ["token"]}), Metadata),
            (
                json!({"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "response_types": ["code"]}),
                Metadata,
            ),
            (json!({"redirect_uris": [CB], "scope": "a\"b"}), Metadata),
            (json!({"redirect_uris": [CB], "logo_uri": "javascript:x"}), Metadata),
            (json!({"redirect_uris": [CB], "client_uri": "https://u:p@x.example"}), Metadata),
            (json!({"redirect_uris": [CB], "jwks_uri": "file:///etc/passwd"}), Metadata),
            (json!({"redirect_uris": [CB], "jwks_uri": "https://a.example/k", "jwks": {"keys": []}}), Metadata),
            (json!({"redirect_uris": [CB], "backchannel_logout_uri": "https://a.example/out#x"}), Metadata),
            (json!({"redirect_uris": [CB], "backchannel_logout_uri": "/out"}), Metadata),
            (json!({"redirect_uris": [CB], "dpop_bound_access_tokens": "yes"}), Metadata),
            (
                json!({"redirect_uris": [CB], "tls_client_auth_san_dns": "a", "tls_client_auth_subject_dn": "b"}),
                Metadata,
            ),
        ];
        for (value, code) in table {
            assert_eq!(read(value.clone()).unwrap_err().code, code, "{value}");
        }
    }

    #[test]
    fn what_is_not_offered_is_left_out() {
        let registration = read(json!({
            "redirect_uris": ["http://localhost/callback", "https://vscode.dev/redirect"],
            "grant_types": ["authorization_code", "implicit", "refresh_token", "refresh_token"],
            "response_types": ["code", "token"],
            "application_type": "native",
        }))
        .unwrap();
        assert_eq!(registration.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }

    #[test]
    fn a_method_that_is_not_known_is_told_back_like_a_name() {
        let method = format!("\u{202e}odd\u{200b}{}", "x".repeat(1500));
        let error = read(json!({"redirect_uris": [CB], "token_endpoint_auth_method": method})).unwrap_err();
        assert!(error.description.contains("'oddxx") && error.description.len() < 400, "{}", error.description);
        assert!(!error.description.contains('\u{202e}'));
    }

    #[test]
    fn a_name_cannot_turn_a_page_around_or_hide() {
        assert_eq!(shown_name("  Good\u{202e}\n app\u{200b}\u{2066} "), "Good app");
        assert_eq!(shown_name("<b>x</b>"), "<b>x</b>", "escaping is the page's");
        assert_eq!(shown_name(&"é".repeat(500)).chars().count(), MAX_NAME);
        assert_eq!(shown_name("\u{200b}\u{202e}"), "");
    }
}
