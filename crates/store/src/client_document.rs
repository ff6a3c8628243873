//! Metadata documents of clients whose identifier is a URL. Kept from the moment somebody allows the client.

use crate::{
    Change, Error, Store,
    client_registration::END_CONSENT,
    columns::{Columns, maybe},
};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_oauth::{ClientId, UtcMillis};

/// A document as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDocument {
    /// The identifier, and the address that it was fetched from.
    pub client_id: ClientId,
    /// Its text.
    pub document: String,
    /// What to ask with whether it has changed.
    pub etag: Option<String>,
    /// When it was fetched, or last found unchanged.
    pub fetched_at: UtcMillis,
    /// Until when it need not be asked for again.
    pub fresh_until: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[KEEP, RENEW, BY_ID, FORGET, NOTE_USE, IDLE, REAP];

const KEEP: &str = "insert into client_document (client_id, document, etag, fetched_at, fresh_until, used_at)
 values ($1, $2, $3, $4, $5, $6) on conflict (client_id) do update
 set document = $2, etag = $3, fetched_at = $4, fresh_until = $5, used_at = $6";
const RENEW: &str = "update client_document set document = $2, etag = $3, fetched_at = $4, fresh_until = $5
 where client_id = $1 and fetched_at <= $4";
const BY_ID: &str =
    "select client_id, document, etag, fetched_at, fresh_until from client_document where client_id = $1";
const FORGET: &str = "delete from client_document where client_id = $1";
const NOTE_USE: &str = "update client_document set used_at = $2 where client_id = $1 and used_at < $3";
const IDLE: &str = "select client_id from client_document where used_at < $1 order by used_at limit $2";
const REAP: &str = "delete from client_document where client_id = $1 and used_at < $2";

struct Id(ClientId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        row.parsed(0).map(Self)
    }
}

impl FromRow for ClientDocument {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            client_id: row.parsed(0)?,
            document: row.get(1)?,
            etag: row.get(2)?,
            fetched_at: row.time(3)?,
            fresh_until: row.time(4)?,
        })
    }
}

impl Store {
    /// Keeps a document, in use from `now`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn keep_client_document(&self, document: &ClientDocument, now: UtcMillis) -> Result<(), Error> {
        let ClientDocument { client_id, document, etag, fetched_at, fresh_until } = document;
        let params =
            params![client_id.as_str(), document, etag.clone(), fetched_at.0, maybe(Some(*fresh_until)), now.0];
        self.db.execute(KEEP, params).await.map(drop)
    }

    /// Puts a newer text in the place of a document that is kept; nothing when it is not.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn renew_client_document(&self, document: &ClientDocument) -> Result<(), Error> {
        let ClientDocument { client_id, document, etag, fetched_at, fresh_until } = document;
        let params = params![client_id.as_str(), document, etag.clone(), fetched_at.0, fresh_until.0];
        self.db.execute(RENEW, params).await.map(drop)
    }

    /// The document that is kept.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn client_document(&self, id: &ClientId) -> Result<Option<ClientDocument>, Error> {
        self.db.query_opt(BY_ID, params![id.as_str()]).await
    }

    /// Forgets a document that must not be kept.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forget_client_document(&self, id: &ClientId) -> Result<(), Error> {
        self.db.execute(FORGET, params![id.as_str()]).await.map(drop)
    }

    /// Notes that a document is in use, unless that was noted at `noted_since` or later.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn note_document_used(&self, id: &ClientId, now: UtcMillis, noted_since: UtcMillis) -> Result<(), Error> {
        self.db.execute(NOTE_USE, params![id.as_str(), now.0, noted_since.0]).await.map(drop)
    }

    /// Forgets documents that were not used since `since`, and what people have allowed their clients; how many.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn reap_client_documents(&self, since: UtcMillis, limit: i64) -> Result<u64, Error> {
        let idle: Vec<Id> = self.db.query(IDLE, params![since.0, limit]).await?;
        let mut reaped = 0;
        for Id(id) in idle {
            // One that is used in this moment stays.
            let delete = Stmt::new(REAP, params![id.as_str(), since.0]).touching(1);
            let forget = Stmt::new(END_CONSENT, params![id.as_str()]);
            if Change::from(self.db.batch(vec![delete, forget]).await?) == Change::Made {
                reaped += 1;
            }
        }
        Ok(reaped)
    }
}
