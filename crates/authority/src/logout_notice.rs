//! Telling clients of a sign-out behind the browser's back (OpenID Connect Back-Channel Logout 1.0).
//!
//! 1. With the end of a session a notice is kept for each client that was given an ID token in it, or holds a grant of it,
//!    and wants to hear.
//! 2. Whichever node comes first takes a notice, signs a logout token and posts it. The address is a stranger's, so it
//!    goes through the fetcher with its bounds, and has no more than a share of what is under way.
//! 3. A client that does not take it hears again, a few times in half an hour. Then it is given up, and noted. One that
//!    does not answer at all is left alone for a moment: what else is due for it waits too.

use crate::{Authority, Client, Event, EventKind, Failure};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Trust};
use gatepass_keys::{TokenId, jws::base64url};
use gatepass_oauth::{
    ClientId, ClientOrigin, UtcMillis,
    logout::{BACKCHANNEL_EVENT, LOGOUT_TOKEN_TYPE, LogoutToken},
};
use gatepass_store::{Change, UserId, logout_notice::LogoutNotice, token_grant::Holder};
use http::{Method, Request, StatusCode, header};
use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::sleep};

/// How many notices are under way at once.
const AT_ONCE: usize = 64;
/// How many of them are of one person, and of one client. Else whoever has one account could have everybody wait, with
/// clients that take long to answer.
const SHARE: usize = 8;
/// The same two as the database takes them.
const ROWS: i64 = 64;
const SHARE_OF_ROWS: i64 = 8;
/// How often it is looked for others while some are under way.
const LOOK: Duration = Duration::from_secs(1);
/// The most notices of one sign-out.
const MOST: usize = 200;
/// How much and how long a client may answer (§2.8 asks for nothing but the status).
const BOUNDS: Bounds = Bounds { bytes: 16 * 1024, time: Duration::from_secs(5) };
/// How long a logout token may be believed (§2.4 recommends two minutes).
const LIFE: Duration = Duration::from_secs(120);
/// How long to wait after each try; there is no other after the last.
const WAITS: &[Duration] = &[
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(25 * 60),
    Duration::from_secs(60),
];

/// How long a client is left alone that does not answer at all.
const REST: Duration = Duration::from_secs(10);
/// How old a notice becomes when its client does not answer at all.
const PATIENCE: Duration = Duration::from_secs(40 * 60);

impl Authority {
    /// The notices to the clients that want to hear of the end of these grants.
    pub(crate) async fn notices(&self, holders: Vec<Holder>, user: UserId) -> Result<Vec<LogoutNotice>, Failure> {
        let now = self.0.clock.now();
        let mut notices = Vec::new();
        for holder in holders {
            let Some(client) = self.find_client(&holder.client_id).await? else { continue };
            let hears = client.metadata.backchannel_logout_uri.is_some()
                && (holder.session_id.is_some() || !client.metadata.backchannel_logout_session_required);
            if hears && notices.len() < MOST {
                notices.push(LogoutNotice {
                    id: TokenId::new(now, &self.0.entropy)?,
                    client_id: holder.client_id,
                    user_id: user,
                    session_id: holder.session_id,
                    created_at: now,
                    attempts: 0,
                    next_at: now,
                });
            }
        }
        Ok(notices)
    }

    /// Delivers the notices that are due; how many were tried. A slow client keeps nobody waiting: what ends makes room
    /// for the next.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn deliver_logout_notices(&self) -> Result<usize, Failure> {
        let mut under_way = UnderWay::default();
        let mut tried = 0;
        loop {
            if under_way.tasks.len() <= AT_ONCE / 2 {
                for notice in self.0.store.due_logout_notices(self.0.clock.now(), SHARE_OF_ROWS, ROWS).await? {
                    if under_way.has_room_for(&notice) {
                        under_way.start(self.clone(), notice);
                        tried += 1;
                    }
                }
            }
            tokio::select! {
                ended = under_way.next() => match ended {
                    Some(delivered) => delivered?,
                    None => return Ok(tried),
                },
                () = self.0.wake.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    async fn deliver_logout(&self, notice: &LogoutNotice) -> Result<(), Failure> {
        let tries = usize::try_from(notice.attempts).unwrap_or(0);
        let wait = WAITS.get(tries).copied().unwrap_or_default();
        let now = self.0.clock.now();
        if self.0.store.take_logout_notice(notice, now.plus(wait.max(BOUNDS.time * 2))).await? == Change::TooLate {
            return Ok(());
        }
        let client = self.find_client(&notice.client_id).await?;
        let Some((client, uri)) =
            client.as_ref().and_then(|client| Some((client, client.metadata.backchannel_logout_uri.as_deref()?)))
        else {
            return Ok(self.0.store.forget_logout_notice(notice.id).await?);
        };
        let about = |kind| Event::new(kind).client(&notice.client_id).user(notice.user_id);
        let unheard = match self.post_logout_token(client, uri, notice, now).await? {
            Ok(()) => {
                self.0.store.forget_logout_notice(notice.id).await?;
                self.record(about(EventKind::LogoutHeard)).await;
                return Ok(());
            }
            Err(unheard) => unheard,
        };
        let is_silent = matches!(unheard, Unheard::Silent(_));
        if is_silent {
            let now = self.0.clock.now();
            self.0.store.put_off_logout_notices(&notice.client_id, now, now.plus(REST)).await?;
        }
        if tries + 1 >= WAITS.len() || is_silent && notice.created_at.plus(PATIENCE) <= now {
            self.0.store.forget_logout_notice(notice.id).await?;
            self.record(about(EventKind::LogoutUnheard).detail(unheard)).await;
        } else {
            tracing::info!(client = %notice.client_id, tries = tries + 1, why = %unheard, "a client did not take a logout notice");
        }
        Ok(())
    }

    async fn post_logout_token(
        &self,
        client: &Arc<Client>,
        uri: &str,
        notice: &LogoutNotice,
        now: UtcMillis,
    ) -> Result<Result<(), Unheard>, Failure> {
        let claims = LogoutToken {
            iss: self.issuer().to_string(),
            sub: notice.user_id.to_string(),
            aud: client.id.to_string(),
            iat: now.seconds(),
            exp: now.plus(LIFE).seconds(),
            // The same at each try, so that a client that has heard it can tell.
            jti: base64url(&notice.id.0),
            events: serde_json::json!({ BACKCHANNEL_EVENT: {} }),
            sid: notice.session_id.map(|session| self.public_sid(session)),
        };
        let token = self.sign(client.id_token_algorithm(), LOGOUT_TOKEN_TYPE, &claims).await?;
        let body = form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body));
        let Ok(request) = request else { return Ok(Err(Unheard::Silent("the address is none".to_owned()))) };
        Ok(match self.0.fetcher.send(request, trust_in(client), BOUNDS).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Unheard::Refused(answer.status())),
            Err(error) => Err(Unheard::Silent(error.to_string())),
        })
    }
}

/// Why a client has not heard.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    /// It did not take this notice.
    #[error("it answered {0}")]
    Refused(StatusCode),
    /// It gave no answer, and would give none to another notice.
    #[error("{0}")]
    Silent(String),
}

/// The notices that are under way.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<(LogoutNotice, Result<(), Failure>)>,
    of_users: HashMap<UserId, usize>,
    of_clients: HashMap<ClientId, usize>,
}

impl UnderWay {
    fn has_room_for(&self, notice: &LogoutNotice) -> bool {
        let of_user = self.of_users.get(&notice.user_id).is_none_or(|count| *count < SHARE);
        let of_client = self.of_clients.get(&notice.client_id).is_none_or(|count| *count < SHARE);
        self.tasks.len() < AT_ONCE && of_user && of_client
    }

    fn start(&mut self, authority: Authority, notice: LogoutNotice) {
        *self.of_users.entry(notice.user_id).or_default() += 1;
        *self.of_clients.entry(notice.client_id.clone()).or_default() += 1;
        self.tasks.spawn(async move {
            let delivered = authority.deliver_logout(&notice).await;
            (notice, delivered)
        });
    }

    /// The end of the next; `None` when nothing is under way.
    async fn next(&mut self) -> Option<Result<(), Failure>> {
        let Ok((notice, delivered)) = self.tasks.join_next().await? else {
            return Some(Err(Failure::internal("a logout notice could not be delivered")));
        };
        give_back(&mut self.of_users, &notice.user_id);
        give_back(&mut self.of_clients, &notice.client_id);
        Some(delivered)
    }
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// An operator's client may stand inside the operator's network; a stranger's may not.
fn trust_in(client: &Client) -> Trust {
    match client.origin {
        ClientOrigin::Operator => Trust::Operator,
        ClientOrigin::Dynamic | ClientOrigin::MetadataDocument => Trust::Stranger,
    }
}
