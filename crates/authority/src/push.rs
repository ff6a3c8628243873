//! An authorization request that comes before the browser (RFC 9126), and the short link to it.
//!
//! 1. The client has proven itself, and every parameter is checked now, by the same rules as at the authorization
//!    endpoint (§2.1). So a person never meets a page of errors.
//! 2. What is kept is the request without the client's proof, under a reference of which only the hash is kept.
//! 3. The browser comes with the reference and the client's name. One code is given for a reference, decided in the
//!    statement that keeps the code; a page that is loaded again before that is shown again (§4).
//! 4. While a person signs in, the reference lives longer. One with a short link, which may be typed by hand, lives as long
//!    as a device's code from the start.

use crate::{Asking, Authority, Caller, Client, Event, EventKind, Failure, Lifetimes, throttle};
use form_urlencoded::Serializer;
use gatepass_keys::{PlainToken, token};
use gatepass_oauth::{
    Confirmation, Error, ErrorCode, Params, PushedResponse, Secret, UserCode, UtcMillis,
    authorization::AuthorizationTarget,
    device,
    pushed::{REQUEST_URI_PREFIX, reference},
};
use gatepass_store::{
    Change,
    pushed_request::{PushedRequest, Ticket},
};
use std::time::Duration;

/// The most bytes of a request that are kept.
const MAX_REQUEST: usize = 16 * 1024;
/// How long a request lives when a person must sign in or be asked, from its beginning.
const WHILE_SIGNING_IN: Duration = Duration::from_secs(15 * 60);
/// How often a short link is drawn anew when it is taken.
const DRAWS: usize = 8;
/// The parameters that prove the client and are no part of the request.
const PROOF: &[&str] = &["client_id", "client_secret", "client_assertion", "client_assertion_type"];

impl Authority {
    /// Keeps an authorization request and answers the reference to it.
    ///
    /// # Errors
    /// Those of the authorization endpoint; [`Failure::TooMany`] after too many of them.
    pub async fn push(&self, asking: Asking<'_>, params: &Params<'_>) -> Result<PushedResponse, Failure> {
        let client = asking.client;
        let request = written(asking, params)?;
        let checked = Params::parse(request.as_bytes())?;
        let redirect_uri =
            crate::authorize::choose_redirect_uri(client, AuthorizationTarget::read(&checked)?.redirect_uri)?;
        self.check_request(&checked, client, &redirect_uri).await?;
        // Each is a row that anybody may make in the name of a public client.
        self.meter(throttle::PUSH_ADDRESS, &throttle::network(&asking.caller.address), asking.caller).await?;
        if !client.is_confidential() {
            self.meter(throttle::PUSH_CLIENT, client.id.as_str(), asking.caller).await?;
        }
        let now = self.0.clock.now();
        let life = self.pushed_life(client);
        let plain = PlainToken::<token::PushedRequest>::mint(now, &self.0.entropy)?;
        let pushed = PushedRequest {
            id: plain.id(),
            hash: plain.hash(),
            client_id: client.id.clone(),
            request,
            created_at: now,
            expires_at: now.plus(life),
            used_at: None,
        };
        let sign_in_uri = self.keep_pushed(client, &pushed, &plain).await?;
        self.record(Event::new(EventKind::RequestPushed).client(&client.id).about(pushed.id).from(asking.caller)).await;
        Ok(PushedResponse {
            request_uri: format!("{REQUEST_URI_PREFIX}{}", plain.expose()).into(),
            expires_in: life.as_secs(),
            sign_in_uri,
        })
    }

    /// How long a request waits for the browser.
    fn pushed_life(&self, client: &Client) -> Duration {
        let Lifetimes { pushed_request, device_code, .. } = *self.lifetimes();
        if client.first_party_since.is_some() { pushed_request.max(device_code) } else { pushed_request }
    }

    /// Keeps the request; for the server's own programs with a short link.
    async fn keep_pushed(
        &self,
        client: &Client,
        pushed: &PushedRequest,
        plain: &PlainToken<token::PushedRequest>,
    ) -> Result<Option<Secret>, Failure> {
        if client.first_party_since.is_none() {
            return match self.0.store.add_pushed_request(pushed, None).await? {
                Change::Made => Ok(None),
                Change::TooLate => Err(Failure::internal("a new request's identifier was taken")),
            };
        }
        for _ in 0..DRAWS {
            let letters = self.0.entropy.text(device::USER_CODE_ALPHABET, device::USER_CODE_LENGTH)?;
            let code: UserCode =
                letters.parse().map_err(|_| Failure::internal("a ticket was drawn from another alphabet"))?;
            let hash = self.0.tickets.hash(code.letters());
            let sealed_reference = self.0.ticket_seal.seal(&hash, plain.expose().as_bytes(), &self.0.entropy)?;
            if self.0.store.add_pushed_request(pushed, Some(&Ticket { hash, sealed_reference })).await? == Change::Made
            {
                return Ok(Some(self.issuer().endpoint(&format!("/l/{code}")).into()));
            }
        }
        Err(Failure::internal("no free ticket was found"))
    }

    /// Where a short link leads: the query of the authorization endpoint. `None` when it is unknown or over.
    ///
    /// # Errors
    /// [`Failure::TooMany`] after too many wrong ones from one address.
    pub async fn follow_ticket(&self, code: &UserCode, caller: &Caller) -> Result<Option<Secret>, Failure> {
        let network = throttle::network(&caller.address);
        self.count(throttle::TICKET, &network, caller).await?;
        let hash = self.0.tickets.hash(code.letters());
        let Some(target) = self.0.store.pushed_request_by_ticket(hash, self.0.clock.now()).await? else {
            return Ok(None);
        };
        self.refund(throttle::TICKET, &network).await?;
        let reference = self.0.ticket_seal.open(&hash, &target.sealed_reference)?;
        let reference =
            std::str::from_utf8(&reference).map_err(|_| Failure::internal("a kept reference is damaged"))?;
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", target.client_id.as_str());
        query.append_pair("request_uri", &format!("{REQUEST_URI_PREFIX}{reference}"));
        Ok(Some(query.finish().into()))
    }

    /// The pushed request that a browser comes with; `None` when its request speaks for itself.
    ///
    /// # Errors
    /// `invalid_request_uri`, which must be shown as a page: it is not known where the answer would go.
    pub(crate) async fn pushed(&self, params: &Params<'_>) -> Result<Option<PushedRequest>, Failure> {
        let Some(reference) = reference(params) else { return Ok(None) };
        params.no_repetition()?;
        let gone = |detail: &str| Failure::from(gone().with_detail(detail));
        let Some((id, hash)) = PlainToken::<token::PushedRequest>::recognise(reference) else {
            return Err(gone("the reference is malformed"));
        };
        let found = self.0.store.pushed_request(id).await?.filter(|pushed| pushed.hash == hash);
        let Some(pushed) = found else { return Err(gone("there is no such request")) };
        if params.required("client_id")? != pushed.client_id.as_str() {
            return Err(gone("it is another client's"));
        }
        if pushed.used_at.is_some() {
            return Err(gone("it was used"));
        }
        if pushed.expires_at <= self.0.clock.now() {
            return Err(gone("it is expired"));
        }
        Ok(Some(pushed))
    }

    /// Gives the person time for a page.
    pub(crate) async fn extend(&self, pushed: &PushedRequest) -> Result<(), Failure> {
        let until: UtcMillis = pushed.created_at.plus(WHILE_SIGNING_IN);
        if pushed.expires_at < until {
            // When it came to its end meanwhile, the next step will say so.
            let _ = self.0.store.extend_pushed_request(pushed.id, until, self.0.clock.now()).await?;
        }
        Ok(())
    }
}

/// The reference stands for nothing any more.
pub(crate) fn gone() -> Error {
    Error::new(ErrorCode::InvalidRequestUri, "the request_uri is unknown, expired or used")
}

/// The request as the query of a link: without the client's proof, with its name, and with the key that its DPoP proof
/// has shown (RFC 9449 §10.1).
fn written(asking: Asking<'_>, params: &Params<'_>) -> Result<String, Error> {
    if params.get("request_uri").is_some() {
        return Err(Error::invalid_request("a pushed request holds no request_uri"));
    }
    let mut text = Serializer::new(String::new());
    text.append_pair("client_id", asking.client.id.as_str());
    for (name, value) in params.iter().filter(|(name, _)| !PROOF.contains(name)) {
        text.append_pair(name, value);
    }
    match (asking.confirmation, params.get("dpop_jkt")) {
        (Some(Confirmation::Jkt(proven)), Some(named)) if **proven != *named => {
            return Err(Error::invalid_request("dpop_jkt is not the key of the DPoP proof"));
        }
        (Some(Confirmation::Jkt(proven)), None) => {
            text.append_pair("dpop_jkt", proven);
        }
        _ => {}
    }
    let text = text.finish();
    if text.len() > MAX_REQUEST {
        return Err(Error::invalid_request("the request is larger than 16 KiB"));
    }
    Ok(text)
}
