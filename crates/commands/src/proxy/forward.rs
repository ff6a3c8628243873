//! One request's way there and back.

use super::{
    Credential, Guard, Keeper, Upstream,
    body::{Active, Activity, Answer},
    connect::Connections,
    guard::is_own_origin,
    headers::{self, Connection},
    problem::{Problem, broken_request},
    replay::{Budget, Memory, Outgoing, pass},
    tunnel,
};
use gatepass_client::dpop::lesson::{Lesson, Lessons};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    body::Incoming,
    header::{CONNECTION, HeaderValue, TE, UPGRADE},
    http::request,
    upgrade::OnUpgrade,
};
use std::{convert::Infallible, io, sync::Arc, time::Duration};

/// The longest that the beginning of an answer is waited for: long polls and large uploads take their time.
const ANSWER: Duration = Duration::from_secs(3600);

/// What forwards.
pub(crate) struct Forward {
    guard: Guard,
    prefix: String,
    port: u16,
    upstream: Upstream,
    connections: Connections,
    keeper: Arc<Keeper>,
    budget: Arc<Budget>,
    pub(super) activity: Arc<Activity>,
}

/// A request for the upstream, but for its token and its body, so that it can be sent twice.
struct Outbound {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    connection: Connection,
}

/// Why a sending brought no answer.
enum Unanswered {
    /// The upstream closed the connection without a word.
    Closed(Problem),
    /// Anything else.
    Problem(Problem),
}

impl Unanswered {
    fn into_problem(self) -> Problem {
        match self {
            Self::Closed(problem) | Self::Problem(problem) => problem,
        }
    }
}

/// The body once more.
fn again(memory: Option<&Memory>) -> Option<Outgoing> {
    memory.map_or(Some(Outgoing::Empty), Memory::again)
}

/// Whether a connection that was there ended before anything came back on it.
fn was_closed(error: &hyper_util::client::legacy::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
            || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Forward {
    pub(crate) fn new(
        guard: Guard,
        port: u16,
        upstream: Upstream,
        connections: Connections,
        keeper: Arc<Keeper>,
    ) -> Arc<Self> {
        let (prefix, budget, activity) = (guard.prefix(), Arc::default(), Activity::new());
        Arc::new(Self { guard, prefix, port, upstream, connections, keeper, budget, activity })
    }

    /// Answers a request, whatever happens.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        active: Active,
    ) -> Result<Response<Answer>, Infallible> {
        Ok(match self.forward(request, active).await {
            Ok(response) => response,
            Err(problem) => {
                tracing::debug!(?problem, "a request was not forwarded");
                problem.into_response()
            }
        })
    }

    async fn forward(&self, mut request: Request<Incoming>, active: Active) -> Result<Response<Answer>, Problem> {
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let (parts, body) = request.into_parts();
        let outbound = self.outbound(parts)?;
        active.is_let_in();
        let (body, memory) = pass(body, &self.budget, self.keeper.can_refresh());
        let credential = self.keeper.credential().await?;
        let mut lessons = Lessons::default();
        let response = self.send(&outbound, &credential, body, memory.as_ref(), &mut lessons).await?;
        let response = if response.status() == StatusCode::UNAUTHORIZED {
            Box::pin(self.once_more(response, &outbound, &credential, memory.as_ref(), &mut lessons)).await?
        } else {
            response
        };
        self.give_back(response, &outbound, client, active)
    }

    /// The guard, and the request as the upstream is to get it.
    fn outbound(&self, parts: request::Parts) -> Result<Outbound, Problem> {
        let rest = self.guard.admit(&parts.uri, &parts.headers)?;
        // A tunnel would lead anywhere, and TRACE tells the token to whoever asks (RFC 9110 §9.3.8).
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            let refused = format!("{} is not forwarded", parts.method);
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, refused));
        }
        let bad = |_| Problem::new(StatusCode::BAD_REQUEST, "the path has a segment '.' or '..', or is none");
        let uri = self.upstream.uri(rest).map_err(bad)?;
        let mut headers = parts.headers;
        let connection = headers::take_connection(&mut headers);
        headers::toward_upstream(&mut headers, &self.upstream, |origin| is_own_origin(origin, self.port));
        if let Some(protocol) = &connection.upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol.clone());
        } else if connection.trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        Ok(Outbound { method: parts.method, uri, headers, connection })
    }

    async fn send_once(
        &self,
        outbound: &Outbound,
        credential: &Credential,
        body: Outgoing,
        memory: Option<&Memory>,
    ) -> Result<(Response<Incoming>, Option<Lesson>), Unanswered> {
        let mut request = Request::new(body);
        *request.method_mut() = outbound.method.clone();
        *request.uri_mut() = outbound.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = outbound.headers.clone();
        let authorized = credential.authorize(request.headers_mut(), &outbound.method, &outbound.uri).await;
        let used = authorized.map_err(Unanswered::Problem)?;
        let is_upgrade = outbound.connection.upgrade.is_some();
        let client = if is_upgrade { &self.connections.upgrades } else { &self.connections.usual };
        let host = || self.upstream.url().host();
        match tokio::time::timeout(ANSWER, client.request(request)).await {
            Ok(Ok(response)) => {
                let lesson = credential.learn(&used, &response);
                Ok((response, lesson))
            }
            Ok(Err(_)) if memory.is_some_and(Memory::client_failed) => Err(Unanswered::Problem(broken_request())),
            Ok(Err(error)) => {
                let problem = Problem::no_answer(&host(), &error);
                Err(if was_closed(&error) { Unanswered::Closed(problem) } else { Unanswered::Problem(problem) })
            }
            Err(_) => {
                let late = format!("{} gave no answer within an hour", host());
                Err(Unanswered::Problem(Problem::new(StatusCode::GATEWAY_TIMEOUT, late)))
            }
        }
    }

    /// Sends a request, again with another proof as long as its answers teach something (RFC 9449 §9) and its body is
    /// remembered.
    async fn send(
        &self,
        outbound: &Outbound,
        credential: &Credential,
        body: Outgoing,
        memory: Option<&Memory>,
        lessons: &mut Lessons,
    ) -> Result<Response<Incoming>, Problem> {
        let mut body = body;
        loop {
            let (response, lesson) = self.deliver(outbound, credential, body, memory).await?;
            if !lesson.is_some_and(|lesson| lessons.are_new(lesson)) {
                return Ok(response);
            }
            body = match again(memory) {
                Some(body) => body,
                None => return Ok(response),
            };
        }
    }

    /// A kept connection may be closed by the upstream in the very moment in which a request goes out; one without a body
    /// that may be made twice is then made once more (RFC 9110 §9.2.2).
    async fn deliver(
        &self,
        outbound: &Outbound,
        credential: &Credential,
        body: Outgoing,
        memory: Option<&Memory>,
    ) -> Result<(Response<Incoming>, Option<Lesson>), Problem> {
        let may_repeat = memory.is_none() && outbound.method.is_idempotent();
        match self.send_once(outbound, credential, body, memory).await {
            Err(Unanswered::Closed(_)) if may_repeat => {
                self.send_once(outbound, credential, Outgoing::Empty, None).await.map_err(Unanswered::into_problem)
            }
            sent => sent.map_err(Unanswered::into_problem),
        }
    }

    /// After a 401: the same request with a new token, if it can be had and the body is remembered.
    async fn once_more(
        &self,
        refused: Response<Incoming>,
        outbound: &Outbound,
        used: &Credential,
        memory: Option<&Memory>,
        lessons: &mut Lessons,
    ) -> Result<Response<Incoming>, Problem> {
        let Some(credential) = self.keeper.after_401(used).await? else { return Ok(refused) };
        // The client may repeat what is not remembered; the next request has the new token.
        let Some(body) = again(memory) else { return Ok(refused) };
        drop(refused);
        let response = self.send(outbound, &credential, body, memory, lessons).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.keeper.still_refused();
        }
        Ok(response)
    }

    fn give_back(
        &self,
        mut response: Response<Incoming>,
        outbound: &Outbound,
        client: Option<OnUpgrade>,
        active: Active,
    ) -> Result<Response<Answer>, Problem> {
        let upstream =
            (response.status() == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(&mut response));
        let (mut parts, body) = response.into_parts();
        parts.version = Version::HTTP_11;
        let protocol = headers::take_connection(&mut parts.headers).upgrade;
        headers::toward_client(&mut parts.headers, &self.upstream, &outbound.uri, &self.prefix);
        let Some(upstream) = upstream else {
            return Ok(Response::from_parts(parts, Answer::Upstream { body, _active: active }));
        };
        let (Some(protocol), Some(client)) = (protocol, client) else {
            let nonsense = format!("{} changed to a protocol that nobody asked for", self.upstream.url().host());
            return Err(Problem::new(StatusCode::BAD_GATEWAY, nonsense));
        };
        parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, protocol);
        tokio::spawn(tunnel::join(client, upstream, active));
        Ok(Response::from_parts(parts, Answer::Own(None)))
    }
}
