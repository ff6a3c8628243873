//! Telling clients of a sign-out behind the browser's back (OpenID Connect Back-Channel Logout 1.0).
//!
//! 1. With the end of a session a notice is kept for each client that holds a grant of it and wants to hear.
//! 2. Whichever node comes first takes a notice, signs a logout token and posts it. The address is a stranger's, so it
//!    goes through the fetcher with its bounds.
//! 3. A client that does not take it hears again, a few times in half an hour. Then it is given up, and noted.

use crate::{Authority, Client, Event, EventKind, Failure};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Trust};
use gatepass_keys::{TokenId, jws::base64url};
use gatepass_oauth::{
    ClientOrigin, UtcMillis,
    logout::{BACKCHANNEL_EVENT, LOGOUT_TOKEN_TYPE, LogoutToken},
};
use gatepass_store::{Change, UserId, logout_notice::LogoutNotice, token_grant::Holder};
use http::{Method, Request, header};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How many notices are under way at once.
const AT_ONCE: i64 = 16;
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

    /// Delivers the notices that are due; how many were tried.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn deliver_logout_notices(&self) -> Result<usize, Failure> {
        let due = self.0.store.due_logout_notices(self.0.clock.now(), AT_ONCE).await?;
        let tried = due.len();
        let mut under_way = JoinSet::new();
        for notice in due {
            let authority = self.clone();
            under_way.spawn(async move { authority.deliver_logout(notice).await });
        }
        while let Some(delivered) = under_way.join_next().await {
            delivered.map_err(|_| Failure::internal("a logout notice could not be delivered"))??;
        }
        Ok(tried)
    }

    async fn deliver_logout(&self, notice: LogoutNotice) -> Result<(), Failure> {
        let tries = usize::try_from(notice.attempts).unwrap_or(0);
        let wait = WAITS.get(tries).copied().unwrap_or_default();
        let now = self.0.clock.now();
        if self.0.store.take_logout_notice(&notice, now.plus(wait.max(BOUNDS.time * 2))).await? == Change::TooLate {
            return Ok(());
        }
        let client = self.find_client(&notice.client_id).await?;
        let Some((client, uri)) =
            client.as_ref().and_then(|client| Some((client, client.metadata.backchannel_logout_uri.as_deref()?)))
        else {
            return Ok(self.0.store.forget_logout_notice(notice.id).await?);
        };
        let about = |kind| Event::new(kind).client(&notice.client_id).user(notice.user_id);
        match self.post_logout_token(client, uri, &notice, now).await? {
            Ok(()) => {
                self.0.store.forget_logout_notice(notice.id).await?;
                self.record(about(EventKind::LogoutHeard)).await;
            }
            Err(why) if tries + 1 >= WAITS.len() => {
                self.0.store.forget_logout_notice(notice.id).await?;
                self.record(about(EventKind::LogoutUnheard).detail(why)).await;
            }
            Err(why) => {
                tracing::info!(client = %notice.client_id, tries = tries + 1, why, "a client did not take a logout notice")
            }
        }
        Ok(())
    }

    async fn post_logout_token(
        &self,
        client: &Arc<Client>,
        uri: &str,
        notice: &LogoutNotice,
        now: UtcMillis,
    ) -> Result<Result<(), String>, Failure> {
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
        let Ok(request) = request else { return Ok(Err("the address is none".to_owned())) };
        Ok(match self.0.fetcher.send(request, trust_in(client), BOUNDS).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// An operator's client may stand inside the operator's network; a stranger's may not.
fn trust_in(client: &Client) -> Trust {
    match client.origin {
        ClientOrigin::Operator => Trust::Operator,
        ClientOrigin::Dynamic | ClientOrigin::MetadataDocument => Trust::Stranger,
    }
}
