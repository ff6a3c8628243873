//! The token endpoint (RFC 6749 §3.2) and the revocation endpoint (RFC 7009).

use crate::{Asker, Failure, Narrowing, Refusal, Reply, WebUrl, loose_answer, providers::Provider};
use gatepass_oauth::{CodeVerifier, GrantType, ResourceUri, Scope, Secret, TokenResponse, TokenType, TokenTypeUri};
use serde::Deserialize;
use serde_json::Value;

/// The longest token that is taken, in bytes; an ID token with many groups is the longest met.
const MAX_TOKEN: usize = 64 * 1024;

/// A token endpoint as one client uses it.
#[derive(Clone, Copy, Debug)]
pub struct TokenEndpoint<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// Where it is.
    pub url: &'a WebUrl,
    /// Which API the token is for (RFC 8707).
    pub resource: Option<&'a ResourceUri>,
    /// The same as some vendors name it.
    pub audience: Option<&'a str>,
    /// What is known of its vendor.
    pub provider: Option<&'static Provider>,
}

impl TokenEndpoint<'_> {
    /// Redeems an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn redeem_code(
        &self,
        code: &Secret,
        redirect_uri: &str,
        verifier: &CodeVerifier,
    ) -> Result<TokenResponse, Failure> {
        let fields = [("code", code.expose()), ("redirect_uri", redirect_uri), ("code_verifier", verifier.expose())];
        self.ask(GrantType::AuthorizationCode, &fields).await
    }

    /// Asks once whether the person has decided on the device (RFC 8628 §3.4).
    ///
    /// # Errors
    /// [`Failure`]; `authorization_pending` and `slow_down` among them.
    pub async fn poll_device(&self, device_code: &Secret, verifier: &CodeVerifier) -> Result<TokenResponse, Failure> {
        let fields = [("device_code", device_code.expose()), ("code_verifier", verifier.expose())];
        self.ask(GrantType::DeviceCode, &fields).await
    }

    /// Fetches the next access token (RFC 6749 §6).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<TokenResponse, Failure> {
        self.ask(GrantType::RefreshToken, &[("refresh_token", refresh_token.expose())]).await
    }

    /// Fetches an access token that may do less, and what the next ones are fetched with (RFC 6749 §6).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn refresh_to(&self, refresh_token: &Secret, scope: Option<&Scope>) -> Result<TokenResponse, Failure> {
        let scope = scope.map(ToString::to_string);
        let mut fields = vec![("refresh_token", refresh_token.expose())];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        self.ask(GrantType::RefreshToken, &fields).await
    }

    /// Exchanges an access token for one that may do less (RFC 8693 §2.1). Its resource is the endpoint's.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn exchange(&self, subject_token: &Secret, to: &Narrowing) -> Result<TokenResponse, Failure> {
        let kind = TokenTypeUri::AccessToken.as_str();
        let scope = to.scope.as_ref().map(ToString::to_string);
        let life = to.ttl.map(|ttl| ttl.as_secs().max(1).to_string());
        let mut fields = vec![
            ("subject_token", subject_token.expose()),
            ("subject_token_type", kind),
            ("requested_token_type", kind),
        ];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(to.audience.as_deref().map(|audience| ("audience", audience)));
        fields.extend(life.as_deref().map(|life| ("requested_expiry", life)));
        self.ask(GrantType::TokenExchange, &fields).await
    }

    /// Fetches a token for the client itself (RFC 6749 §4.4.2).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn client_credentials(&self, scope: &Scope) -> Result<TokenResponse, Failure> {
        self.ask_for(GrantType::ClientCredentials, None, scope).await
    }

    /// Fetches a token for whom an assertion speaks of (RFC 7523 §2.1).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn assertion(&self, assertion: &Secret, scope: &Scope) -> Result<TokenResponse, Failure> {
        self.ask_for(GrantType::JwtBearer, Some(("assertion", assertion.expose())), scope).await
    }

    /// No scope leaves it to the server.
    async fn ask_for(
        &self,
        grant: GrantType,
        shown: Option<(&str, &str)>,
        scope: &Scope,
    ) -> Result<TokenResponse, Failure> {
        let text = scope.to_string();
        let scope = (!scope.is_empty()).then_some(("scope", text.as_str()));
        let fields: Vec<_> = shown.into_iter().chain(scope).collect();
        self.ask(grant, &fields).await
    }

    async fn ask(&self, grant: GrantType, fields: &[(&str, &str)]) -> Result<TokenResponse, Failure> {
        let mut form = vec![("grant_type", grant.as_str())];
        form.extend_from_slice(fields);
        if let Some(resource) = self.resource {
            form.push(("resource", resource.as_str()));
        }
        if let Some(audience) = self.audience {
            form.push(("audience", audience));
        }
        let reply = loose_answer::told_in_json(self.asker.post(self.url, &form).await?);
        read(&reply, self.asker.prover.is_some(), self.provider.and_then(|provider| provider.scope_separator))
            .map_err(|failure| self.in_standard_words(failure))
    }

    /// A refusal by the name that the standards have for it.
    pub(crate) fn in_standard_words(&self, failure: Failure) -> Failure {
        match (self.provider, failure) {
            (Some(provider), Failure::Refused(refusal)) => {
                Failure::Refused(Refusal { code: provider.standard_error(&refusal.code).to_owned(), ..refusal })
            }
            (_, failure) => failure,
        }
    }
}

/// Revokes a refresh or access token (RFC 7009 §2.1).
///
/// # Errors
/// [`Failure`].
pub async fn revoke(asker: Asker<'_>, endpoint: &WebUrl, token: (&str, &Secret)) -> Result<(), Failure> {
    let (hint, token) = token;
    // Whoever holds a token may end it, key or no key.
    let asker = Asker { prover: None, ..asker };
    asker.post(endpoint, &[("token", token.expose()), ("token_type_hint", hint)]).await?.read_empty()
}

/// The answer as servers truly send it: numbers as text, scopes that are no scopes.
#[derive(Deserialize)]
struct Loose {
    access_token: Secret,
    #[serde(default)]
    token_type: Value,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    refresh_token: Option<Secret>,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    id_token: Option<Secret>,
}

/// Reads a token answer, and believes no token that could not stand in a header, none of a type that is not said (to use
/// it the wrong way could hand it to somebody, RFC 6749 §7.1), and none that is bound to a key when none was shown. For a
/// proof there may be a plain token (RFC 9449 §5).
fn read(reply: &Reply, proven: bool, scope_separator: Option<char>) -> Result<TokenResponse, Failure> {
    let loose: Loose = reply.read()?;
    let token_type = match loose.token_type.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("bearer") => TokenType::Bearer,
        Some("dpop") if proven => TokenType::Dpop,
        Some(_) => return Err(reply.nonsense("a token of a type that was not asked for")),
        None => return Err(reply.nonsense("a token without its type")),
    };
    let tokens = [Some(&loose.access_token), loose.refresh_token.as_ref(), loose.id_token.as_ref()];
    if !tokens.into_iter().flatten().all(is_token) {
        return Err(reply.nonsense("a token that is empty, too long, or holds characters that no token has"));
    }
    Ok(TokenResponse {
        access_token: loose.access_token,
        token_type,
        expires_in: seconds(&loose.expires_in),
        refresh_token: loose.refresh_token,
        scope: loose.scope.as_str().and_then(|text| match scope_separator {
            Some(separator) => text.replace(separator, " ").parse::<Scope>().ok(),
            None => text.parse().ok(),
        }),
        id_token: loose.id_token,
        issued_token_type: None,
    })
}

fn is_token(token: &Secret) -> bool {
    let text = token.expose();
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `expires_in`: a number, or a number as text; what is neither counts as not said.
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => {
            number.as_u64().or_else(|| number.as_f64().map(|n| if n < 1.0 { 0 } else { whole(n) }))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The whole seconds of a number with a fraction, within reason.
fn whole(number: f64) -> u64 {
    format!("{:.0}", number.min(1e15).floor()).parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_life_is_read_in_every_shape_that_servers_send() {
        let table = [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(3599.9), Some(3599)),
            (json!(-5), Some(0)),
            (json!(1e300), Some(1_000_000_000_000_000)),
            (json!(u64::MAX), Some(u64::MAX)),
            (json!("soon"), None),
            (json!(null), None),
            (json!([1]), None),
        ];
        for (value, expected) in table {
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_token_holds_only_what_a_header_can_carry() {
        assert!(is_token(&"abc.DEF-_~+/=".into()));
        for bad in ["", "a b", "a\r\nX: y", "\u{1b}[2J", "tökén"] {
            assert!(!is_token(&bad.into()), "{bad:?}");
        }
        assert!(!is_token(&"x".repeat(MAX_TOKEN + 1).into()));
    }
}
