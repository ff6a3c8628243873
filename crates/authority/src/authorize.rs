//! The authorization endpoint's decision (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2).
//!
//! 1. Who asks, and where shall the answer go? Until both are known to be good, errors are pages.
//! 2. What is asked? From here on, errors travel to the redirect URI.
//! 3. Is somebody signed in, recently enough?
//! 4. Have they allowed this, now or before?
//! 5. Then a code.

use crate::{Authority, Caller, Client, Event, EventKind, Failure, LiveSession, issue::choose_scope};
use gatepass_keys::{PlainToken, TokenId, token};
use gatepass_oauth::{
    AuthorizationRequest, AuthorizationResponse, Error, ErrorCode, GrantType, Params, Prompt, RedirectUri, ResourceUri,
    Scope, UtcMillis, authorization::AuthorizationTarget,
};
use gatepass_store::{UserId, authorization_code::AuthorizationCode};
use std::sync::Arc;

/// What is to be done with the browser.
#[derive(Debug)]
pub enum Next {
    /// Send it there: a code or an error.
    Redirect(String),
    /// Let the person sign in first, then ask again.
    SignIn {
        /// Whom, if the client said.
        login_hint: Option<String>,
    },
    /// Ask the person.
    Consent(Box<ConsentQuestion>),
}

/// What the consent page shows.
#[derive(Clone, Debug)]
pub struct ConsentQuestion {
    /// The program that asks.
    pub client_name: String,
    /// Whom it asks.
    pub email: String,
    /// The same person, for the answer to name.
    pub user_id: UserId,
    /// Where the answer goes.
    pub redirect_uri: RedirectUri,
    /// For what.
    pub scope: Scope,
    /// For which API, unless this server's own.
    pub resource: Option<String>,
}

/// What the person said on the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentAnswer {
    /// The page was not shown yet.
    NotAsked,
    /// Yes.
    Allowed,
    /// No.
    Denied,
}

/// The browser that came.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Who is signed in there.
    pub session: Option<&'a LiveSession>,
    /// What they said.
    pub answer: ConsentAnswer,
    /// Where it is.
    pub caller: &'a Caller,
}

/// Who asks, and where the answer goes; both checked.
struct Asker {
    client: Arc<Client>,
    redirect_uri: RedirectUri,
    state: Option<String>,
}

/// A request whose every part was checked against the client.
struct Checked {
    request: AuthorizationRequest,
    scope: Scope,
    resource: ResourceUri,
}

impl Authority {
    /// Decides what happens to an authorization request.
    ///
    /// # Errors
    /// An error that must be shown as a page: the redirect URI is not known to be good.
    pub async fn authorize(&self, params: &Params<'_>, visit: Visit<'_>) -> Result<Next, Failure> {
        let Asker { client, redirect_uri, state } = self.asker(params).await?;
        let respond = |response: AuthorizationResponse| {
            Next::Redirect(response.location(&redirect_uri, state.as_deref(), self.issuer()))
        };
        match self.decide(params, &client, &redirect_uri, visit).await {
            Ok(Decision::Code(code)) => Ok(respond(AuthorizationResponse::Code(code))),
            Ok(Decision::Page(next)) => Ok(next),
            Err(Failure::Protocol(error)) => Ok(respond(AuthorizationResponse::Error(error))),
            Err(other) => Err(other),
        }
    }

    /// Where the answer to an authorization request will go; `None` when it must not go anywhere.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn redirect_uri_of(&self, params: &Params<'_>) -> Result<Option<RedirectUri>, Failure> {
        match self.asker(params).await {
            Ok(asker) => Ok(Some(asker.redirect_uri)),
            Err(Failure::Protocol(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Step 1.
    async fn asker(&self, params: &Params<'_>) -> Result<Asker, Failure> {
        let target = AuthorizationTarget::read(params)?;
        let Some(client) = self.find_client(&target.client_id).await? else {
            return Err(Error::invalid_request("the client_id is unknown").into());
        };
        let redirect_uri = choose_redirect_uri(&client, target.redirect_uri)?;
        Ok(Asker { client, redirect_uri, state: target.state })
    }

    async fn decide(
        &self,
        params: &Params<'_>,
        client: &Arc<Client>,
        redirect_uri: &RedirectUri,
        visit: Visit<'_>,
    ) -> Result<Decision, Failure> {
        let checked = self.check_request(params, client).await?;
        let session = match visit.session.filter(|session| is_recent(session, &checked.request, self.0.clock.now())) {
            Some(session) => session,
            None if checked.request.prompt.has(Prompt::None) => {
                return Err(Error::new(ErrorCode::LoginRequired, "nobody is signed in, or not recently enough").into());
            }
            None => return Ok(Decision::Page(Next::SignIn { login_hint: checked.request.login_hint })),
        };
        match self.consent(client, redirect_uri, session, &checked, visit).await? {
            None => {
                let code = self.mint_code(client, redirect_uri, session, checked).await?;
                self.record(event(EventKind::CodeIssued, session, client, visit)).await;
                Ok(Decision::Code(code))
            }
            Some(question) => Ok(Decision::Page(Next::Consent(Box::new(question)))),
        }
    }

    async fn check_request(&self, params: &Params<'_>, client: &Client) -> Result<Checked, Failure> {
        let request = AuthorizationRequest::read(params)?;
        if !client.may_use(GrantType::AuthorizationCode) {
            let error = Error::new(ErrorCode::UnauthorizedClient, "this client may not use authorization codes");
            return Err(error.into());
        }
        let scope = choose_scope(client, Some(&request.scope))?;
        let (scope, resource) = self.choose_target(client, scope, request.resource.as_ref()).await?;
        Ok(Checked { request, scope, resource })
    }

    /// `None` when the person has allowed this; a question when they must be asked.
    async fn consent(
        &self,
        client: &Client,
        redirect_uri: &RedirectUri,
        session: &LiveSession,
        checked: &Checked,
        visit: Visit<'_>,
    ) -> Result<Option<ConsentQuestion>, Failure> {
        let Checked { request, scope, resource } = checked;
        match visit.answer {
            ConsentAnswer::Denied => {
                self.record(event(EventKind::ConsentDenied, session, client, visit)).await;
                return Err(Error::new(ErrorCode::AccessDenied, "the person said no").into());
            }
            ConsentAnswer::Allowed => {
                self.0.store.add_consent(session.user_id, &client.id, resource, scope, self.0.clock.now()).await?;
                self.record(event(EventKind::ConsentGiven, session, client, visit).detail(scope)).await;
                return Ok(None);
            }
            ConsentAnswer::NotAsked => {}
        }
        // gatepass's own programs stand on this machine, where the redirect goes.
        if client.first_party_since.is_some() && redirect_uri.is_loopback() && !request.prompt.has(Prompt::Consent) {
            return Ok(None);
        }
        if !request.prompt.has(Prompt::Consent) {
            let before = self.0.store.consented(session.user_id, &client.id, resource).await?;
            if before.is_some_and(|before| scope.is_within(&before)) {
                return Ok(None);
            }
        }
        if request.prompt.has(Prompt::None) {
            return Err(Error::new(ErrorCode::ConsentRequired, "the person has not allowed this yet").into());
        }
        Ok(Some(ConsentQuestion {
            client_name: client.name.clone(),
            email: session.email.clone(),
            user_id: session.user_id,
            redirect_uri: redirect_uri.clone(),
            scope: scope.clone(),
            resource: (resource != self.own_resource()).then(|| resource.to_string()),
        }))
    }

    async fn mint_code(
        &self,
        client: &Client,
        redirect_uri: &RedirectUri,
        session: &LiveSession,
        checked: Checked,
    ) -> Result<gatepass_oauth::Secret, Failure> {
        let now = self.0.clock.now();
        let plain = PlainToken::<token::AuthorizationCode>::mint(now, &self.0.entropy)?;
        let code = AuthorizationCode {
            id: plain.id(),
            hash: plain.hash(),
            client_id: client.id.clone(),
            user_id: session.user_id,
            redirect_uri: redirect_uri.clone(),
            scope: checked.scope,
            resource: checked.resource,
            code_challenge: checked.request.code_challenge,
            nonce: checked.request.nonce,
            authentication: session.authentication(),
            confirmation: None,
            expires_at: now.plus(self.lifetimes().authorization_code),
            used_at: None,
            grant_id: TokenId::new(now, &self.0.entropy)?,
        };
        self.0.store.add_authorization_code(&code).await?;
        Ok(plain.into_secret())
    }
}

fn event(kind: EventKind, session: &LiveSession, client: &Client, visit: Visit<'_>) -> Event {
    Event::new(kind).user(session.user_id).client(&client.id).from(visit.caller)
}

enum Decision {
    Code(gatepass_oauth::Secret),
    Page(Next),
}

/// The requested URI if it is registered; the only registered one if none was requested.
fn choose_redirect_uri(client: &Client, requested: Option<RedirectUri>) -> Result<RedirectUri, Error> {
    match (requested, client.redirect_uris.as_slice()) {
        (Some(requested), registered) if registered.iter().any(|uri| uri.matches(&requested)) => Ok(requested),
        (Some(_), _) => Err(Error::invalid_request("the redirect_uri is not registered for this client")),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::invalid_request("the parameter redirect_uri is missing")),
    }
}

/// Whether the sign-in is recent enough for the request. `prompt=login` is never satisfied by an
/// earlier one; the page that asks takes it out of the request once the person has signed in.
fn is_recent(session: &LiveSession, request: &AuthorizationRequest, now: UtcMillis) -> bool {
    let age = session.authenticated_at.until(now).as_secs();
    !request.prompt.demands_sign_in() && request.max_age.is_none_or(|most| age <= most)
}
