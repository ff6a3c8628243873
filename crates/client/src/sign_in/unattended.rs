//! Signing in without a person: a service by its own proof, a workload by what its platform says of it.
//!
//! 1. Find the server. There is no way to choose and nobody to ask.
//! 2. The client is the one that was named. A workload may have none: then its assertion speaks for itself (RFC 7521 §4.1).
//! 3. Ask the token endpoint by the [`Grant`]. That is the very request by which each later token is fetched.
//! 4. Name the account: a client is itself; of a workload the server is asked where it is gatepass's own, and else the
//!    assertion's subject stands.
//! 5. Keep it like any other sign-in: it is renewed by the rules of [`crate::refresh`], once for all programs of the machine.

use super::{SignInError, SignInRequest, wish::Wish};
use crate::{
    Account, Asker, Call, ClientAuthentication, DpopKey, Failure, Grant, Prover, Server, SignIn, SignIns, Terms,
    TlsIdentity, Tokens, WebUrl,
    assertion::subject_of,
    bearer::present,
    grant::NotGranted,
    terms::ToldBy,
    text::tidy,
    token_endpoint::TokenEndpoint,
    which_client::{Chosen, ClientError, Origin, refusal_of_client},
};
use gatepass_oauth::{ClientId, Scope, Secret, TokenResponse, TokenType};
use serde::Deserialize;
use serde_json::json;

/// What a workload without a client is called where the server has no name for it.
const WORKLOAD: &str = "workload";

/// What a gatepass server says of a token's owner.
#[derive(Default, Deserialize)]
struct WhoAmI {
    id: Option<String>,
    name: Option<String>,
    client_id: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    result: WhoAmI,
}

impl SignIns {
    /// Signs in without a person, and keeps the sign-in.
    ///
    /// # Errors
    /// [`SignInError`]. Whatever was kept before is kept still.
    pub async fn sign_in_unattended(&self, wish: &Wish, grant: Grant) -> Result<Account, SignInError> {
        // A sign-in that could not be kept is not begun.
        self.with_vault(|vault| vault.read().and_then(|_| vault.rehearse())).await?;
        let server = self.find(wish).await?;
        let client = self.named_client(wish, &server, &grant).await?;
        let server = server.for_client(&client.authentication);
        match self.ask_unattended(wish, &server, &client, grant).await {
            Err(error) => Err(match refusal_of_client(&error) {
                Some(refusal) => ClientError::Refused {
                    issuer: server.issuer.clone(),
                    client_id: client.client_id,
                    refusal: refusal.clone(),
                    // The notes tell people how to come by a client of theirs.
                    hint: None,
                }
                .into(),
                None => error,
            }),
            done => done,
        }
    }

    /// Step 2.
    async fn named_client(&self, wish: &Wish, server: &Server, grant: &Grant) -> Result<Chosen, SignInError> {
        if wish.client_id.is_some() {
            return self.choose_client(wish, server).await;
        }
        match grant {
            Grant::Assertion { .. } => Ok(Chosen {
                client_id: workload().ok_or_else(|| no_client(server))?,
                authentication: ClientAuthentication::Nameless,
                origin: Origin::Named,
            }),
            Grant::ClientCredentials | Grant::RefreshToken => Err(no_client(server).into()),
        }
    }

    async fn ask_unattended(
        &self,
        wish: &Wish,
        server: &Server,
        client: &Chosen,
        grant: Grant,
    ) -> Result<Account, SignInError> {
        let scope = wish.scope.clone().unwrap_or_else(Scope::empty);
        let bound = wish.key_binding.binds(&client.client_id, server).ok_or(SignInError::NoKeyBinding)?;
        let dpop_key = if bound { Some(DpopKey::generate()?) } else { None };
        let prover = dpop_key.as_ref().map(|key| self.prover(key));
        let endpoint = TokenEndpoint {
            asker: Asker {
                transport: self.transport(),
                clock: self.clock(),
                entropy: self.entropy(),
                client_id: &client.client_id,
                authentication: &client.authentication,
                prover,
            },
            url: &server.token_endpoint,
            resource: wish.resource.as_ref(),
            audience: wish.audience.as_deref(),
            provider: server.provider,
        };
        // Step 3.
        let requested_at = self.clock().now();
        let (response, assertion) =
            grant.ask(self.transport(), &endpoint, &scope).await.map_err(|error| match error {
                NotGranted::Server(failure) => SignInError::NoTokens(failure),
                NotGranted::NoAssertion(none) => SignInError::NoAssertion(none),
            })?;
        wish.key_binding.check(&response)?;
        // Step 4.
        let account = self.whose(wish, server, client, (&response, assertion.as_ref()), prover).await?;
        // Step 5.
        let request = SignInRequest {
            audience: wish.audience.clone(),
            ..SignInRequest::new(server.issuer.clone(), account.client_id.clone())
        };
        let mut terms = Terms::of(server, &request);
        if terms.told_by != ToldBy::Gatepass {
            // A userinfo endpoint speaks of people.
            terms.told_by = ToldBy::IdToken;
        }
        // Only a client can revoke (RFC 7009 §2.1).
        let nameless = matches!(client.authentication, ClientAuthentication::Nameless);
        let sign_in = SignIn {
            account: account.clone(),
            resource: wish.resource.clone(),
            tokens: Some(Tokens::from_response(response, &scope, None, requested_at)),
            scope,
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.revocation_endpoint.clone().filter(|_| !nameless),
            authentication: client.authentication.clone(),
            dpop_key,
            terms,
            renewal: grant,
            generation: 0,
        };
        self.keep(sign_in).await?;
        Ok(account)
    }

    async fn whose(
        &self,
        wish: &Wish,
        server: &Server,
        client: &Chosen,
        (response, assertion): (&TokenResponse, Option<&Secret>),
        prover: Option<Prover<'_>>,
    ) -> Result<Account, SignInError> {
        let named = |client_id: ClientId, subject: Option<String>, name: Option<String>| Account {
            issuer: server.issuer.clone(),
            client_id,
            subject,
            email: None,
            name,
            space: wish.space.clone(),
        };
        let Some(assertion) = assertion else {
            let subject = Some(client.client_id.to_string());
            return Ok(named(client.client_id.clone(), subject, None));
        };
        // A token for another API opens nothing at the server itself.
        if server.gatepass_client_id.is_some()
            && wish.resource.is_none()
            && let Some(who) = self.ask_gatepass(server, response, prover, client.authentication.certificate()).await?
        {
            let nameless = matches!(client.authentication, ClientAuthentication::Nameless);
            let told = who.client_id.and_then(|text| text.parse().ok()).filter(|_| nameless);
            let name = who.name.map(|name| tidy(&name, 320)).filter(|name| !name.is_empty());
            let subject = who.id.filter(|id| (1..=512).contains(&id.len()));
            return Ok(named(told.unwrap_or_else(|| client.client_id.clone()), subject, name));
        }
        Ok(named(client.client_id.clone(), subject_of(assertion), None))
    }

    /// Who the server says it is; `None` when it does not say. One that cannot be reached is no answer: the same workload
    /// would be another account the next time.
    async fn ask_gatepass(
        &self,
        server: &Server,
        response: &TokenResponse,
        prover: Option<Prover<'_>>,
        certificate: Option<&TlsIdentity>,
    ) -> Result<Option<WhoAmI>, Failure> {
        let Ok(url) = server.issuer.endpoint("/api/v1/user/rpc").parse::<WebUrl>() else { return Ok(None) };
        let call = Call::json(url, &json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" }));
        let prover = prover.filter(|_| response.token_type == TokenType::Dpop);
        let certified = certificate.map(|certificate| self.transport().showing(certificate.clone()));
        let transport = certified.as_ref().unwrap_or(self.transport());
        let reply = present(transport, prover, &response.access_token, &call).await?;
        match reply.read::<Answer>() {
            Ok(answer) => Ok(Some(answer.result)),
            Err(failure @ Failure::Unreachable { .. }) => Err(failure),
            Err(_) => Ok(None),
        }
    }
}

fn workload() -> Option<ClientId> {
    WORKLOAD.parse().ok()
}

fn no_client(server: &Server) -> ClientError {
    let hint = server.provider.map(|provider| provider.client_hint.as_str());
    ClientError::None { issuer: server.issuer.clone(), refused: None, hint }
}
