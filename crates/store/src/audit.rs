//! What happened: pages that are added and, when their time is over, deleted by the sweep. No statement changes one, and
//! a trigger refuses whoever tries.
//!
//! A page is a list of events as JSON, so that hundreds of them cost one insertion. The view `audit_event` shows them as
//! rows, on both engines. A page's identifier is a UUIDv7 of the moment at which it was written, so pages lie in that
//! order, which is the order of the events but for a moment. A listing walks it in steps of a bounded number of pages,
//! whatever its filter lets through.

use crate::{Error, Store, UserId};
use gatepass_db::{FromRow, Row, Stmt, Value, params};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;
use std::{borrow::Cow, ops::Range};

/// The most events that a page should hold; the largest one is then a few ten kibibytes.
pub const PAGE: usize = 256;
/// How late a page may be written, as far as a listing up to some time cares.
const LATE: i64 = 60_000;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// When, and which of that millisecond.
    pub id: TokenId,
    /// What.
    pub kind: Cow<'static, str>,
    /// Who did it, when it was nobody at the other end of a request.
    pub actor: Option<Cow<'static, str>>,
    /// To or by whom.
    pub user_id: Option<UserId>,
    /// By which program.
    pub client_id: Option<Box<str>>,
    /// The grant, token, device, session or trust policy that it is about.
    pub subject: Option<TokenId>,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// What else there is to say.
    pub detail: String,
}

/// A page on its way: events are put on it as they happen, each for its own part of the price.
#[derive(Debug, Default)]
pub struct Page {
    /// The beginning of a list in JSON.
    text: Vec<u8>,
    events: usize,
}

impl Page {
    /// A page of one event.
    ///
    /// # Errors
    /// As of [`Page::push`].
    pub fn of(event: &AuditRow) -> Result<Self, Error> {
        let mut page = Self::default();
        page.push(event)?;
        Ok(page)
    }

    /// An empty one, with room for as much as stands on this one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { text: Vec::with_capacity(self.text.len()), events: 0 }
    }

    /// Puts an event on it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it cannot be written as JSON, which no text is a reason for. The page is then as it was.
    pub fn push(&mut self, event: &AuditRow) -> Result<(), Error> {
        let before = self.text.len();
        self.text.push(if self.events == 0 { b'[' } else { b',' });
        if let Err(error) = event.write(&mut self.text) {
            self.text.truncate(before);
            return Err(Error::Corrupt { what: error.to_string() });
        }
        self.events += 1;
        Ok(())
    }

    /// How many events stand on it.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// The statement that adds it.
    fn insert(&self, id: TokenId) -> Result<Stmt, Error> {
        let begun = str::from_utf8(&self.text).map_err(|error| Error::Corrupt { what: error.to_string() })?;
        let text = [begun, if self.events == 0 { "[]" } else { "]" }].concat();
        Ok(Stmt::new(ADD, params![id.0, text]))
    }
}

/// An identifier as 32 hexadecimal digits.
fn hex(id: [u8; 16]) -> [u8; 32] {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// Which events a listing shows.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only these kinds; empty: all.
    pub kinds: Vec<String>,
    /// Only what is about this person.
    pub user_id: Option<UserId>,
    /// Only what this program did.
    pub client_id: Option<String>,
    /// Only what came from here.
    pub address: Option<String>,
}

const ADD: &str = "insert into audit (id, events) values ($1, $2)";
const STEP_UP: &str = "select id from audit where id > $1 order by id limit 1 offset 199";
const STEP_DOWN: &str = "select id from audit where id < $1 order by id desc limit 1 offset 199";
const PAGES_UP: &str = "select id, kind, actor, user_id, client_id, subject, address, user_agent, detail
 from audit_event where page > $1 and page <= $2 and at >= $3 and at < $4
 and (user_id = $5 or $5 is null) and (client_id = $6 or $6 is null) and (address = $7 or $7 is null)
 and ($8 = '' or $8 like '% ' || kind || ' %') order by id";
const PAGES_DOWN: &str = "select id, kind, actor, user_id, client_id, subject, address, user_agent, detail
 from audit_event where page >= $1 and page < $2 and at >= $3 and at < $4
 and (user_id = $5 or $5 is null) and (client_id = $6 or $6 is null) and (address = $7 or $7 is null)
 and ($8 = '' or $8 like '% ' || kind || ' %') order by id desc";

pub(crate) const STATEMENTS: &[&str] = &[ADD, STEP_UP, STEP_DOWN, PAGES_UP, PAGES_DOWN];

impl FromRow for AuditRow {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: TokenId(unhex(&row.get::<String>(0)?)?),
            kind: row.get::<String>(1)?.into(),
            actor: row.get::<Option<String>>(2)?.map(Cow::from),
            user_id: row.get::<Option<String>>(3)?.map(|text| unhex(&text)).transpose()?.map(UserId),
            client_id: row.get::<Option<String>>(4)?.map(String::into_boxed_str),
            subject: row.get::<Option<String>>(5)?.map(|text| unhex(&text)).transpose()?.map(TokenId),
            address: row.get(6)?,
            user_agent: row.get(7)?,
            detail: row.get(8)?,
        })
    }
}

fn unhex(text: &str) -> Result<[u8; 16], Error> {
    let number = u128::from_str_radix(text, 16);
    number.map(u128::to_be_bytes).map_err(|_| Error::Corrupt { what: "an event's identifier is no number".into() })
}

impl AuditRow {
    /// When it happened: the time that the identifier begins with.
    #[must_use]
    pub fn at(&self) -> UtcMillis {
        UtcMillis(i64::try_from(u128::from_be_bytes(self.id.0) >> 80).unwrap_or(i64::MAX))
    }

    /// The event as a JSON object. What never needs escaping is written as it is, the texts of strangers by the library;
    /// what is missing or empty is left out.
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        fn text(out: &mut Vec<u8>, name: &str, value: &str) -> serde_json::Result<()> {
            if value.is_empty() {
                return Ok(());
            }
            out.extend_from_slice(name.as_bytes());
            serde_json::to_writer(out, value)
        }
        fn id(out: &mut Vec<u8>, name: &str, id: Option<[u8; 16]>) {
            let Some(id) = id else { return };
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&hex(id));
            out.push(b'"');
        }
        id(out, "{\"id\":\"", Some(self.id.0));
        out.extend_from_slice(b",\"at\":");
        serde_json::to_writer(&mut *out, &self.at().0)?;
        text(out, ",\"kind\":", &self.kind)?;
        text(out, ",\"actor\":", self.actor.as_deref().unwrap_or_default())?;
        id(out, ",\"user_id\":\"", self.user_id.map(|id| id.0));
        text(out, ",\"client_id\":", self.client_id.as_deref().unwrap_or_default())?;
        id(out, ",\"subject\":\"", self.subject.map(|id| id.0));
        text(out, ",\"address\":", &self.address)?;
        text(out, ",\"user_agent\":", &without_nul(&self.user_agent))?;
        text(out, ",\"detail\":", &without_nul(&self.detail))?;
        out.push(b'}');
        Ok(())
    }
}

/// The text without the one character that PostgreSQL's text cannot hold.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// The first identifier of a millisecond: everything of an earlier one lies before it.
#[must_use]
pub fn first_id(at: UtcMillis) -> TokenId {
    let time = u128::try_from(at.0.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    TokenId((time << 80).to_be_bytes())
}

/// Where the pages end on which something stands that happened before `until`.
#[must_use]
pub fn end_of_pages(until: UtcMillis) -> TokenId {
    first_id(UtcMillis(until.0.saturating_add(LATE).min(0xffff_ffff_ffff)))
}

impl Store {
    /// Adds a page, and with it the notice that its event gives rise to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_audit(
        &self,
        id: TokenId,
        page: &Page,
        notice: Option<crate::webhook_delivery::NewDelivery>,
    ) -> Result<(), Error> {
        let mut statements = vec![page.insert(id)?];
        statements.extend(notice.map(crate::webhook_delivery::NewDelivery::insert));
        // Insertions touch their row or fail: there is no third outcome.
        self.db.batch(statements).await.map(drop)
    }

    /// The events on the pages after `after` that the filter lets through, and from where to go on; `None` at the end of
    /// the table. Looks at 200 pages at most.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn audit_after(
        &self,
        after: TokenId,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, Option<TokenId>), Error> {
        let step = self.db.query::<[u8; 16]>(STEP_UP, params![after.0]).await?.into_iter().next();
        let all_time = UtcMillis(0)..UtcMillis(i64::MAX);
        let page = self.db.query(PAGES_UP, filter.params(after.0, step.unwrap_or([0xff; 16]), &all_time)).await?;
        Ok((page, step.map(TokenId)))
    }

    /// The events of a time on the pages before `before`, the last first, and from where to go on; `None` at the end.
    /// Looks at 200 pages at most.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn audit_before(
        &self,
        before: TokenId,
        time: &Range<UtcMillis>,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, Option<TokenId>), Error> {
        let step = self.db.query::<[u8; 16]>(STEP_DOWN, params![before.0]).await?.into_iter().next();
        // What happened is written afterwards, so the pages of a time begin with it.
        let least = first_id(time.start);
        let step = step.filter(|step| *step > least.0);
        let page = self.db.query(PAGES_DOWN, filter.params(step.unwrap_or(least.0), before.0, time)).await?;
        Ok((page, step.map(TokenId)))
    }
}

impl AuditFilter {
    fn params(&self, from: [u8; 16], to: [u8; 16], time: &Range<UtcMillis>) -> Vec<Value> {
        let kinds = if self.kinds.is_empty() { String::new() } else { format!(" {} ", self.kinds.join(" ")) };
        let user = self.user_id.map(|id| String::from_utf8_lossy(&hex(id.0)).into_owned());
        params![from, to, time.start.0, time.end.0, user, self.client_id.clone(), self.address.clone(), kinds]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_page_is_json_whatever_strangers_write() {
        let whole = AuditRow {
            id: TokenId([0xab; 16]),
            kind: "token_issued".into(),
            actor: Some("operator".into()),
            user_id: Some(UserId([1; 16])),
            client_id: Some("a\"b\\c".into()),
            subject: Some(TokenId([0; 16])),
            address: "2001:db8::1".into(),
            user_agent: "\u{1}\0\"},{\u{202e}".into(),
            detail: "ü\n".into(),
        };
        let bare = AuditRow {
            actor: None,
            user_id: None,
            client_id: None,
            subject: None,
            address: String::new(),
            user_agent: String::new(),
            detail: String::new(),
            ..whole.clone()
        };
        let mut page = Page::of(&whole).unwrap();
        page.push(&bare).unwrap();
        let text = String::from_utf8([page.text.as_slice(), b"]"].concat()).unwrap();
        let at = whole.at().0;
        let expected = json!([
            {
                "id": "ab".repeat(16), "at": at, "kind": "token_issued", "actor": "operator",
                "user_id": "01".repeat(16), "client_id": "a\"b\\c", "subject": "00".repeat(16),
                "address": "2001:db8::1", "user_agent": "\u{1}\"},{\u{202e}", "detail": "ü\n",
            },
            { "id": "ab".repeat(16), "at": at, "kind": "token_issued" },
        ]);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert_eq!((page.events(), page.next().events()), (2, 0));
    }
}
