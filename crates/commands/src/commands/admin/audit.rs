//! `gatepass admin audit`: what happened.
//!
//! People get a table, in two lines per event where the terminal is narrow; programs get an object per line. Times are
//! UTC, as in the log.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::Args;
use gatepass_client::calendar::rfc3339;
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;
use gatepass_server::authority::{
    Authority, EventKind, UserAccount,
    show_trail::{AuditFilter, AuditRow, TrailQuery, first_id, outcome},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, UNIX_EPOCH},
};

/// The most events that are shown.
const MOST: usize = 100_000;
/// How often `--follow` looks.
const EVERY: Duration = Duration::from_secs(1);
/// How far back `--follow` looks each time: what happened all the time is written a moment later than the rest.
const OVERLAP: Duration = Duration::from_secs(10);
/// The columns that one line takes.
const WIDE: usize = 110;

/// Show what happened: sign-ins, tokens, refusals, alarms
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// From when on: a time ago such as 90m or 2d, or a date such as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME", default_value = "1d")]
    since: String,
    /// Until when, in the same forms [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only this kind of event; repeatable
    #[arg(long, value_name = "KIND")]
    kind: Vec<EventKind>,
    /// Only what is about this person: an email address or an identifier
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only what this client did
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only what came from this address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Go on and show what happens, until Ctrl-C
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// The most events, the last ones
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
}

impl Audit {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let now = authority.now();
        let user = match &self.user {
            Some(text) => Some(find(authority, text).await?),
            None => None,
        };
        let filter = AuditFilter {
            kinds: self.kind.iter().map(|kind| kind.as_str().to_owned()).collect(),
            user_id: user.map(|user| user.id),
            client_id: self.client,
            address: self.address,
        };
        let query = TrailQuery {
            since: time("--since", &self.since, now)?,
            until: self.until.as_deref().map_or(Ok(end_of_time()), |text| time("--until", text, now))?,
            filter,
            limit: self.limit.clamp(1, MOST),
        };
        let mut shown = Shown { ui: context.ui, authority, emails: HashMap::new(), headed: false };
        let events = authority.trail(&query).await?;
        if events.len() == query.limit {
            context
                .ui
                .talk(&format!("These are the last {}; there may be more. Ask for them with --limit.", query.limit));
        }
        shown.all(&events).await?;
        if self.follow {
            return tokio::select! {
                failed = follow(&mut shown, &query, &events, now) => failed,
                _ = tokio::signal::ctrl_c() => Ok(()),
            };
        }
        if events.is_empty() {
            context.ui.talk("Nothing of that kind happened in this time.");
        }
        Ok(())
    }
}

/// Shows what comes, each event once.
async fn follow(shown: &mut Shown<'_>, query: &TrailQuery, events: &[AuditRow], begun: UtcMillis) -> Result<(), Error> {
    let mut seen: BTreeSet<TokenId> = events.iter().map(|event| event.id).collect();
    loop {
        tokio::time::sleep(EVERY).await;
        let now = shown.authority.now();
        let from = first_id(UtcMillis(begun.0.max(now.minus(OVERLAP).0)));
        let mut page = shown.authority.trail_after(from, &query.filter).await?;
        page.retain(|event| !seen.contains(&event.id));
        shown.all(&page).await?;
        seen.retain(|id| *id >= from);
        seen.extend(page.iter().map(|event| event.id));
    }
}

async fn find(authority: &Authority, text: &str) -> Result<UserAccount, Error> {
    authority.find_user(text).await?.ok_or_else(|| {
        Error::new(Kind::Refused, format!("there is no account for {text}"))
            .hint_command("see the accounts with", "gatepass admin user list")
    })
}

fn end_of_time() -> UtcMillis {
    UtcMillis(0xffff_ffff_ffff)
}

/// A time ago, or a date.
fn time(flag: &str, text: &str, now: UtcMillis) -> Result<UtcMillis, Error> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now.minus(ago));
    }
    let since = humantime::parse_rfc3339_weak(text).ok().and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    millis.map(UtcMillis).ok_or_else(|| {
        let wrong = format!("{flag} '{text}' is neither a time ago such as 90m or 2d nor a date in UTC");
        Error::new(Kind::Usage, wrong).hint("write a date as 2026-11-22T10:00:00Z")
    })
}

/// How events are shown, and what is known for it.
struct Shown<'a> {
    ui: &'a Ui,
    authority: &'a Authority,
    emails: HashMap<[u8; 16], String>,
    headed: bool,
}

impl Shown<'_> {
    async fn all(&mut self, events: &[AuditRow]) -> Result<(), Error> {
        for event in events {
            let who = self.who(event).await?;
            if self.ui.is_json() {
                self.ui.object(&as_json(event));
                continue;
            }
            if !std::mem::replace(&mut self.headed, true) {
                self.ui.talk("Times are UTC.");
            }
            for line in lines(event, &who, self.ui.width() >= WIDE) {
                self.ui.data(&line);
            }
        }
        Ok(())
    }

    /// The person by address, if it is known; asked for once.
    async fn who(&mut self, event: &AuditRow) -> Result<String, Error> {
        let Some(id) = event.user_id.filter(|_| !self.ui.is_json()) else { return Ok(String::new()) };
        if let Some(email) = self.emails.get(&id.0) {
            return Ok(email.clone());
        }
        let text = id.to_string();
        let email = self.authority.find_user(&text).await?.map_or(text, |user| user.email);
        self.emails.insert(id.0, email.clone());
        Ok(email)
    }
}

fn lines(event: &AuditRow, who: &str, wide: bool) -> Vec<String> {
    let time = rfc3339(event.at()).replace('T', " ").replace('Z', "");
    let client = event.client_id.as_deref().unwrap_or_default();
    let actor = event.actor.as_deref().unwrap_or_default();
    let rest: Vec<&str> =
        [who, client, actor, &event.address, &event.detail].into_iter().filter(|text| !text.is_empty()).collect();
    let rest = rest.join("  ");
    if wide || rest.is_empty() {
        vec![format!("{time}  {:<20}  {rest}", event.kind).trim_end().to_owned()]
    } else {
        vec![format!("{time}  {}", event.kind), format!("    {rest}")]
    }
}

fn as_json(event: &AuditRow) -> Value {
    json!({
        "at": rfc3339(event.at()),
        "at_millis": event.at().0,
        "event": event.kind,
        "outcome": outcome(&event.kind),
        "actor": event.actor,
        "user_id": event.user_id.map(|id| id.to_string()),
        "client_id": event.client_id,
        // Shortened: who holds a whole identifier of a grant could end it.
        "subject": event.subject.map(|id| format!("{id:?}")),
        "address": event.address,
        "user_agent": event.user_agent,
        "detail": event.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> AuditRow {
        AuditRow {
            id: first_id(UtcMillis(1_795_298_510_000)),
            kind: "sign_in_failed".into(),
            actor: None,
            user_id: None,
            client_id: Some("gatepass-cli".into()),
            subject: Some(TokenId([0xab; 16])),
            address: "2001:db8::1".into(),
            user_agent: String::new(),
            detail: String::new(),
        }
    }

    #[test]
    fn an_event_fits_into_sixty_columns_or_takes_one_line() {
        let narrow = lines(&event(), "ada@example.com", false);
        assert_eq!(narrow, ["2026-11-21 22:01:50  sign_in_failed", "    ada@example.com  gatepass-cli  2001:db8::1"]);
        assert!(narrow.iter().all(|line| line.chars().count() <= 60));
        let wide = lines(&event(), "ada@example.com", true);
        assert_eq!(wide, ["2026-11-21 22:01:50  sign_in_failed        ada@example.com  gatepass-cli  2001:db8::1"]);
    }

    #[test]
    fn a_subject_is_shortened_in_json() {
        assert_eq!(as_json(&event())["subject"], "…ababab");
    }

    #[test]
    fn a_time_is_an_age_or_a_date() {
        let now = UtcMillis(1_795_298_510_000);
        assert_eq!(time("--since", "1h", now).unwrap(), now.minus(Duration::from_secs(3600)));
        assert_eq!(time("--since", "2026-11-21T22:01:50Z", now).unwrap(), now);
        assert_eq!(time("--since", "2026-11-21 22:01:50", now).unwrap(), now);
        for bad in ["", "yesterday", "-1h", "2026"] {
            assert!(time("--since", bad, now).is_err(), "{bad}");
        }
    }
}
