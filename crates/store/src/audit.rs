//! What happened: rows that are added and, when their time is over, deleted by the sweep. No statement changes one, and
//! a trigger refuses whoever tries.
//!
//! The identifier is a UUIDv7, so rows lie in the order of time. A listing walks that order in steps of a bounded number
//! of rows, whatever its filter lets through.

use crate::{Error, Store, UserId, columns::Columns, insertion::insertion};
use gatepass_db::{FromRow, Row, Stmt, Value, params};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;
use std::borrow::Cow;

/// One thing that happened, in columns.
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
    /// The grant, device or session that it is about.
    pub subject: Option<TokenId>,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// What else there is to say.
    pub detail: String,
}

/// Which rows a listing shows.
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

const COLUMNS: usize = 9;
const HEAD: &str = "insert into audit (id, kind, actor, user_id, client_id, subject, address, user_agent, detail)";

/// Insertions of a fixed number of rows, the largest first.
const INSERTIONS: [(usize, &str); 5] = [
    (256, insertion!(HEAD, COLUMNS, 256)),
    (64, insertion!(HEAD, COLUMNS, 64)),
    (16, insertion!(HEAD, COLUMNS, 16)),
    (4, insertion!(HEAD, COLUMNS, 4)),
    (1, insertion!(HEAD, COLUMNS, 1)),
];

/// How many rows one insertion takes at most.
pub const LARGEST_INSERTION: usize = 256;

const STEP_UP: &str = "select id from audit where id > $1 order by id limit 1 offset 4999";
const STEP_DOWN: &str = "select id from audit where id < $1 order by id desc limit 1 offset 4999";
const PAGE_UP: &str = "select id, kind, actor, user_id, client_id, subject, address, user_agent, detail
 from audit where id > $1 and id <= $2
 and (user_id = $3 or $3 is null) and (client_id = $4 or $4 is null) and (address = $5 or $5 is null)
 and ($6 = '' or $6 like '% ' || kind || ' %') order by id";
const PAGE_DOWN: &str = "select id, kind, actor, user_id, client_id, subject, address, user_agent, detail
 from audit where id >= $1 and id < $2
 and (user_id = $3 or $3 is null) and (client_id = $4 or $4 is null) and (address = $5 or $5 is null)
 and ($6 = '' or $6 like '% ' || kind || ' %') order by id desc";

pub(crate) const STATEMENTS: &[&str] = &[
    INSERTIONS[0].1,
    INSERTIONS[1].1,
    INSERTIONS[2].1,
    INSERTIONS[3].1,
    INSERTIONS[4].1,
    STEP_UP,
    STEP_DOWN,
    PAGE_UP,
    PAGE_DOWN,
];

impl FromRow for AuditRow {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            kind: row.get::<String>(1)?.into(),
            actor: row.get::<Option<String>>(2)?.map(Cow::from),
            user_id: row.maybe_user(3)?,
            client_id: row.get::<Option<String>>(4)?.map(String::into_boxed_str),
            subject: row.maybe_id(5)?,
            address: row.get(6)?,
            user_agent: row.get(7)?,
            detail: row.get(8)?,
        })
    }
}

impl AuditRow {
    /// When it happened: the time that the identifier begins with.
    #[must_use]
    pub fn at(&self) -> UtcMillis {
        UtcMillis(i64::try_from(u128::from_be_bytes(self.id.0) >> 80).unwrap_or(i64::MAX))
    }

    fn push_into(self, params: &mut Vec<Value>) {
        params.extend(params![
            self.id.0,
            self.kind,
            self.actor,
            self.user_id.map(|id| id.0),
            self.client_id.map(String::from),
            self.subject.map(|id| id.0),
            self.address,
            self.user_agent,
            self.detail
        ]);
    }

    fn insert(self) -> Stmt {
        let mut params = Vec::with_capacity(COLUMNS);
        self.push_into(&mut params);
        Stmt::new(INSERTIONS[4].1, params)
    }
}

/// The first identifier of a millisecond: everything of an earlier one lies before it.
#[must_use]
pub fn first_id(at: UtcMillis) -> TokenId {
    let time = u128::try_from(at.0.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    TokenId((time << 80).to_be_bytes())
}

impl Store {
    /// Adds one row, and with it the notices that it gives rise to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_audit(
        &self,
        row: AuditRow,
        notice: Option<crate::webhook_delivery::NewDelivery>,
    ) -> Result<(), Error> {
        let mut statements = vec![row.insert()];
        statements.extend(notice.map(crate::webhook_delivery::NewDelivery::insert));
        // Insertions touch their row or fail: there is no third outcome.
        self.db.batch(statements).await.map(drop)
    }

    /// Adds many rows, in a few statements. A mistake in the middle leaves those before it.
    ///
    /// # Errors
    /// [`Error`], with the rows that were not added.
    pub async fn add_audits(&self, mut rows: Vec<AuditRow>) -> Result<(), (Error, Vec<AuditRow>)> {
        for (size, sql) in INSERTIONS {
            while rows.len() >= size {
                let rest = rows.split_off(size);
                let mut params = Vec::with_capacity(size * COLUMNS);
                rows.iter().cloned().for_each(|row| row.push_into(&mut params));
                match self.db.execute(sql, params).await {
                    Ok(_) => rows = rest,
                    Err(error) => {
                        rows.extend(rest);
                        return Err((error, rows));
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows after `after` that the filter lets through, and from where to go on; `None` at the end of the table.
    /// Looks at 5,000 rows at most.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn audit_after(
        &self,
        after: TokenId,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, Option<TokenId>), Error> {
        let step: Option<[u8; 16]> = self.db.query_opt(STEP_UP, params![after.0]).await?;
        let page = self.db.query(PAGE_UP, filter.params(after.0, step.unwrap_or([0xff; 16]))).await?;
        Ok((page, step.map(TokenId)))
    }

    /// The rows before `before` and not before `least`, the last first, and from where to go on; `None` at the end.
    /// Looks at 5,000 rows at most.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn audit_before(
        &self,
        before: TokenId,
        least: TokenId,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, Option<TokenId>), Error> {
        let step: Option<[u8; 16]> = self.db.query_opt(STEP_DOWN, params![before.0]).await?;
        let step = step.filter(|step| *step > least.0);
        let page = self.db.query(PAGE_DOWN, filter.params(step.unwrap_or(least.0), before.0)).await?;
        Ok((page, step.map(TokenId)))
    }
}

impl AuditFilter {
    fn params(&self, from: [u8; 16], to: [u8; 16]) -> Vec<Value> {
        let kinds = if self.kinds.is_empty() { String::new() } else { format!(" {} ", self.kinds.join(" ")) };
        params![from, to, self.user_id.map(|id| id.0), self.client_id.clone(), self.address.clone(), kinds]
    }
}
