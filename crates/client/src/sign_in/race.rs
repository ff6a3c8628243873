//! Several ways at once; the first to bring tokens wins and the others are dropped.
//!
//! The page way and the paste way share one authorization request: whether its answer comes by the
//! loopback port or by hand does not matter. The device way has its own. An end that a person chose
//! (they said no) ends the race; another end closes only that way, as long as one is left.

use super::{
    Event, SignInError, SignInRequest,
    attempt::{Attempt, BadAnswer},
};
use crate::{
    Asker, DpopKey, Failure, Prover, Server, Transport, Ways,
    choose::NoWay,
    device::{self, DeviceError, DeviceRequest, poller::Ended},
    dpop::holder::Hand,
    loopback::{Callback, Loopback, page::Page},
    paste,
    token_endpoint::TokenEndpoint,
};
use gatepass_keys::{Clock, Entropy};
use gatepass_oauth::{CodeVerifier, ErrorCode, Secret, TokenResponse, authorization::AuthorizationAnswer};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a sign-in waits for a person.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long the code waits for the address at most.
const ADDRESS_FIRST: Duration = Duration::from_secs(9);

/// What the race is run with.
#[derive(Clone, Copy)]
pub struct Race<'a> {
    /// How to reach the server.
    pub transport: &'a Transport,
    /// The time.
    pub clock: &'a Clock,
    /// Randomness.
    pub entropy: &'a Entropy,
    /// The server.
    pub server: &'a Server,
    /// What is asked for.
    pub request: &'a SignInRequest,
    /// The key that the sign-in is bound to.
    pub dpop_key: Option<&'a DpopKey>,
    /// Hears what happens.
    pub tell: &'a (dyn Fn(Event) + Send + Sync),
}

/// Tokens, and the nonce that their ID token must carry.
pub struct Won {
    /// The tokens.
    pub tokens: TokenResponse,
    /// Sent with the authorization request, if that way won.
    pub nonce: Option<String>,
}

impl Race<'_> {
    /// Runs the ways side by side. Lines that a person pastes come through `pasted`.
    ///
    /// # Errors
    /// Why the last way that was open closed.
    pub async fn run(self, ways: Ways, pasted: Option<mpsc::Receiver<String>>) -> Result<Won, SignInError> {
        tokio::time::timeout(PATIENCE, self.both(ways, pasted)).await.unwrap_or(Err(SignInError::TimedOut))
    }

    async fn both(self, ways: Ways, pasted: Option<mpsc::Receiver<String>>) -> Result<Won, SignInError> {
        let (showing, shown) = oneshot::channel();
        let showing = ways.has_page().then_some(showing);
        let page = async {
            match showing {
                Some(showing) => self.page(ways, pasted, showing).await,
                None => Err(NoWay.into()),
            }
        };
        let device = async {
            match ways.has_device() {
                true => {
                    // The address stands above the code, though it may take the server a moment.
                    let _ = tokio::time::timeout(ADDRESS_FIRST, shown).await;
                    self.device().await
                }
                false => Err(NoWay.into()),
            }
        };
        tokio::pin!(page, device);
        let (mut page_open, mut device_open) = (ways.has_page(), ways.has_device());
        loop {
            let (ended, others) = tokio::select! {
                result = &mut page, if page_open => { page_open = false; (result, device_open) }
                result = &mut device, if device_open => { device_open = false; (result, page_open) }
                else => return Err(NoWay.into()),
            };
            match ended {
                Err(error) if others && !is_persons_no(&error) => (self.tell)(Event::WayEnded(error.to_string())),
                ended => return ended,
            }
        }
    }

    /// The page way: an authorization request whose answer comes by port or by hand. `showing` is dropped when there is
    /// something to see, or never will be.
    async fn page(
        self,
        ways: Ways,
        mut pasted: Option<mpsc::Receiver<String>>,
        showing: oneshot::Sender<()>,
    ) -> Result<Won, SignInError> {
        let mut loopback = Loopback::bind_for(&self.request.redirect).await?;
        let attempt = Attempt::new(self.server, self.request, loopback.redirect_uri(), self.entropy)?.ok_or(NoWay)?;
        let attempt = match self.dpop_key {
            Some(key) => attempt.bound_to(key.thumbprint()?),
            None => attempt,
        };
        let mut address = self.address(&attempt).await.map_err(SignInError::NotPushed)?;
        (self.tell)(Event::Url(address.url.clone()));
        drop(showing);
        loop {
            tokio::select! {
                callback = loopback.next() => {
                    let callback = callback.ok_or_else(|| std::io::Error::other("the port was lost"))?;
                    if let Some(outcome) = self.redirected(&attempt, callback).await {
                        return outcome;
                    }
                }
                () = address.over() => match self.next_address(&attempt, &address).await {
                    Some(next) => {
                        address = next;
                        (self.tell)(Event::UrlRenewed(address.url.clone()));
                    }
                    None => address.later(),
                },
                line = next_line(&mut pasted), if pasted.is_some() => match line {
                    Some(line) => {
                        if let Some(outcome) = self.pasted(&attempt, &line).await {
                            return outcome;
                        }
                    }
                    None if ways == Ways::Paste => return Err(SignInError::InputEnded),
                    None => pasted = None,
                },
            }
        }
    }

    /// A browser came to the port: `None` when it brought nothing of ours.
    async fn redirected(self, attempt: &Attempt, callback: Callback) -> Option<Result<Won, SignInError>> {
        let answer = AuthorizationAnswer::read(callback.query.expose()).map_err(|_| BadAnswer::NotOurs);
        let code = match answer.and_then(|answer| attempt.accept_redirect(answer)) {
            Ok(code) => code,
            Err(BadAnswer::NotOurs) => {
                callback.finish(Page::NotOurs).await;
                return None;
            }
            Err(error) => {
                callback.finish(if error == BadAnswer::Denied { Page::Denied } else { Page::Refused }).await;
                return Some(Err(error.into()));
            }
        };
        let outcome = self.redeem(attempt, &code).await;
        callback.finish(if outcome.is_ok() { Page::SignedIn } else { Page::Failed }).await;
        Some(outcome.map_err(SignInError::from))
    }

    /// A person pasted a line: `None` when they may try again.
    async fn pasted(self, attempt: &Attempt, line: &str) -> Option<Result<Won, SignInError>> {
        if line.trim().is_empty() {
            return None;
        }
        let again = |why: String| {
            (self.tell)(Event::PasteRefused(why));
            None
        };
        let answer = match paste::read(line) {
            Ok(answer) => answer,
            Err(error) => return again(error.to_string()),
        };
        match attempt.accept_paste(answer) {
            Err(error @ (BadAnswer::Denied | BadAnswer::Refused(_))) => Some(Err(error.into())),
            Err(error) => again(error.to_string()),
            Ok(code) => match self.redeem(attempt, &code).await {
                // Mistyped, too old, or not the whole of it.
                Err(failure) if failure.is(ErrorCode::InvalidGrant) => again(failure.to_string()),
                Err(failure @ (Failure::Unreachable { .. } | Failure::Nonsense { .. })) => again(failure.to_string()),
                outcome => Some(outcome.map_err(SignInError::from)),
            },
        }
    }

    async fn redeem(self, attempt: &Attempt, code: &Secret) -> Result<Won, Failure> {
        let tokens = self.token_endpoint().redeem_code(code, &attempt.redirect_uri, &attempt.verifier).await?;
        let nonce = self.request.scope.contains("openid").then(|| attempt.nonce.clone());
        Ok(Won { tokens, nonce })
    }

    /// The device way.
    async fn device(self) -> Result<Won, SignInError> {
        let endpoint = self.server.device_authorization_endpoint.as_ref().ok_or(NoWay)?;
        let verifier = CodeVerifier::from_random(self.entropy.bytes()?);
        let request = DeviceRequest {
            endpoint,
            token_endpoint: self.token_endpoint(),
            scope: &self.request.scope,
            device_name: self.request.device_name.as_deref(),
            verifier: &verifier,
        };
        let tokens = device::sign_in(request, self.clock, self.tell).await?;
        Ok(Won { tokens, nonce: None })
    }

    /// The key at work.
    #[must_use]
    pub fn prover(&self) -> Option<Prover<'_>> {
        Some(Prover { key: Hand::Key(self.dpop_key?), clock: self.clock, entropy: self.entropy })
    }

    /// The client, as the endpoints of the server meet it.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            transport: self.transport,
            clock: self.clock,
            entropy: self.entropy,
            client_id: &self.request.client_id,
            authentication: &self.request.authentication,
            prover: self.prover(),
        }
    }

    fn token_endpoint(&self) -> TokenEndpoint<'_> {
        TokenEndpoint {
            asker: self.asker(),
            url: &self.server.token_endpoint,
            resource: self.request.resource.as_ref(),
            audience: self.request.audience.as_deref(),
            provider: self.server.provider,
        }
    }
}

/// The next pasted line; `None` when the input has ended.
async fn next_line(pasted: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match pasted {
        Some(lines) => lines.recv().await,
        None => None,
    }
}

fn is_persons_no(error: &SignInError) -> bool {
    matches!(error, SignInError::BadAnswer(BadAnswer::Denied) | SignInError::Device(DeviceError::Ended(Ended::Denied)))
}
