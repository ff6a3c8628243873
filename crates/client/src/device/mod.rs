//! Signing in with a device code (RFC 8628).
//!
//! 1. Ask for a pair of codes (§3.1). The request carries a PKCE challenge: a server that knows it
//!    gives the tokens only to whoever started, and others leave it unread. It names this machine and
//!    asks for a number that the page may ask back (§5.4, remote phishing).
//! 2. Show the person the code and where to type it (§3.3).
//! 3. Poll as [`poller`] says (§3.4, §3.5), until there are tokens or an end.

pub mod poller;

use crate::{Failure, WebUrl, loose_answer, sign_in::Event, text::tidy, token_endpoint::TokenEndpoint};
use gatepass_keys::Clock;
use gatepass_oauth::{CodeVerifier, DeviceAuthorizationResponse, Scope, TokenResponse, UtcMillis, pkce};
use poller::{Ended, Poller, Step};

/// What the person needs to see.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// What to type.
    pub user_code: String,
    /// Where to type it.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code or a link.
    pub verification_uri_complete: Option<String>,
    /// A number that the page may ask for.
    pub number_match: Option<String>,
    /// When the code ends.
    pub expires_at: UtcMillis,
}

/// Why a sign-in by device code brought no tokens.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// No codes could be had.
    #[error("no device code could be had: {0}")]
    NotStarted(#[source] Failure),
    /// It was started, and ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// What a device sign-in asks for.
#[derive(Clone, Copy, Debug)]
pub struct DeviceRequest<'a> {
    /// RFC 8628 §3.1.
    pub endpoint: &'a WebUrl,
    /// Where to poll.
    pub token_endpoint: TokenEndpoint<'a>,
    /// What is asked for.
    pub scope: &'a Scope,
    /// What this machine calls itself.
    pub device_name: Option<&'a str>,
    /// Binds the polls to this start.
    pub verifier: &'a CodeVerifier,
}

/// Runs a sign-in by device code to its end; `tell` hears of the code, of each poll, and of trouble.
///
/// # Errors
/// [`DeviceError`]. A network that is away is none, once there is a code.
pub async fn sign_in(
    request: DeviceRequest<'_>,
    clock: &Clock,
    tell: &(dyn Fn(Event) + Send + Sync),
) -> Result<TokenResponse, DeviceError> {
    let answer = start(&request).await.map_err(DeviceError::NotStarted)?;
    let mut poller = Poller::new(&answer, clock.now());
    tell(Event::Code(DeviceCode {
        user_code: tidy(&answer.user_code, 64),
        verification_uri: answer.verification_uri.clone(),
        verification_uri_complete: answer.verification_uri_complete.clone(),
        number_match: answer.number_match.as_deref().map(|number| tidy(number, 16)),
        expires_at: poller.expires_at(),
    }));
    let mut step = poller.start(clock.now());
    loop {
        match step {
            Step::End(end) => return Err(end.into()),
            Step::Wait(wait) => tokio::time::sleep(wait).await,
        }
        let failure = match request.token_endpoint.poll_device(&answer.device_code, request.verifier).await {
            Ok(tokens) => return Ok(tokens),
            Err(failure) => failure,
        };
        step = poller.after(&failure, clock.now());
        match failure {
            Failure::Refused(_) => tell(Event::Pending),
            trouble => tell(Event::Trouble(trouble)),
        }
    }
}

/// Step 1: the request for codes, and a check of what will be shown.
async fn start(request: &DeviceRequest<'_>) -> Result<DeviceAuthorizationResponse, Failure> {
    let (scope, challenge) = (request.scope.to_string(), request.verifier.challenge());
    let mut form = vec![
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", pkce::METHOD_S256),
        ("number_match", "true"),
    ];
    if !scope.is_empty() {
        form.push(("scope", &scope));
    }
    if let Some(name) = request.device_name {
        form.push(("device_name", name));
    }
    if let Some(resource) = request.token_endpoint.resource {
        form.push(("resource", resource.as_str()));
    }
    if let Some(audience) = request.token_endpoint.audience {
        form.push(("audience", audience));
    }
    let reply = loose_answer::told_in_json(request.token_endpoint.asker.post(request.endpoint, &form).await?);
    let mut answer: DeviceAuthorizationResponse =
        reply.read().map_err(|failure| request.token_endpoint.in_standard_words(failure))?;
    // What is shown or opened must be a web address; the parsed form holds no control characters.
    match answer.verification_uri.parse::<WebUrl>() {
        Ok(url) => answer.verification_uri = url.as_str().trim_end_matches('/').to_owned(),
        Err(_) => return Err(reply.nonsense("a verification_uri that is no web address")),
    }
    answer.verification_uri_complete =
        answer.verification_uri_complete.and_then(|text| text.parse::<WebUrl>().ok()).map(String::from);
    if !Poller::may_poll_in_time(&answer) {
        return Err(reply.nonsense("a code that ends before it may be asked about"));
    }
    let usable = !tidy(&answer.user_code, 64).is_empty() && !answer.device_code.is_empty();
    if usable { Ok(answer) } else { Err(reply.nonsense("a code that is empty")) }
}
