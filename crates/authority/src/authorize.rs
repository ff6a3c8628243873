//! The authorization endpoint's decision (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2).
//!
//! 1. Who asks, and where shall the answer go? Until both are known to be good, errors are pages.
//! 2. What is asked? From here on, errors travel to the redirect URI; to a stranger's only after a person has said
//!    something, and with a page between before that.
//! 3. Is the right person signed in, recently and well enough?
//! 4. Have they allowed this, now or before?
//! 5. Then a code.
//!
//! A request that was pushed (RFC 9126) is read from where it was kept, and is answered with one code.

use crate::{
    Authority, Caller, Client, Event, EventKind, Failure, LiveSession,
    issue::choose_scope,
    push::gone,
    sufficient::{Judged, Way, judge},
};
use gatepass_keys::{PlainToken, TokenId, token};
use gatepass_oauth::{
    AuthorizationRequest, AuthorizationResponse, ClientIdUrl, ClientOrigin, Error, ErrorCode, GrantType, Params,
    Prompt, RedirectUri, ResourceUri, ResponseMode, Scope, Secret, authorization::AuthorizationTarget,
};
use gatepass_store::{Change, UserId, authorization_code::AuthorizationCode, pushed_request::PushedRequest};
use std::sync::Arc;

/// What is to be done with the browser.
#[derive(Debug)]
pub enum Next {
    /// Send it there: a code or an error.
    Redirect(String),
    /// Let it post a form there: the same.
    Post {
        /// Where to.
        redirect_uri: RedirectUri,
        /// The form.
        fields: Vec<(&'static str, Secret)>,
    },
    /// Let the person go on there: an error for a stranger's program, before anybody has said anything.
    Leave(Box<Departure>),
    /// Let the person sign in first, then ask again.
    SignIn {
        /// Whom, if the client said.
        login_hint: Option<String>,
    },
    /// Ask the person.
    Consent(Box<ConsentQuestion>),
}

/// An answer that a person takes along by themselves.
#[derive(Debug)]
pub struct Departure {
    /// Why.
    pub error: Error,
    /// Where it goes.
    pub redirect_uri: RedirectUri,
    /// How: a redirect or a form.
    pub next: Next,
}

/// What the consent page shows.
#[derive(Clone, Debug)]
pub struct ConsentQuestion {
    /// The program that asks.
    pub client_name: String,
    /// Whose word its name is.
    pub client_origin: ClientOrigin,
    /// The host that stands for it, when its identifier is the address of its document.
    pub client_host: Option<String>,
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

/// A parameter that the sign-in page adds to a request that it sends on: the person was asked to sign in for it. It spares
/// nobody anything; it turns asking again into an error.
pub const WAS_SENT: (&str, &str) = ("sign_in", "done");

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
pub(crate) struct Checked {
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
        let next = self.lead_on(params, visit).await;
        if let Err(Failure::Protocol(error)) = &next {
            self.note_refusal(error, None, visit.caller).await;
        }
        next
    }

    async fn lead_on(&self, params: &Params<'_>, visit: Visit<'_>) -> Result<Next, Failure> {
        let pushed = self.pushed(params).await?;
        let stored = pushed.as_ref().map(|pushed| Params::parse(pushed.request.as_bytes())).transpose()?;
        let (params, pushed) = (stored.as_ref().unwrap_or(params), pushed.as_ref());
        let Asker { client, redirect_uri, state } = self.asker(params, Some(visit.caller)).await?;
        let mode = response_mode(params, &redirect_uri).unwrap_or_default();
        let respond = |response: AuthorizationResponse| match mode {
            ResponseMode::Query => Next::Redirect(response.location(&redirect_uri, state.as_deref(), self.issuer())),
            ResponseMode::FormPost => Next::Post {
                redirect_uri: redirect_uri.clone(),
                fields: response.fields(state.as_deref(), self.issuer()),
            },
        };
        match self.decide(params, &client, &redirect_uri, pushed, visit).await {
            Ok(Decision::Code(code)) => Ok(respond(AuthorizationResponse::Code(code))),
            Ok(Decision::Page(next)) => {
                if let Some(pushed) = pushed {
                    self.extend(pushed).await?;
                }
                Ok(next)
            }
            // Another browser was first: it got the answer.
            Ok(Decision::Gone) => Err(gone().with_detail("another browser was first").into()),
            Err(Failure::Protocol(error)) => {
                // A person's no has an event of its own, and who asks in silence expects one.
                if error.code != ErrorCode::AccessDenied && !is_of_silence(error.code) {
                    self.note_refusal(&error, Some(&client), visit.caller).await;
                }
                let silent = params.get("prompt") == Some("none") && is_of_silence(error.code);
                let spoken = silent || visit.answer != ConsentAnswer::NotAsked;
                let next = respond(AuthorizationResponse::Error(error.clone()));
                if trusts_address(&client, &redirect_uri) || spoken && visit.session.is_some() {
                    return Ok(next);
                }
                Ok(Next::Leave(Box::new(Departure { error, redirect_uri, next })))
            }
            Err(other) => Err(other),
        }
    }

    /// Where the answer to an authorization request will go; `None` when it must not go anywhere.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn redirect_uri_of(&self, params: &Params<'_>) -> Result<Option<RedirectUri>, Failure> {
        let target = async {
            let pushed = self.pushed(params).await?;
            let stored = pushed.as_ref().map(|pushed| Params::parse(pushed.request.as_bytes())).transpose()?;
            self.asker(stored.as_ref().unwrap_or(params), None).await
        };
        match target.await {
            Ok(asker) => Ok(Some(asker.redirect_uri)),
            Err(Failure::Protocol(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Step 1.
    async fn asker(&self, params: &Params<'_>, caller: Option<&Caller>) -> Result<Asker, Failure> {
        let target = AuthorizationTarget::read(params)?;
        let client = match self.client_for(&target.client_id, caller).await? {
            Ok(client) => client,
            Err(reason) => return Err(Error::new(ErrorCode::InvalidClient, reason).into()),
        };
        let redirect_uri = choose_redirect_uri(&client, target.redirect_uri)?;
        Ok(Asker { client, redirect_uri, state: target.state })
    }

    async fn decide(
        &self,
        params: &Params<'_>,
        client: &Arc<Client>,
        redirect_uri: &RedirectUri,
        pushed: Option<&PushedRequest>,
        visit: Visit<'_>,
    ) -> Result<Decision, Failure> {
        if pushed.is_none()
            && (self.0.settings.require_pushed_authorization_requests
                || client.metadata.require_pushed_authorization_requests)
        {
            return Err(Error::invalid_request("authorization requests must be pushed first (RFC 9126)").into());
        }
        let checked = self.check_request(params, client, redirect_uri).await?;
        let expected = self.expected_person(&checked.request, client).await?;
        let way = Way {
            began_at: pushed.map(|pushed| pushed.created_at),
            was_sent: pushed.is_none() && params.get(WAS_SENT.0) == Some(WAS_SENT.1),
        };
        let session = match judge(visit.session, &checked.request, expected.as_deref(), way, self.0.clock.now())? {
            Judged::Enough(session) => session,
            Judged::SignIn => return Ok(Decision::Page(Next::SignIn { login_hint: checked.request.login_hint })),
        };
        match self.consent(client, redirect_uri, session, &checked, visit).await {
            Ok(None) => match self.give_code(client, redirect_uri, session, checked, pushed).await? {
                Given::Code(code) => {
                    self.record(event(EventKind::CodeIssued, session, client, visit)).await;
                    Ok(Decision::Code(code))
                }
                Given::Gone => Ok(Decision::Gone),
                Given::SignedOut => {
                    let visit = Visit { session: None, ..visit };
                    Box::pin(self.decide(params, client, redirect_uri, pushed, visit)).await
                }
            },
            Ok(Some(question)) => Ok(Decision::Page(Next::Consent(Box::new(question)))),
            Err(refused) => match pushed.filter(|_| visit.answer == ConsentAnswer::Denied) {
                // A no is an answer too: the reference is used.
                Some(pushed) if self.deny_pushed(pushed).await? == Change::TooLate => Ok(Decision::Gone),
                _ => Err(refused),
            },
        }
    }

    async fn deny_pushed(&self, pushed: &PushedRequest) -> Result<Change, Failure> {
        Ok(self.0.store.use_pushed_request(pushed.id, self.0.clock.now()).await?)
    }

    /// Keeps a code, while the session lives and nobody has answered a pushed request before.
    async fn give_code(
        &self,
        client: &Client,
        redirect_uri: &RedirectUri,
        session: &LiveSession,
        checked: Checked,
        pushed: Option<&PushedRequest>,
    ) -> Result<Given, Failure> {
        let (code, secret) = self.mint_code(client, redirect_uri, session, checked)?;
        let now = self.0.clock.now();
        let kept = match pushed {
            None => self.0.store.add_authorization_code(&code, session.id).await?,
            Some(pushed) => self.0.store.answer_pushed_request(pushed.id, &code, session.id, now).await?,
        };
        match kept {
            Change::Made => Ok(Given::Code(secret)),
            Change::TooLate if self.0.store.live_session(session.id, now).await?.is_none() => Ok(Given::SignedOut),
            Change::TooLate => Ok(Given::Gone),
        }
    }

    /// Whom the client expects, by an ID token that it holds.
    async fn expected_person(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
    ) -> Result<Option<String>, Failure> {
        let Some(hint) = &request.id_token_hint else { return Ok(None) };
        let hint = self.read_hint(hint).await?.signed().filter(|hint| hint.aud == client.id.as_str());
        let hint =
            hint.ok_or_else(|| Error::invalid_request("id_token_hint is no ID token of this server for this client"))?;
        Ok(Some(hint.sub))
    }

    /// Every rule that does not depend on who is signed in.
    pub(crate) async fn check_request(
        &self,
        params: &Params<'_>,
        client: &Client,
        redirect_uri: &RedirectUri,
    ) -> Result<Checked, Failure> {
        let request = AuthorizationRequest::read(params)?;
        response_mode(params, redirect_uri)?;
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
        if !request.prompt.has(Prompt::Consent) && is_remembered(client, redirect_uri) {
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
            client_origin: client.origin,
            client_host: document_host(client),
            email: session.email.clone(),
            user_id: session.user_id,
            redirect_uri: redirect_uri.clone(),
            scope: scope.clone(),
            resource: (resource != self.own_resource()).then(|| resource.to_string()),
        }))
    }

    fn mint_code(
        &self,
        client: &Client,
        redirect_uri: &RedirectUri,
        session: &LiveSession,
        checked: Checked,
    ) -> Result<(AuthorizationCode, Secret), Failure> {
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
            confirmation: checked.request.dpop_jkt,
            expires_at: now.plus(self.lifetimes().authorization_code),
            grant_id: TokenId::new(now, &self.0.entropy)?,
        };
        Ok((code, plain.into_secret()))
    }
}

fn event(kind: EventKind, session: &LiveSession, client: &Client, visit: Visit<'_>) -> Event {
    Event::new(kind).user(session.user_id).client(&client.id).from(visit.caller)
}

/// What became of a code.
enum Given {
    Code(Secret),
    /// Another browser was first.
    Gone,
    /// The person has signed out in another window meanwhile.
    SignedOut,
}

enum Decision {
    Code(Secret),
    Page(Next),
    Gone,
}

/// Whether an error may send the browser there without a word: not to an address that a stranger chose, while nobody has
/// said anything. This server's name would stand for a page that is not its own (RFC 9700 §4.11.2). The RFC lets an answer
/// to `prompt=none` go where somebody is signed in.
fn trusts_address(client: &Client, redirect_uri: &RedirectUri) -> bool {
    client.origin == ClientOrigin::Operator || redirect_uri.is_loopback()
}

/// What `prompt=none` asks to be told (OpenID Connect Core §3.1.2.6).
fn is_of_silence(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::LoginRequired | ErrorCode::ConsentRequired)
}

/// How the response travels. A form is posted over http; a program's own scheme takes none.
fn response_mode(params: &Params<'_>, redirect_uri: &RedirectUri) -> Result<ResponseMode, Error> {
    let mode = ResponseMode::read(params)?;
    if mode == ResponseMode::FormPost && !redirect_uri.as_str().starts_with("http") {
        return Err(Error::invalid_request("form_post is for redirect URIs that a browser can post to"));
    }
    Ok(mode)
}

/// The requested URI if it is registered; the only registered one if none was requested.
pub(crate) fn choose_redirect_uri(client: &Client, requested: Option<RedirectUri>) -> Result<RedirectUri, Error> {
    match (requested, client.redirect_uris.as_slice()) {
        (Some(requested), registered) if registered.iter().any(|uri| uri.matches(&requested)) => Ok(requested),
        (Some(_), _) => Err(Error::invalid_request("the redirect_uri is not registered for this client")),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::invalid_request("the parameter redirect_uri is missing")),
    }
}

/// Whether a yes of before holds. A stranger's program that takes its answer on the person's machine cannot be told from
/// another one there that gives the same name, so it asks each time (RFC 8252 §8.6).
fn is_remembered(client: &Client, redirect_uri: &RedirectUri) -> bool {
    client.origin == ClientOrigin::Operator || redirect_uri.as_str().starts_with("https:")
}

/// The host that stands for a client with a document.
pub(crate) fn document_host(client: &Client) -> Option<String> {
    let is_document = client.origin == ClientOrigin::MetadataDocument;
    let url = is_document.then(|| ClientIdUrl::read(&client.id, |_| true).ok()).flatten()?;
    Some(url.host().to_owned())
}
