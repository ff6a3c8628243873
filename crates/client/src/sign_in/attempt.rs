//! One authorization request and the check of its answer (RFC 6749 §4.1, RFC 7636, RFC 9207). Pure.

use crate::{IssuerName, Refusal, Server, SignInRequest, paste::Pasted, text::tidy};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_keys::{Entropy, entropy::NoEntropy};
use gatepass_oauth::{CodeVerifier, Secret, authorization::AuthorizationAnswer, pkce};

/// What was sent, and what only we know of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Where the person goes.
    pub url: String,
    /// Where the answer comes back.
    pub redirect_uri: String,
    /// Proves at the token endpoint that we asked.
    pub verifier: CodeVerifier,
    /// Binds the ID token to this attempt.
    pub nonce: String,
    state: String,
    iss: IssuerName,
    iss_required: bool,
    takes_s256: bool,
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// It answers another request: somebody else's, or an old one.
    #[error("this answer belongs to another sign-in")]
    NotOurs,
    /// It comes from another server (RFC 9207 §2.4).
    #[error("the answer does not come from the server that was asked")]
    WrongIssuer,
    /// It is a code alone, from a server of which nobody knows that it looks at the verifier.
    #[error("this server does not say that it takes PKCE, so the whole address of the last page is needed")]
    NotWhole,
    /// It has neither a code nor an error.
    #[error("the answer holds no code")]
    NoCode,
    /// The person said no.
    #[error("the sign-in was denied in the browser")]
    Denied,
    /// The server refused.
    #[error("{0}")]
    Refused(Refusal),
}

impl Attempt {
    /// Builds the authorization URL; `None` when the server has no authorization endpoint.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new(
        server: &Server,
        request: &SignInRequest,
        redirect_uri: String,
        entropy: &Entropy,
    ) -> Result<Option<Self>, NoEntropy> {
        let Some(endpoint) = &server.authorization_endpoint else { return Ok(None) };
        let verifier = CodeVerifier::from_random(entropy.bytes()?);
        let state = URL_SAFE_NO_PAD.encode(entropy.bytes::<16>()?);
        let nonce = URL_SAFE_NO_PAD.encode(entropy.bytes::<16>()?);
        let mut url = endpoint.url().clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code");
            query.append_pair("client_id", request.client_id.as_str());
            query.append_pair("redirect_uri", &redirect_uri);
            if !request.scope.is_empty() {
                query.append_pair("scope", &request.scope.to_string());
            }
            if let Some(resource) = &request.resource {
                query.append_pair("resource", resource.as_str());
            }
            if let Some(audience) = &request.audience {
                query.append_pair("audience", audience);
            }
            for (name, value) in server.provider.iter().flat_map(|provider| &provider.authorize) {
                query.append_pair(name, value);
            }
            if asks_for_consent(server, request) {
                query.append_pair("prompt", "consent");
            }
            query.append_pair("state", &state);
            if request.scope.contains("openid") {
                query.append_pair("nonce", &nonce);
            }
            query.append_pair("code_challenge", verifier.challenge().as_str());
            query.append_pair("code_challenge_method", pkce::METHOD_S256);
        }
        Ok(Some(Self {
            url: url.into(),
            redirect_uri,
            verifier,
            nonce,
            state,
            iss: server.iss.clone(),
            iss_required: server.answers_with_iss,
            takes_s256: server.takes_s256,
        }))
    }

    /// Names the key that the code is to be bound to (RFC 9449 §10).
    #[must_use]
    pub fn bound_to(self, thumbprint: &str) -> Self {
        // A thumbprint is base64url, which needs no escapes.
        let url = format!("{}&dpop_jkt={thumbprint}", self.url);
        Self { url, ..self }
    }

    /// Checks an answer that a browser brought: `state` must be ours before anything else counts.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn accept_redirect(&self, answer: AuthorizationAnswer) -> Result<Secret, BadAnswer> {
        if answer.state.as_deref() != Some(self.state.as_str()) {
            return Err(BadAnswer::NotOurs);
        }
        self.accept_iss(answer.iss.as_deref(), self.iss_required)?;
        read_code(answer)
    }

    /// Checks an answer that a person pasted. A bare code has no `state`; then PKCE alone ties it to
    /// this attempt, since the code of another would not fit our verifier: so the server must be known to look at it
    /// (RFC 9700 §2.1). A whole answer says whose it is, where the server promised that.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn accept_paste(&self, Pasted { answer, is_whole }: Pasted) -> Result<Secret, BadAnswer> {
        match answer.state.as_deref() {
            Some(state) if state != self.state => return Err(BadAnswer::NotOurs),
            None if !self.takes_s256 => return Err(BadAnswer::NotWhole),
            _ => {}
        }
        self.accept_iss(answer.iss.as_deref(), is_whole && self.iss_required)?;
        read_code(answer)
    }

    fn accept_iss(&self, iss: Option<&str>, required: bool) -> Result<(), BadAnswer> {
        match iss {
            Some(iss) if self.iss.is(iss) => Ok(()),
            None if !required => Ok(()),
            _ => Err(BadAnswer::WrongIssuer),
        }
    }
}

/// OpenID Connect Core §11: `offline_access` counts only with a consent that was asked for. Of known vendors, and of
/// gatepass's own server, it is known that they need no such thing.
fn asks_for_consent(server: &Server, request: &SignInRequest) -> bool {
    let known = server.provider.is_some() || server.gatepass_client_id.is_some();
    !known && ["openid", "offline_access"].iter().all(|name| request.scope.contains(name))
}

fn read_code(answer: AuthorizationAnswer) -> Result<Secret, BadAnswer> {
    if let Some(error) = answer.error {
        if error == "access_denied" {
            return Err(BadAnswer::Denied);
        }
        let description = answer.error_description.map(|text| tidy(&text, 300)).filter(|text| !text.is_empty());
        return Err(BadAnswer::Refused(Refusal { code: tidy(&error, 80), description }));
    }
    answer.code.filter(|code| !code.is_empty()).ok_or(BadAnswer::NoCode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_oauth::{AuthorizationRequest, Params};

    fn attempt() -> Attempt {
        let server = Server {
            authorization_endpoint: Some("https://a.example/authorize?tenant=1".parse().unwrap()),
            answers_with_iss: true,
            takes_s256: true,
            iss: IssuerName::new("https://a.example".parse().unwrap(), Some("https://a.example".into())),
            has_separate_grants: true,
            ..Server::bare("https://a.example".parse().unwrap(), "https://a.example/token".parse().unwrap())
        };
        let mut request = SignInRequest::new(server.issuer.clone(), "cli".parse().unwrap());
        request.scope = "openid read".parse().unwrap();
        request.resource = Some("https://api.example".parse().unwrap());
        let redirect = "http://127.0.0.1:4711/callback".to_owned();
        Attempt::new(&server, &request, redirect, &Entropy::system()).unwrap().unwrap()
    }

    fn answer(query: &str) -> AuthorizationAnswer {
        AuthorizationAnswer::read(query).unwrap()
    }

    #[test]
    fn the_request_reads_back_by_the_rules_of_a_server() {
        let attempt = attempt();
        let query = attempt.url.split_once('?').unwrap().1;
        let params = Params::parse(query.as_bytes()).unwrap();
        assert_eq!(params.get("tenant"), Some("1"));
        assert_eq!(params.get("redirect_uri"), Some("http://127.0.0.1:4711/callback"));
        let request = AuthorizationRequest::read(&params).unwrap();
        assert!(request.code_challenge.is_answered_by(&attempt.verifier));
        assert_eq!(request.nonce, Some(attempt.nonce.clone()));
        assert_eq!(request.resource.unwrap().as_str(), "https://api.example");
        assert!(!attempt.url.contains(attempt.verifier.expose()));
    }

    /// OpenID Connect Core §11.
    #[test]
    fn who_wants_to_stay_signed_in_asks_a_server_that_is_not_known_for_consent() {
        let prompt = |gatepass_client_id, scope: &str| {
            let server = Server {
                authorization_endpoint: Some("https://a.example/authorize".parse().unwrap()),
                gatepass_client_id,
                ..Server::bare("https://a.example".parse().unwrap(), "https://a.example/token".parse().unwrap())
            };
            let mut request = SignInRequest::new(server.issuer.clone(), "cli".parse().unwrap());
            request.scope = scope.parse().unwrap();
            let attempt = Attempt::new(&server, &request, String::new(), &Entropy::system()).unwrap().unwrap();
            let params = Params::parse(attempt.url.split_once('?').unwrap().1.as_bytes()).unwrap();
            params.get("prompt").map(str::to_owned)
        };
        assert_eq!(prompt(None, "openid offline_access").as_deref(), Some("consent"));
        assert_eq!(prompt(None, "openid"), None);
        assert_eq!(prompt(Some("cli".parse().unwrap()), "openid offline_access"), None, "gatepass asks by itself");
    }

    #[test]
    fn no_two_attempts_share_what_ties_an_answer_to_one() {
        let (one, two) = (attempt(), attempt());
        assert_ne!(one.state, two.state);
        assert_ne!(one.nonce, two.nonce);
        assert_ne!(one.verifier.challenge().as_str(), two.verifier.challenge().as_str());
    }

    #[test]
    fn state_and_issuer_must_be_ours() {
        let attempt = attempt();
        let state = &attempt.state;
        let good = format!("code=abcdef&state={state}&iss=https%3A%2F%2Fa.example");
        assert_eq!(attempt.accept_redirect(answer(&good)).unwrap().expose(), "abcdef");
        let table = [
            ("code=abcdef&iss=https%3A%2F%2Fa.example".to_owned(), BadAnswer::NotOurs),
            ("code=abcdef&state=x&iss=https%3A%2F%2Fa.example".to_owned(), BadAnswer::NotOurs),
            ("error=access_denied&state=x".to_owned(), BadAnswer::NotOurs),
            (format!("code=abcdef&state={state}"), BadAnswer::WrongIssuer),
            (format!("code=abcdef&state={state}&iss=https%3A%2F%2Fb.example"), BadAnswer::WrongIssuer),
            (format!("code=abcdef&state={state}&iss=https%3A%2F%2Fa.example%2F"), BadAnswer::WrongIssuer),
            (format!("error=access_denied&state={state}"), BadAnswer::WrongIssuer),
            (format!("error=access_denied&state={state}&iss=https%3A%2F%2Fa.example"), BadAnswer::Denied),
            (format!("state={state}&iss=https%3A%2F%2Fa.example"), BadAnswer::NoCode),
        ];
        for (query, expected) in table {
            assert_eq!(attempt.accept_redirect(answer(&query)).unwrap_err(), expected, "{query}");
        }
    }

    #[test]
    fn an_issuer_that_spells_itself_with_a_slash_does_so_in_its_answers() {
        let server = Server {
            authorization_endpoint: Some("https://a.example/authorize".parse().unwrap()),
            iss: IssuerName::new("https://a.example".parse().unwrap(), Some("https://a.example/".into())),
            ..Server::bare("https://a.example".parse().unwrap(), "https://a.example/token".parse().unwrap())
        };
        let request = SignInRequest::new(server.issuer.clone(), "cli".parse().unwrap());
        let attempt = Attempt::new(&server, &request, String::new(), &Entropy::system()).unwrap().unwrap();
        let paste = |iss: &str| {
            let whole = format!("code=abcdef&state={}&iss={iss}", attempt.state);
            attempt.accept_paste(crate::paste::read(&whole).unwrap())
        };
        assert!(paste("https%3A%2F%2Fa.example%2F").is_ok());
        assert_eq!(paste("https%3A%2F%2Fa.example").unwrap_err(), BadAnswer::WrongIssuer);
    }

    #[test]
    fn a_pasted_code_needs_no_state_but_must_not_have_another() {
        let mut attempt = attempt();
        let paste = |attempt: &Attempt, text: &str| attempt.accept_paste(crate::paste::read(text).unwrap());
        assert!(paste(&attempt, "abcdef").is_ok());
        let state = attempt.state.clone();
        let whole = |iss: &str| format!("code=abcdef&state={state}{iss}");
        let table = [
            ("abcdef#x".to_owned(), BadAnswer::NotOurs),
            ("code=abcdef&state=x".to_owned(), BadAnswer::NotOurs),
            (whole("&iss=https%3A%2F%2Fb"), BadAnswer::WrongIssuer),
            // The server promises `iss`, so its whole answer has one (RFC 9207 §2.4).
            (whole(""), BadAnswer::WrongIssuer),
        ];
        for (text, expected) in table {
            assert_eq!(paste(&attempt, &text).unwrap_err(), expected, "{text}");
        }
        attempt.takes_s256 = false;
        assert_eq!(paste(&attempt, "abcdef").unwrap_err(), BadAnswer::NotWhole);
        assert!(paste(&attempt, &format!("abcdef#{state}")).is_ok());
        assert!(paste(&attempt, &whole("&iss=https%3A%2F%2Fa.example")).is_ok());
    }
}
