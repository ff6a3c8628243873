//! A program registers itself (RFC 7591) and manages its registration (RFC 7592).
//!
//! 1. Read what it says, and cut it to what a stranger may have.
//! 2. Count the attempt, for its address and for all, unless step 3 finds its like: nobody is locked out of what is there.
//! 3. A public program that says exactly what another has said before is the same program: it gets the same identifier,
//!    and no row is made, nor written to from the third on. Neither of them manages the registration from then on. Otherwise the first could wait until
//!    people trust the second, and then send their answers somewhere else.
//! 4. A confidential program gets a secret, shown this once, and a registration of its own.
//! 5. Whoever holds the registration access token reads, replaces or removes the registration.

use crate::{
    Authority, Caller, Client, ClientProof, Event, EventKind, Failure,
    client_policy::{bad, registered_keys},
    tally::REAPED,
    throttle::{CLIENT_SECRET, Limit, network, site},
};
use gatepass_keys::{
    HashedToken, PlainToken,
    token::{ClientSecret, RegistrationToken},
};
use gatepass_oauth::{ClientAuthMethod, ClientId, ClientOrigin, Error, ErrorCode, Registration, Secret, UtcMillis};
use gatepass_store::{
    Change,
    client_registration::{NewRegistration, REGISTERED_PREFIX},
};
use serde_json::{Map, Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// How often a use is noted.
const NOTE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// A registration as its program gets to see it.
#[derive(Debug)]
pub struct SelfRegistered {
    /// The client.
    pub client: Client,
    /// A new secret, shown this once.
    pub secret: Option<Secret>,
    /// The token that manages the registration; `None` when it is shared.
    pub registration_token: Option<Secret>,
}

impl Authority {
    /// Registers a program.
    ///
    /// # Errors
    /// `invalid_redirect_uri`, `invalid_client_metadata`; [`Failure::TooMany`].
    pub async fn register_client(
        &self,
        members: &Map<String, Value>,
        caller: &Caller,
    ) -> Result<SelfRegistered, Failure> {
        let policy = &self.0.settings.clients;
        let registration = policy.admit(Registration::read(members)?)?;
        let now = self.0.clock.now();
        let (proof, secret) = self.new_proof(&registration, now)?;
        let id = self.new_client_id(REGISTERED_PREFIX)?;
        let client = described(id.clone(), registration, proof, now);
        let fingerprint = (!client.is_confidential()).then(|| fingerprint(&client));
        let equal = match fingerprint {
            Some(fingerprint) => self.0.store.equal_registration(fingerprint).await?,
            None => None,
        };
        match &equal {
            None => self.count_registration(caller).await?,
            Some(equal) if !equal.is_managed => {
                let client = Client { id: equal.id.clone(), used_at: equal.used_at, ..client };
                self.note_use(&client).await?;
                return Ok(SelfRegistered { client, secret, registration_token: None });
            }
            // The second of its kind: its writing takes the token from the first.
            Some(_) => {}
        }
        let token = PlainToken::<RegistrationToken>::mint(now, &self.0.entropy)?;
        let new = NewRegistration { client, registration_hash: token.hash(), fingerprint };
        let kept_as = self.0.store.register_client(&new).await?;
        let NewRegistration { client, .. } = new;
        if kept_as != id {
            if equal.is_none() {
                // Another was first in this moment. Nothing was added, so nothing is bounded.
                self.refund_registration(caller).await?;
            }
            return Ok(SelfRegistered { client: Client { id: kept_as, ..client }, secret, registration_token: None });
        }
        self.record(Event::new(EventKind::ClientRegistered).client(&id).from(caller).detail(&client.name)).await;
        Ok(SelfRegistered { client, secret, registration_token: Some(token.into_secret()) })
    }

    /// The registration that a token manages (RFC 7592 §2.1).
    ///
    /// # Errors
    /// `invalid_token`, the same for an unknown client and a wrong token (§2.1).
    pub async fn registration(&self, id: &str, token: &Secret, caller: &Caller) -> Result<SelfRegistered, Failure> {
        let (client, token) = self.managed(id, token, caller).await?;
        Ok(SelfRegistered { client, secret: None, registration_token: Some(token.into_secret()) })
    }

    /// Puts other metadata in the place of a registration's (RFC 7592 §2.2).
    ///
    /// # Errors
    /// As for a registration; `invalid_token`.
    pub async fn update_registration(
        &self,
        id: &str,
        token: &Secret,
        members: &Map<String, Value>,
        caller: &Caller,
    ) -> Result<SelfRegistered, Failure> {
        let (before, token) = self.managed(id, token, caller).await?;
        check_update(members, &before)?;
        let registration = self.0.settings.clients.admit(Registration::read(members)?)?;
        let now = self.0.clock.now();
        let method = registration.auth_method.unwrap_or(ClientAuthMethod::ClientSecretBasic);
        // The secret stays as long as the program goes on using one.
        let (proof, secret) = match (method, &before.proof) {
            (ClientAuthMethod::ClientSecretBasic, ClientProof::SecretBasic(hash) | ClientProof::SecretPost(hash)) => {
                (ClientProof::SecretBasic(*hash), None)
            }
            (ClientAuthMethod::ClientSecretPost, ClientProof::SecretBasic(hash) | ClientProof::SecretPost(hash)) => {
                (ClientProof::SecretPost(*hash), None)
            }
            _ => self.new_proof(&registration, now)?,
        };
        let after = described(before.id.clone(), registration, proof, before.created_at);
        self.count_registration(caller).await?;
        if self.0.store.update_client(&after, token.hash()).await? == Change::TooLate {
            return Err(not_managed().into());
        }
        self.0.clients.forget(&after.id);
        self.record(Event::new(EventKind::ClientUpdated).client(&after.id).from(caller)).await;
        Ok(SelfRegistered { client: after, secret, registration_token: Some(token.into_secret()) })
    }

    /// Removes a registration and ends what it was given (RFC 7592 §2.3).
    ///
    /// # Errors
    /// `invalid_token`.
    pub async fn delete_registration(&self, id: &str, token: &Secret, caller: &Caller) -> Result<(), Failure> {
        let (client, token) = self.managed(id, token, caller).await?;
        if self.0.store.delete_client(&client.id, token.hash(), self.0.clock.now()).await? == Change::TooLate {
            return Err(not_managed().into());
        }
        self.0.clients.forget(&client.id);
        self.forget_verified();
        self.record(Event::new(EventKind::ClientDeleted).client(&client.id).from(caller)).await;
        Ok(())
    }

    /// Removes registrations and documents that nobody has used for as long as the operator says; how many of each.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn reap_registrations(&self, limit: u32) -> Result<[(&'static str, u64); 2], Failure> {
        let now = self.0.clock.now();
        // Nothing that can still be refreshed is removed.
        let idle = self.0.settings.clients.registration_idle.max(self.lifetimes().refresh_token + 2 * NOTE_EVERY);
        let since = now.minus(idle);
        let clients = self.0.store.reap_clients(since, now, i64::from(limit)).await?;
        for id in &clients {
            self.0.clients.forget(id);
            self.record(Event::new(EventKind::ClientDeleted).client(id).detail("nobody used it any more")).await;
        }
        let documents = self.0.store.reap_client_documents(since, i64::from(limit)).await?;
        let [client, document] = REAPED;
        let reaped = [(client, u64::try_from(clients.len()).unwrap_or(0)), (document, documents)];
        for (table, rows) in reaped {
            self.0.tally.count_swept(table, rows);
        }
        Ok(reaped)
    }

    /// Notes that a client was given something, so that it is not taken for one that nobody uses. Nothing is written for
    /// an operator's client, and at most once a day for others.
    pub(crate) async fn note_use(&self, client: &Client) -> Result<(), Failure> {
        match client.origin {
            ClientOrigin::Operator => Ok(()),
            ClientOrigin::MetadataDocument => self.keep_document(&client.id).await,
            ClientOrigin::Dynamic => {
                let now = self.0.clock.now();
                let noted_since = now.minus(NOTE_EVERY);
                if client.used_at.is_some_and(|at| at < noted_since) {
                    self.0.store.note_client_used(&client.id, now, noted_since).await?;
                    self.0.clients.forget(&client.id);
                }
                Ok(())
            }
        }
    }

    async fn managed(
        &self,
        id: &str,
        token: &Secret,
        caller: &Caller,
    ) -> Result<(Client, PlainToken<RegistrationToken>), Failure> {
        let presented = PlainToken::<RegistrationToken>::parse(token.expose()).ok_or_else(not_managed)?;
        let id: ClientId = id.parse().map_err(|_| not_managed())?;
        match self.0.store.managed_client(&id, presented.hash()).await? {
            Some(client) => Ok((client, presented)),
            None => {
                self.count(CLIENT_SECRET, &format!("{}:registration", network(&caller.address)), caller).await?;
                Err(not_managed().into())
            }
        }
    }

    /// What a program will prove itself with. One that does not say has a secret (RFC 7591 §2).
    fn new_proof(&self, registration: &Registration, now: UtcMillis) -> Result<(ClientProof, Option<Secret>), Failure> {
        let secret = || PlainToken::<ClientSecret>::mint(now, &self.0.entropy);
        match registration.auth_method.unwrap_or(ClientAuthMethod::ClientSecretBasic) {
            ClientAuthMethod::None => Ok((ClientProof::Public, None)),
            ClientAuthMethod::ClientSecretBasic => {
                let secret = secret()?;
                Ok((ClientProof::SecretBasic(secret.hash()), Some(secret.into_secret())))
            }
            ClientAuthMethod::ClientSecretPost => {
                let secret = secret()?;
                Ok((ClientProof::SecretPost(secret.hash()), Some(secret.into_secret())))
            }
            ClientAuthMethod::PrivateKeyJwt => Ok((ClientProof::PrivateKeyJwt(registered_keys(registration)?), None)),
            ClientAuthMethod::TlsClientAuth => {
                let subject = registration.metadata.certificate_subject();
                let subject = subject.ok_or_else(|| bad("tls_client_auth takes one member of tls_client_auth_*"))?;
                Ok((ClientProof::TlsSubject(subject), None))
            }
            ClientAuthMethod::SelfSignedTlsClientAuth => {
                Ok((ClientProof::SelfSignedTls(registered_keys(registration)?), None))
            }
        }
    }

    fn registrations_of_one(&self) -> Limit {
        let attempts = i64::from(self.0.settings.clients.registrations_per_hour);
        Limit { what: "registration", attempts, window: HOUR }
    }

    fn registrations_of_all(&self) -> Limit {
        let attempts = i64::from(self.0.settings.clients.registrations_per_hour_in_all);
        Limit { what: "registration-all", attempts, window: HOUR }
    }

    async fn count_registration(&self, caller: &Caller) -> Result<(), Failure> {
        self.count(self.registrations_of_one(), &network(&caller.address), caller).await?;
        if let Some(site) = site(&caller.address) {
            self.count(self.registrations_of_one().of_site(), &site, caller).await?;
        }
        self.count(self.registrations_of_all(), "", caller).await
    }

    async fn refund_registration(&self, caller: &Caller) -> Result<(), Failure> {
        self.refund(self.registrations_of_one(), &network(&caller.address)).await?;
        if let Some(site) = site(&caller.address) {
            self.refund(self.registrations_of_one().of_site(), &site).await?;
        }
        self.refund(self.registrations_of_all(), "").await
    }
}

fn not_managed() -> Error {
    Error::new(ErrorCode::InvalidToken, "the registration access token is not this client's")
}

fn described(id: ClientId, registration: Registration, proof: ClientProof, created_at: UtcMillis) -> Client {
    let name = if registration.name.is_empty() { "A program without a name".to_owned() } else { registration.name };
    Client {
        id,
        name,
        proof,
        redirect_uris: registration.redirect_uris,
        grant_types: registration.grant_types,
        scope: registration.scope.unwrap_or_default(),
        resources: Vec::new(),
        first_party_since: None,
        created_at,
        origin: ClientOrigin::Dynamic,
        metadata: registration.metadata,
        used_at: Some(created_at),
    }
}

/// What is equal for equal registrations.
fn fingerprint(client: &Client) -> HashedToken {
    let Client { name, redirect_uris, grant_types, scope, metadata, .. } = client;
    HashedToken::of(&json!([name, redirect_uris, grant_types, scope, metadata]).to_string())
}

/// RFC 7592 §2.2: the request names the client, repeats its secret or leaves it out, and sets nothing that is ours.
fn check_update(members: &Map<String, Value>, before: &Client) -> Result<(), Error> {
    if members.get("client_id").and_then(Value::as_str) != Some(before.id.as_str()) {
        return Err(bad("client_id is the client's own"));
    }
    let ours =
        ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];
    if let Some(name) = ours.iter().find(|name| members.contains_key(**name)) {
        return Err(bad(format!("{name} is not the client's to set")));
    }
    match (members.get("client_secret"), &before.proof) {
        (None | Some(Value::Null), _) => Ok(()),
        (Some(Value::String(secret)), ClientProof::SecretBasic(hash) | ClientProof::SecretPost(hash))
            if HashedToken::of(secret) == *hash =>
        {
            Ok(())
        }
        _ => Err(bad("client_secret is not the client's to choose")),
    }
}
