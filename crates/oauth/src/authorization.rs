//! The authorization request (RFC 6749 §4.1.1) and its response (§4.1.2, RFC 9207).
//!
//! Reading a request has two halves, for one reason: before the client and its redirect URI are
//! known to be good, an error must not be sent anywhere (RFC 6749 §4.1.2.1, RFC 9700 §4.11). So
//! [`AuthorizationTarget`] is read and checked first, and only then the rest, whose errors are
//! redirected.

use crate::{
    ClientId, CodeChallenge, Confirmation, Error, ErrorCode, Issuer, Params, RedirectUri, ResourceUri, ResponseMode,
    Scope, Secret,
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use url::form_urlencoded::Serializer;

/// The longest `state` and `nonce`, in bytes.
const MAX_OPAQUE: usize = 2048;
/// What says where an answer goes and how. Of these a second one leaves open where the error would go.
const OF_THE_ANSWER: &[&str] = &["client_id", "redirect_uri", "state", "response_mode"];
/// The most authentication context classes that a request names.
const MAX_CLASSES: usize = 16;

/// Who asks, and where the answer shall go. Both must be checked against the client's registration.
#[derive(Clone, Debug)]
pub struct AuthorizationTarget {
    /// The client.
    pub client_id: ClientId,
    /// Where to; may be left out by a client that registered exactly one URI.
    pub redirect_uri: Option<RedirectUri>,
    /// The client's own value, returned untouched.
    pub state: Option<String>,
}

impl AuthorizationTarget {
    /// Reads the part of a request whose errors are pages.
    ///
    /// # Errors
    /// `invalid_request` for a missing or malformed `client_id`, `redirect_uri` or `state`, for a `response_mode` that is
    /// not offered (OpenID Connect Core §3.1.2.6), and for one of these that is repeated.
    pub fn read(params: &Params<'_>) -> Result<Self, Error> {
        params.none_repeated_of(OF_THE_ANSWER)?;
        ResponseMode::read(params)?;
        Ok(Self {
            client_id: params.required("client_id")?.parse().map_err(|e| Error::invalid_request(format!("{e}")))?,
            redirect_uri: params
                .get("redirect_uri")
                .map(str::parse)
                .transpose()
                .map_err(|e| Error::invalid_request(format!("{e}")))?,
            state: opaque(params, "state")?,
        })
    }
}

/// The rest of a request, whose errors are sent to the redirect URI.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// What is asked for; empty when the request names none.
    pub scope: Scope,
    /// PKCE, always.
    pub code_challenge: CodeChallenge,
    /// Which API the token is for.
    pub resource: Option<ResourceUri>,
    /// Which pages are demanded or forbidden.
    pub prompt: Prompts,
    /// The oldest sign-in that is good enough, in seconds.
    pub max_age: Option<u64>,
    /// Whom to sign in.
    pub login_hint: Option<String>,
    /// Binds the ID token to the client's session.
    pub nonce: Option<String>,
    /// The authentication context classes of which one is required (RFC 9470 §5); empty when any will do.
    pub acr_values: Vec<String>,
    /// An ID token of the person who is expected.
    pub id_token_hint: Option<Secret>,
    /// The key that must redeem the code (`dpop_jkt`, RFC 9449 §10).
    pub dpop_jkt: Option<Confirmation>,
    /// How the response travels.
    pub response_mode: ResponseMode,
}

/// One word of `prompt` (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// No page at all.
    None,
    /// Sign in again.
    Login,
    /// Ask for consent again.
    Consent,
    /// Let the person choose the account: shown as a new sign-in.
    SelectAccount,
}

/// The words of `prompt`; none of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    /// Whether this word is among them.
    #[must_use]
    pub fn has(&self, prompt: Prompt) -> bool {
        self.0.contains(&prompt)
    }

    /// Whether the person must sign in again.
    #[must_use]
    pub fn demands_sign_in(&self) -> bool {
        self.has(Prompt::Login) || self.has(Prompt::SelectAccount)
    }
}

impl FromStr for Prompts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |word: &str| match word {
            "none" => Ok(Prompt::None),
            "login" => Ok(Prompt::Login),
            "consent" => Ok(Prompt::Consent),
            "select_account" => Ok(Prompt::SelectAccount),
            _ => Err(Error::invalid_request("prompt is none, login, consent or select_account")),
        };
        let words = text.split(' ').filter(|part| !part.is_empty()).map(word).collect::<Result<Vec<_>, _>>()?;
        if words.contains(&Prompt::None) && words.len() > 1 {
            return Err(Error::invalid_request("prompt=none stands alone"));
        }
        Ok(Self(words))
    }
}

/// The words of a `prompt` that are left once the person has signed in again; `None` when there are none.
#[must_use]
pub fn prompt_after_sign_in(text: &str) -> Option<String> {
    let kept: Vec<&str> = text.split(' ').filter(|word| !matches!(*word, "" | "login" | "select_account")).collect();
    (!kept.is_empty()).then(|| kept.join(" "))
}

impl AuthorizationRequest {
    /// Reads the rest of a request.
    ///
    /// # Errors
    /// The error that is to be sent to the redirect URI.
    pub fn read(params: &Params<'_>) -> Result<Self, Error> {
        params.no_repetition()?;
        if params.get("request").is_some() {
            return Err(Error::new(ErrorCode::RequestNotSupported, "request objects are not offered"));
        }
        if params.get("request_uri").is_some() {
            return Err(Error::new(ErrorCode::RequestUriNotSupported, "request_uri is not offered"));
        }
        if params.required("response_type")? != "code" {
            return Err(Error::new(ErrorCode::UnsupportedResponseType, "the response type is code"));
        }
        Ok(Self {
            response_mode: ResponseMode::read(params)?,
            scope: read_scope(params)?.unwrap_or_default(),
            code_challenge: CodeChallenge::parse(
                params.required("code_challenge")?,
                params.get("code_challenge_method"),
            )?,
            resource: read_resource(params)?,
            prompt: params.get("prompt").map(str::parse).transpose()?.unwrap_or_default(),
            max_age: params
                .get("max_age")
                .map(str::parse)
                .transpose()
                .map_err(|_| Error::invalid_request("max_age is a number of seconds"))?,
            login_hint: opaque(params, "login_hint")?,
            nonce: opaque(params, "nonce")?,
            acr_values: read_acr_values(params)?,
            id_token_hint: params.get("id_token_hint").map(Secret::from),
            dpop_jkt: crate::dpop::read_jkt(params)?,
        })
    }
}

fn read_acr_values(params: &Params<'_>) -> Result<Vec<String>, Error> {
    let values = opaque(params, "acr_values")?.unwrap_or_default();
    let classes: Vec<String> = values.split(' ').filter(|class| !class.is_empty()).map(str::to_owned).collect();
    if classes.len() > MAX_CLASSES {
        return Err(Error::invalid_request(format!("acr_values names more than {MAX_CLASSES} classes")));
    }
    Ok(classes)
}

/// Reads `scope`.
///
/// # Errors
/// `invalid_scope` when it does not keep to the grammar.
pub fn read_scope(params: &Params<'_>) -> Result<Option<Scope>, Error> {
    params
        .get("scope")
        .map(str::parse)
        .transpose()
        .map_err(|e: crate::scope::InvalidScope| Error::new(ErrorCode::InvalidScope, e.to_string()))
}

/// Reads `resource`.
///
/// # Errors
/// `invalid_target` when it is no absolute URI.
pub fn read_resource(params: &Params<'_>) -> Result<Option<ResourceUri>, Error> {
    params
        .get("resource")
        .map(str::parse)
        .transpose()
        .map_err(|e: crate::resource::InvalidResource| Error::new(ErrorCode::InvalidTarget, e.to_string()))
}

pub(crate) fn opaque(params: &Params<'_>, name: &'static str) -> Result<Option<String>, Error> {
    match params.get(name) {
        Some(value) if value.len() > MAX_OPAQUE => Err(Error::invalid_request(format!("{name} is too long"))),
        value => Ok(value.map(str::to_owned)),
    }
}

/// What the browser carries back to the client.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// Success.
    Code(Secret),
    /// Failure; the private detail stays here.
    Error(Error),
}

impl AuthorizationResponse {
    /// The URL to send the browser to: `code` or `error`, then `state` as it came and `iss`.
    #[must_use]
    pub fn location(&self, redirect_uri: &RedirectUri, state: Option<&str>, issuer: &Issuer) -> String {
        with_query(redirect_uri, &self.fields(state, issuer))
    }

    /// The same as the fields of a form (Form Post Response Mode §2).
    #[must_use]
    pub fn fields(&self, state: Option<&str>, issuer: &Issuer) -> Vec<(&'static str, Secret)> {
        let mut fields = match self {
            Self::Code(code) => vec![("code", code.clone())],
            Self::Error(error) => vec![
                ("error", error.code.as_str().into()),
                ("error_description", crate::error::printable(&error.description).into()),
            ],
        };
        fields.extend(state.map(|state| ("state", state.into())));
        fields.push(("iss", issuer.as_str().into()));
        fields
    }
}

/// A registered URI with more in its query.
pub(crate) fn with_query(uri: &RedirectUri, fields: &[(&'static str, Secret)]) -> String {
    let base = uri.as_str();
    let mut location = String::with_capacity(base.len() + 256);
    location.push_str(base);
    let query_starts = match base.rfind('?') {
        Some(at) => {
            if !base.ends_with(['?', '&']) {
                location.push('&');
            }
            at + 1
        }
        None => {
            location.push('?');
            location.len()
        }
    };
    let end = location.len();
    let mut query = Serializer::for_suffix(location, if end > query_starts { end } else { query_starts });
    for (name, value) in fields {
        query.append_pair(name, value.expose());
    }
    query.finish()
}

/// The response as a client reads it from its redirect URI.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AuthorizationAnswer {
    /// On success.
    #[serde(default)]
    pub code: Option<Secret>,
    /// On failure.
    #[serde(default)]
    pub error: Option<String>,
    /// On failure, perhaps.
    #[serde(default)]
    pub error_description: Option<String>,
    /// What the client sent.
    #[serde(default)]
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    #[serde(default)]
    pub iss: Option<String>,
}

impl AuthorizationAnswer {
    /// Reads the query of the redirect.
    ///
    /// # Errors
    /// `invalid_request` when the query breaks the rules of [`Params`].
    pub fn read(query: &str) -> Result<Self, Error> {
        let params = Params::parse(query.as_bytes())?;
        let text = |name: &str| params.get(name).map(str::to_owned);
        Ok(Self {
            code: params.get("code").map(Secret::from),
            error: text("error"),
            error_description: text("error_description"),
            state: text("state"),
            iss: text("iss"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn read(query: &str) -> Result<AuthorizationRequest, Error> {
        AuthorizationRequest::read(&Params::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn every_rule_has_its_error() {
        let table = [
            (CHALLENGE.to_owned(), ErrorCode::InvalidRequest),
            (format!("response_type=token&{CHALLENGE}"), ErrorCode::UnsupportedResponseType),
            ("response_type=code".to_owned(), ErrorCode::InvalidRequest),
            (format!("response_type=code&response_mode=fragment&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&scope=%22&{CHALLENGE}"), ErrorCode::InvalidScope),
            (format!("response_type=code&resource=x&{CHALLENGE}"), ErrorCode::InvalidTarget),
            (format!("response_type=code&prompt=none+login&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&prompt=dance&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&max_age=soon&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&dpop_jkt=short&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&request=x&{CHALLENGE}"), ErrorCode::RequestNotSupported),
            (format!("response_type=code&request_uri=x&{CHALLENGE}"), ErrorCode::RequestUriNotSupported),
            (format!("response_type=code&nonce={}&{CHALLENGE}", "n".repeat(3000)), ErrorCode::InvalidRequest),
            (format!("response_type=code&dpop_jkt=short&{CHALLENGE}"), ErrorCode::InvalidRequest),
            (format!("response_type=code&acr_values={}&{CHALLENGE}", "a+".repeat(17)), ErrorCode::InvalidRequest),
        ];
        for (query, code) in table {
            assert_eq!(read(&query).unwrap_err().code, code, "{query}");
        }
        assert!(read(&format!("response_type=code&{CHALLENGE}")).is_ok());
    }

    #[test]
    fn every_word_of_a_prompt_counts_and_a_sign_in_fulfils_only_its_own() {
        let prompts: Prompts = "consent login".parse().unwrap();
        assert!(prompts.demands_sign_in() && prompts.has(Prompt::Consent));
        assert_eq!(prompt_after_sign_in("consent login").as_deref(), Some("consent"));
        assert_eq!(prompt_after_sign_in("login select_account"), None);
        assert_eq!(prompt_after_sign_in("none").as_deref(), Some("none"));
    }

    #[test]
    fn a_response_joins_the_query_that_the_client_registered() {
        let issuer: Issuer = "https://as.example".parse().unwrap();
        let code = || AuthorizationResponse::Code("c".into());
        let table = [
            ("https://a.example/cb", "https://a.example/cb?code=c&state=s+1&iss=https%3A%2F%2Fas.example"),
            ("https://a.example/cb?x=1", "https://a.example/cb?x=1&code=c&state=s+1&iss=https%3A%2F%2Fas.example"),
            ("https://a.example/cb?", "https://a.example/cb?code=c&state=s+1&iss=https%3A%2F%2Fas.example"),
        ];
        for (uri, location) in table {
            assert_eq!(code().location(&uri.parse().unwrap(), Some("s 1"), &issuer), location);
        }
        let error = AuthorizationResponse::Error(Error::new(ErrorCode::AccessDenied, "no").with_detail("private"));
        let location = error.location(&"https://a.example/cb".parse().unwrap(), None, &issuer);
        assert_eq!(
            location,
            "https://a.example/cb?error=access_denied&error_description=no&iss=https%3A%2F%2Fas.example"
        );
    }

    #[test]
    fn an_answer_reads_what_a_response_wrote() {
        let answer = AuthorizationAnswer::read("code=c&state=s+1&iss=https%3A%2F%2Fas.example").unwrap();
        assert_eq!((answer.state.as_deref(), answer.iss.as_deref()), (Some("s 1"), Some("https://as.example")));
        assert_eq!(answer.code.unwrap().expose(), "c");
    }
}
