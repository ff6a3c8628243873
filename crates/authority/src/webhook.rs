//! The webhook: what the operator wants to be told at once.
//!
//! 1. An event of a chosen kind leaves a notice in the database, in the transaction of its row of the audit trail.
//! 2. A background task of each node claims what is due and posts it, signed as [Standard Webhooks] has it.
//! 3. What does not arrive is tried again, with growing pauses, for three days.
//!
//! So a notice arrives at least once, also when the server was killed meanwhile; the receiver knows a repetition by
//! `webhook-id`. The operator's own address is trusted to lie inside the network.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use crate::{Authority, Event, EventKind};
use bytes::Bytes;
use gatepass_fetch::{Bounds, Trust};
use gatepass_keys::{TokenId, WebhookKey};
use gatepass_oauth::UtcMillis;
use gatepass_store::{
    Change,
    webhook_delivery::{Delivery, NewDelivery},
};
use http::{Request, header::CONTENT_TYPE};
use serde_json::{Value, json};
use std::{
    future::Future,
    time::{Duration, UNIX_EPOCH},
};
use tokio::time::timeout;

/// How long an answer may take, and how long it may be.
const BOUNDS: Bounds = Bounds { bytes: 16 * 1024, time: Duration::from_secs(10) };
/// How long a claim holds: longer than an answer may take.
const CLAIM: Duration = Duration::from_secs(60);
/// How often a node looks for what is due without being told.
const EVERY: Duration = Duration::from_secs(15);
/// How long a notice is tried.
const LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// The pauses after the first, the second … failure; the last one is repeated.
const PAUSES: [u64; 8] = [5, 30, 2 * 60, 10 * 60, 30 * 60, 60 * 60, 3 * 60 * 60, 6 * 60 * 60];

/// Where to, signed with what, and about what.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where.
    pub url: String,
    /// With what.
    pub key: WebhookKey,
    /// About what.
    pub kinds: Vec<EventKind>,
}

impl Authority {
    /// The notice that an event gives rise to, if any.
    pub(crate) fn notice_of(&self, event: &Event, id: TokenId, now: UtcMillis) -> Option<NewDelivery> {
        let webhook = self.0.settings.webhook.as_ref()?;
        webhook.kinds.contains(&event.kind).then(|| NewDelivery {
            id,
            body: body(event, self.issuer().as_str(), now).to_string(),
            at: now,
            expires_at: now.plus(LIFE),
        })
    }

    /// The background task: delivers what is due until `end` comes. Without a webhook it has nothing to do.
    pub async fn deliver_notices(&self, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            let work = async {
                // Woken by an event here; for those of other nodes and for repetitions, by the time.
                let _ = timeout(EVERY, self.0.bell.notified()).await;
                self.deliver_due().await;
            };
            tokio::select! {
                () = work => {}
                // A delivery that is cut off is due again when its claim ends.
                () = &mut end => return,
            }
        }
    }

    /// Delivers what is due now.
    pub async fn deliver_due(&self) {
        let Some(webhook) = &self.0.settings.webhook else { return };
        loop {
            let due = match self.0.store.due_deliveries(self.0.clock.now()).await {
                Ok(due) if due.is_empty() => return,
                Ok(due) => due,
                Err(error) => return tracing::warn!(%error, "what the webhook is to be told could not be read"),
            };
            for delivery in due {
                if let Err(error) = self.deliver(webhook, &delivery).await {
                    return tracing::warn!(%error, "what became of a notice could not be written");
                }
            }
        }
    }

    async fn deliver(&self, webhook: &WebhookSettings, delivery: &Delivery) -> Result<(), gatepass_store::Error> {
        let now = self.0.clock.now();
        if self.0.store.claim_delivery(delivery, now.plus(CLAIM)).await? == Change::TooLate {
            return Ok(());
        }
        let Err(why) = self.post(webhook, delivery, now).await else {
            self.0.tally.webhook_delivered.add_one();
            return self.0.store.forget_delivery(delivery.id).await;
        };
        self.0.tally.webhook_failed.add_one();
        let next_at = now.plus(pause(delivery.attempts));
        if next_at >= delivery.expires_at {
            self.0.tally.webhook_given_up.add_one();
            tracing::error!(why, attempts = delivery.attempts + 1, "a notice to the webhook is given up");
            return self.0.store.forget_delivery(delivery.id).await;
        }
        tracing::warn!(why, attempts = delivery.attempts + 1, "the webhook did not take a notice; it is tried again");
        self.0.store.postpone_delivery(delivery.id, next_at).await
    }

    async fn post(&self, webhook: &WebhookSettings, delivery: &Delivery, now: UtcMillis) -> Result<(), String> {
        let id = format!("msg_{}", hex(&delivery.id));
        let timestamp = now.seconds().to_string();
        let signature = webhook.key.sign(&id, &timestamp, &delivery.body);
        let request = Request::post(&webhook.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(Bytes::from(delivery.body.clone()))
            .map_err(|error| error.to_string())?;
        let answer = self.0.fetcher.send(request, Trust::Operator, BOUNDS).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
    }
}

fn pause(failures: i64) -> Duration {
    let place = usize::try_from(failures).unwrap_or(0);
    Duration::from_secs(PAUSES.get(place).or(PAUSES.last()).copied().unwrap_or(5))
}

fn body(event: &Event, issuer: &str, now: UtcMillis) -> Value {
    let since = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    json!({
        "type": event.kind.as_str(),
        "timestamp": humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string(),
        "data": {
            "issuer": issuer,
            "sentence": event.kind.sentence(),
            "outcome": event.kind.outcome(),
            "actor": event.actor,
            "user_id": event.user_id.map(|id| id.to_string()),
            "client_id": event.client_id.as_ref().map(gatepass_oauth::ClientId::as_str),
            // Shortened: who holds a whole identifier of a grant could end it.
            "subject": event.subject.map(|id| format!("{id:?}")),
            "address": event.address,
            "user_agent": event.user_agent,
            "detail": event.detail,
        },
    })
}

fn hex(id: &TokenId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_last_one_is_repeated() {
        let pauses: Vec<u64> = (0..10).map(|failures| pause(failures).as_secs()).collect();
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[9]), (5, 6 * 60 * 60));
    }

    #[test]
    fn a_notice_names_a_grant_by_its_last_digits_only() {
        let event = Event::new(EventKind::RefreshReused).about(TokenId([0xab; 16]));
        assert_eq!(body(&event, "https://a.example", UtcMillis(0))["data"]["subject"], "…ababab");
    }
}
