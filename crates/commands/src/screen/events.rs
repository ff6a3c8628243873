//! The events of a sign-in for a program that wraps it: one object a line on stdout.
//!
//! `url`, `code` and `pending` are made here; `login` adds `done`, and `error` is the common one of every command. Their
//! members are told in `docs/login.md`.

use gatepass_client::{Event, calendar::rfc3339, oauth::UtcMillis, text::tidy};
use serde_json::{Value, json};

/// The object that tells an event; `None` for what only a person cares for.
pub(super) fn as_json(event: &Event, now: UtcMillis) -> Option<Value> {
    Some(match event {
        Event::Url(url) => json!({"event": "url", "url": url}),
        Event::UrlRenewed(url) => json!({"event": "url", "url": url, "renewed": true}),
        Event::Code(code) => json!({
            "event": "code",
            "user_code": code.user_code,
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete,
            "number_match": code.number_match,
            "expires_at": rfc3339(code.expires_at),
            "expires_in": now.until(code.expires_at).as_secs(),
        }),
        Event::Pending => json!({"event": "pending"}),
        Event::Trouble(failure) => json!({"event": "pending", "trouble": failure.to_string()}),
        Event::PasteRefused(why) => json!({"event": "pending", "trouble": tidy(why, 300)}),
        Event::Chosen(_) | Event::WayEnded(_) | Event::NotRevoked(_) => return None,
    })
}
