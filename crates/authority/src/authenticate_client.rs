//! Who is this client? (RFC 6749 §2.3, RFC 7523 §3, RFC 8705 §2)
//!
//! 1. Find the registration.
//! 2. The method that was used must be the registered one.
//! 3. Compare the secret by its hash, or verify the assertion:
//!    issuer and subject are the client, the audience is this server, it lives briefly, and its
//!    `jti` is used once. Or judge the certificate of the connection.

use crate::{
    Authority, Caller, Client, ClientProof, Event, EventKind, Failure,
    assertion_claims::{date, maybe_date, one_or_several},
    certificate,
    throttle::{CLIENT_SECRET, CLIENT_SECRET_ADDRESS, CLIENT_SECRET_CLIENT, network},
};
use gatepass_keys::{Algorithm, HashedToken, JwkSet, jose};
use gatepass_oauth::{ClientCredentials, Error, Issuer, PresentedProof, Secret, UtcMillis};
use gatepass_store::Change;
use serde::{Deserialize, de::IgnoredAny};
use std::{sync::Arc, time::Duration};

/// `typ` of a client's assertion that says one (draft-ietf-oauth-rfc7523bis §4).
const TYP: &str = "client-authentication+jwt";
/// How far the client's clock may be off.
const SKEW: Duration = Duration::from_secs(60);
/// The longest life of an assertion; longer ones would have to be remembered longer. Libraries that
/// choose for their users go up to an hour.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The endpoints at which clients prove themselves. An assertion may be for the server or for any of
/// them: the standards leave the choice (RFC 7523 §3, RFC 9126 §2), and libraries differ in it.
const ENDPOINTS: [&str; 5] = ["/token", "/device_authorization", "/revoke", "/introspect", "/par"];

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_several")]
    aud: Vec<String>,
    #[serde(deserialize_with = "date")]
    exp: i64,
    #[serde(default, deserialize_with = "maybe_date")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "maybe_date")]
    iat: Option<i64>,
    jti: String,
}

impl Authority {
    /// The client that sent these credentials.
    ///
    /// # Errors
    /// `invalid_client`, the same for an unknown client and a wrong proof; [`Failure::TooMany`] when
    /// there were too many wrong ones.
    pub async fn authenticate_client(
        &self,
        credentials: &ClientCredentials,
        caller: &Caller,
    ) -> Result<Arc<Client>, Failure> {
        let client = match self.client_for(&credentials.client_id, Some(caller)).await? {
            Ok(client) => client,
            Err(reason) => {
                let event = Event::new(EventKind::ClientRefused).detail(reason);
                return Box::pin(self.refuse_client(None, event, caller)).await;
            }
        };
        let proven = match (&client.proof, &credentials.proof) {
            (ClientProof::Public, PresentedProof::Nothing) => Ok(()),
            (ClientProof::SecretBasic(hash), PresentedProof::Basic(secret))
            | (ClientProof::SecretPost(hash), PresentedProof::Post(secret)) => {
                if HashedToken::of(secret.expose()) == *hash { Ok(()) } else { Err("the secret is wrong".to_owned()) }
            }
            (ClientProof::PrivateKeyJwt(keys), PresentedProof::Assertion(assertion)) => {
                self.check_assertion(&client, keys, assertion).await?
            }
            (ClientProof::TlsSubject(subject), PresentedProof::Nothing) => {
                certificate::check_subject(caller.certificate.as_ref(), subject).map_err(|reason| reason.to_string())
            }
            (ClientProof::SelfSignedTls(keys), PresentedProof::Nothing) => {
                self.check_self_signed(&client, keys, caller.certificate.as_ref()).await
            }
            (ClientProof::TlsSubject(_) | ClientProof::SelfSignedTls(_), _) if caller.certificate.is_some() => {
                return Err(Error::invalid_request("a client authenticates in one way per request").into());
            }
            (registered, _) => Err(format!("the client is registered for {}", registered.method())),
        };
        match proven {
            Ok(()) => Ok(client),
            Err(detail) => {
                let event = Event::new(EventKind::ClientRefused).client(&client.id).detail(detail);
                // On the heap: whoever proves itself needs no room for it.
                Box::pin(self.refuse_client(Some(&client), event, caller)).await
            }
        }
    }

    /// Refuses a client that has not proven itself. Counted afterwards: who knows the secret is never kept out.
    async fn refuse_client<T>(&self, client: Option<&Client>, event: Event, caller: &Caller) -> Result<T, Failure> {
        let network = network(&caller.address);
        let id = client.map_or("", |client| client.id.as_str());
        self.meter(CLIENT_SECRET_ADDRESS, &network, caller).await?;
        self.meter(CLIENT_SECRET, &format!("{network}:{id}"), caller).await?;
        if client.is_some() {
            self.meter(CLIENT_SECRET_CLIENT, id, caller).await?;
        }
        let detail = event.detail.clone();
        self.record(event.from(caller)).await;
        Err(Error::invalid_client().with_detail(detail).into())
    }

    async fn check_assertion(
        &self,
        client: &Client,
        keys: &JwkSet,
        assertion: &Secret,
    ) -> Result<Result<(), String>, Failure> {
        let Some((header, _)) = jose::unverified::<IgnoredAny>(assertion.expose()) else {
            return Ok(Err("the assertion is no signed JWT".to_owned()));
        };
        if header.has_own_type() && !header.is_of_type(TYP) {
            return Ok(Err("the assertion says that it is something else".to_owned()));
        }
        if let Some(only) = &client.metadata.token_endpoint_auth_signing_alg
            && only.parse::<Algorithm>().ok() != header.alg.parse().ok()
        {
            return Ok(Err(format!("the client is registered for assertions signed with {only}")));
        }
        let claims: Assertion = match self.verify_signed_by(client, keys, assertion.expose()).await {
            Ok(claims) => claims,
            Err(reason) => return Ok(Err(reason)),
        };
        let now = self.0.clock.now();
        if let Err(reason) = check_claims(&claims, client, self.issuer(), now) {
            return Ok(Err(reason.to_owned()));
        }
        let remembered_until = UtcMillis::from_seconds(claims.exp).plus(SKEW);
        Ok(match self.0.store.use_assertion(&client.id, &claims.jti, remembered_until).await? {
            Change::Made => Ok(()),
            Change::TooLate => Err("the assertion's jti was used before".into()),
        })
    }
}

fn check_claims(claims: &Assertion, client: &Client, issuer: &Issuer, now: UtcMillis) -> Result<(), &'static str> {
    let expires = UtcMillis::from_seconds(claims.exp);
    let future = |time: Option<i64>| time.is_some_and(|time| UtcMillis::from_seconds(time) > now.plus(SKEW));
    let names_us = |audience: &String| {
        audience == issuer.as_str() || ENDPOINTS.iter().any(|path| *audience == issuer.endpoint(path))
    };
    let is_for_us = claims.aud.iter().any(names_us);
    if claims.iss != client.id.as_str() || claims.sub != client.id.as_str() {
        Err("the assertion's iss and sub are not the client")
    } else if !is_for_us {
        Err("the assertion's aud is not this server")
    } else if expires <= now.minus(SKEW) {
        Err("the assertion is expired")
    } else if expires > now.plus(LONGEST).plus(SKEW) {
        Err("the assertion lives longer than an hour")
    } else if future(claims.nbf) || future(claims.iat) {
        Err("the assertion is from the future")
    } else if claims.jti.is_empty() || claims.jti.len() > 256 {
        Err("the assertion's jti is missing or too long")
    } else {
        Ok(())
    }
}
