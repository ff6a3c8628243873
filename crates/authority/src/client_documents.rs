//! Clients whose identifier is the URL of their metadata document (Client ID Metadata Document).
//!
//! 1. The identifier is a good URL of a domain that the operator lets in.
//! 2. A document that is known and fresh is taken as it is. One request at a time asks for another; who comes meanwhile
//!    waits for the same answer.
//! 3. A document that is not known yet is fetched for somebody, and for each address only so often.
//! 4. It is fetched with bounds, without redirects, from public addresses only; what has failed is not tried again at once.
//!    That is a rest for the site, not a memory of its answer (§4.4 forbids to keep errors).
//! 5. It names itself, holds no secret, and keeps to the rules for strangers.
//! 6. When the site is down, what it said last goes on for a week; when it says no, that counts at once.
//! 7. What a person has allowed is kept in the store, so that it outlives a restart.

use crate::{
    Authority, Caller, Client, ClientProof, Event, EventKind, Failure,
    client_policy::registered_keys,
    freshness,
    throttle::{Limit, network, site},
};
use bytes::Bytes;
use gatepass_fetch::{Bounds, FetchError, Trust};
use gatepass_oauth::{
    ClientAuthMethod, ClientId, ClientIdUrl, ClientOrigin, Error, ErrorCode, Registration, UtcMillis,
    client_id_url::lies_in,
};
use gatepass_store::client_document::ClientDocument;
use http::{HeaderMap, Request, Response, StatusCode, header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Mutex, Semaphore};

/// How much of a document, and how long (§6.6 recommends 5 KB).
const BOUNDS: Bounds = Bounds { bytes: 5 * 1024, time: Duration::from_secs(3) };
/// How many documents are remembered.
const CAPACITY: usize = 1024;
/// How many that are not known yet are fetched at once.
const AT_ONCE: usize = 32;
/// How long a site rests after it has failed.
const REST: Duration = Duration::from_secs(10);
/// How long a document is good when its site is down.
const STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often the use of a document is noted.
const NOTE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many that are not known yet are fetched from one host.
const OF_ONE_HOST: Limit = Limit { what: "document-host", attempts: 120, window: Duration::from_secs(60) };

pub(crate) struct Documents {
    slots: Cache<ClientId, Arc<Mutex<Slot>>>,
    turns: Semaphore,
}

impl Default for Documents {
    fn default() -> Self {
        Self { slots: Cache::new(CAPACITY), turns: Semaphore::new(AT_ONCE) }
    }
}

/// What is remembered of one document.
#[derive(Default)]
struct Slot {
    /// Whether the store was asked for it.
    looked_up: bool,
    known: Option<Known>,
    failed: Option<(UtcMillis, Refused)>,
    /// When its use was last noted in the store; `None` when it is not kept there.
    noted_at: Option<UtcMillis>,
}

struct Known {
    client: Arc<Client>,
    document: ClientDocument,
    may_be_kept: bool,
}

/// Why there is no new document.
#[derive(Clone)]
enum Refused {
    /// The site is there, and this is not a document.
    No(String),
    /// Nobody knows: the site is not there.
    Down(String),
}

/// What a site answered.
enum Fetched {
    Document(Known),
    Unchanged(freshness::Freshness),
}

impl Authority {
    /// The client of a document; inside, the reason why there is none. Without a caller nothing is fetched that is not
    /// known already.
    pub(crate) async fn document_client(
        &self,
        id: &ClientId,
        caller: Option<&Caller>,
    ) -> Result<Result<Arc<Client>, String>, Failure> {
        let url = match self.document_url(id) {
            Ok(url) => url,
            Err(reason) => return Ok(Err(reason)),
        };
        let slot = self.0.documents.slot(id);
        let mut slot = slot.lock().await;
        let now = self.0.clock.now();
        if slot.known.is_none() && !slot.looked_up {
            self.look_up(id, &mut slot).await?;
        }
        if let Some(known) = slot.known.as_ref().filter(|known| now < known.document.fresh_until) {
            return Ok(Ok(known.client.clone()));
        }
        let resting = slot.failed.as_ref().filter(|(at, _)| now < at.plus(REST)).map(|(_, refused)| refused.clone());
        if let Some(refused) = resting {
            return go_on_without(&slot, refused, now);
        }
        let known = slot.known.is_some();
        let Some(caller) = caller.or(known.then_some(&Caller::default())).cloned() else {
            return Ok(Err("its document was not fetched yet".into()));
        };
        let _turn = if known { None } else { Some(self.turn_to_fetch(&url, &caller).await?) };
        let outcome = self.fetch_document(&url, slot.known.as_ref()).await;
        let event = |kind| Event::new(kind).client(id).from(&caller);
        match outcome {
            Ok(fetched) => {
                slot.failed = None;
                self.remember(&mut slot, fetched).await?;
                self.record(event(EventKind::ClientDocumentFetched)).await;
                let known = slot.known.as_ref().ok_or_else(|| Failure::internal("a document was not remembered"))?;
                Ok(Ok(known.client.clone()))
            }
            Err(refused) => {
                let (Refused::No(reason) | Refused::Down(reason)) = &refused;
                self.record(event(EventKind::ClientDocumentRefused).detail(reason)).await;
                slot.failed = Some((now, refused.clone()));
                go_on_without(&slot, refused, now)
            }
        }
    }

    /// Step 1.
    fn document_url(&self, id: &ClientId) -> Result<ClientIdUrl, String> {
        let policy = &self.0.settings.clients;
        if !policy.metadata_documents {
            return Err("this server knows no clients by the address of their document".into());
        }
        let is_private = |host: &str| policy.private_hosts.iter().any(|private| private == host);
        let url = ClientIdUrl::read(id, is_private).map_err(|error| error.to_string())?;
        let trusted = policy.trusted_domains.is_empty() || lies_in(url.host(), &policy.trusted_domains);
        if !trusted || lies_in(url.host(), &policy.denied_domains) {
            return Err("this server does not take clients of this domain".into());
        }
        Ok(url)
    }

    /// Step 3.
    async fn turn_to_fetch(
        &self,
        url: &ClientIdUrl,
        caller: &Caller,
    ) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        let attempts = i64::from(self.0.settings.clients.documents_per_hour);
        let for_one_address = Limit { what: "document", attempts, window: Duration::from_secs(60 * 60) };
        self.count(for_one_address, &network(&caller.address), caller).await?;
        if let Some(site) = site(&caller.address) {
            self.count(for_one_address.of_site(), &site, caller).await?;
        }
        self.count(OF_ONE_HOST, url.host(), caller).await?;
        self.0.documents.turns.acquire().await.map_err(|_| Failure::internal("the server is closing"))
    }

    /// Step 4.
    async fn fetch_document(&self, url: &ClientIdUrl, known: Option<&Known>) -> Result<Fetched, Refused> {
        let mut request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
        if let Some(etag) = known.and_then(|known| known.document.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let request = request.body(Bytes::new()).map_err(|_| Refused::No("its address cannot be asked".into()))?;
        let answer =
            self.0.fetcher.send(request, Trust::Stranger, BOUNDS).await.map_err(|error| told(url.host(), &error))?;
        let now = self.0.clock.now();
        let freshness = freshness::of(answer.headers(), now);
        match answer.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(Fetched::Unchanged(freshness)),
            StatusCode::OK => self.read_document(url, &answer, freshness).map(Fetched::Document).map_err(Refused::No),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(Refused::Down(format!("{} answered {}", url.host(), status.as_u16())))
            }
            status => Err(Refused::No(format!("{} answered {}", url.host(), status.as_u16()))),
        }
    }

    fn read_document(
        &self,
        url: &ClientIdUrl,
        answer: &Response<Bytes>,
        freshness: freshness::Freshness,
    ) -> Result<Known, String> {
        if !is_json(answer.headers()) {
            return Err("its document is not of type application/json".into());
        }
        let text = std::str::from_utf8(answer.body()).map_err(|_| "its document is not UTF-8")?;
        let now = self.0.clock.now();
        let client = self.client_of(url, text, now).map_err(|error| error.description.into_owned())?;
        let etag = answer.headers().get(header::ETAG).and_then(|value| value.to_str().ok());
        let document = ClientDocument {
            client_id: client.id.clone(),
            document: text.to_owned(),
            etag: etag.filter(|etag| etag.len() <= 256).map(str::to_owned),
            fetched_at: now,
            fresh_until: freshness.until,
        };
        Ok(Known { client: Arc::new(client), document, may_be_kept: freshness.may_be_kept })
    }

    /// Step 5.
    fn client_of(&self, url: &ClientIdUrl, text: &str, now: UtcMillis) -> Result<Client, Error> {
        let refuse = |text: &'static str| Error::new(ErrorCode::InvalidClientMetadata, text);
        let members: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| refuse("its document is not a JSON object"))?;
        if members.get("client_id").and_then(Value::as_str) != Some(url.as_str()) {
            return Err(refuse("the client_id in its document is not the document's own address"));
        }
        if members.contains_key("client_secret") || members.contains_key("client_secret_expires_at") {
            return Err(refuse("its document holds a client_secret, which everybody can read"));
        }
        let policy = &self.0.settings.clients;
        let registration = policy.admit(Registration::read(&members)?)?;
        let proof = match registration.auth_method {
            None | Some(ClientAuthMethod::None) => ClientProof::Public,
            Some(ClientAuthMethod::PrivateKeyJwt) => ClientProof::PrivateKeyJwt(registered_keys(&registration)?),
            Some(_) => {
                return Err(refuse(
                    "its document names a token_endpoint_auth_method other than none and private_key_jwt",
                ));
            }
        };
        let name = if registration.name.is_empty() { url.host().to_owned() } else { registration.name };
        let mut client = Client {
            id: url.as_str().parse().map_err(|_| refuse("its address is too long"))?,
            name,
            proof,
            redirect_uris: registration.redirect_uris,
            grant_types: registration.grant_types,
            scope: registration.scope.unwrap_or_default(),
            resources: Vec::new(),
            first_party_since: None,
            created_at: now,
            origin: ClientOrigin::MetadataDocument,
            metadata: registration.metadata,
            used_at: None,
        };
        policy.put_on(&mut client);
        Ok(client)
    }

    async fn remember(&self, slot: &mut Slot, fetched: Fetched) -> Result<(), Failure> {
        let mut known = match (fetched, slot.known.take()) {
            (Fetched::Document(known), _) => known,
            (Fetched::Unchanged(freshness), Some(mut known)) => {
                (known.document.fetched_at, known.document.fresh_until) = (self.0.clock.now(), freshness.until);
                known
            }
            (Fetched::Unchanged(_), None) => return Ok(()),
        };
        if slot.noted_at.is_some() && known.may_be_kept {
            self.0.store.renew_client_document(&known.document).await?;
        } else if slot.noted_at.take().is_some() {
            self.0.store.forget_client_document(&known.document.client_id).await?;
        }
        // What must not be written down is nothing to ask again with, either.
        known.document.etag = known.document.etag.take().filter(|_| known.may_be_kept);
        slot.known = Some(known);
        Ok(())
    }

    /// Step 7, at start: what was kept.
    async fn look_up(&self, id: &ClientId, slot: &mut Slot) -> Result<(), Failure> {
        let kept = self.0.store.client_document(id).await?;
        slot.looked_up = true;
        let Some(document) = kept else { return Ok(()) };
        let Ok(url) = self.document_url(id) else { return Ok(()) };
        // A document that was good under other rules must be fetched again to say why it no longer is.
        let Ok(client) = self.client_of(&url, &document.document, document.fetched_at) else { return Ok(()) };
        slot.noted_at = Some(UtcMillis(0));
        slot.known = Some(Known { client: Arc::new(client), document, may_be_kept: true });
        Ok(())
    }

    /// Step 7: keeps the document of a client that was given something.
    pub(crate) async fn keep_document(&self, id: &ClientId) -> Result<(), Failure> {
        let slot = self.0.documents.slot(id);
        let mut slot = slot.lock().await;
        let (now, noted_at) = (self.0.clock.now(), slot.noted_at);
        let Some(known) = slot.known.as_ref().filter(|known| known.may_be_kept) else { return Ok(()) };
        match noted_at {
            None => self.0.store.keep_client_document(&known.document, now).await?,
            Some(at) if at.plus(NOTE_EVERY) <= now => {
                self.0.store.note_document_used(id, now, now.minus(NOTE_EVERY)).await?;
            }
            Some(_) => return Ok(()),
        }
        slot.noted_at = Some(now);
        Ok(())
    }
}

impl Documents {
    fn slot(&self, id: &ClientId) -> Arc<Mutex<Slot>> {
        let made = self.slots.get_or_insert_with(id, || Ok::<_, std::convert::Infallible>(Arc::default()));
        match made {
            Ok(slot) => slot,
            Err(never) => match never {},
        }
    }
}

/// What a stranger is told of a fetch that failed: one text for all that may lie in the network, or whoever names a host
/// here learns what the operator's names stand for. The log has the reason.
fn told(host: &str, error: &FetchError) -> Refused {
    tracing::info!(host, %error, "a client's document could not be fetched");
    let unreachable = || format!("{host} could not be reached");
    match error {
        FetchError::NotHttps(_) | FetchError::TooLarge { .. } => Refused::No(error.to_string()),
        FetchError::NotPublic(_) => Refused::No(unreachable()),
        FetchError::TooSlow(_) | FetchError::Unreachable { .. } => Refused::Down(unreachable()),
    }
}

/// Step 6.
fn go_on_without(slot: &Slot, refused: Refused, now: UtcMillis) -> Result<Result<Arc<Client>, String>, Failure> {
    let last = slot.known.as_ref();
    match (refused, last) {
        (Refused::No(reason), _) | (Refused::Down(reason), None) => Ok(Err(reason)),
        (Refused::Down(_), Some(known)) if known.may_be_kept && now < known.document.fetched_at.plus(STALE) => {
            Ok(Ok(known.client.clone()))
        }
        // It was a good client, and may be one again.
        (Refused::Down(reason), Some(_)) => {
            Err(Error::new(ErrorCode::TemporarilyUnavailable, format!("the client's document: {reason}")).into())
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_hears_the_same_of_a_host_inside_and_of_one_that_is_not_there() {
        let host = "db.corp.example".to_owned();
        let errors = [
            FetchError::NotPublic(host.clone()),
            FetchError::TooSlow(host.clone()),
            FetchError::Unreachable { host: host.clone(), why: "no such name".into() },
        ];
        for error in errors {
            let (Refused::No(text) | Refused::Down(text)) = told(&host, &error);
            assert_eq!(text, "db.corp.example could not be reached");
        }
    }
}
