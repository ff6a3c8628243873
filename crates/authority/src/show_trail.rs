//! Reading the audit trail, in pages of a bounded cost.

use crate::{Authority, EventKind, Failure};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;
use gatepass_store::audit::end_of_pages;
pub use gatepass_store::audit::{AuditFilter, AuditRow, first_id};
use std::cmp::Reverse;

/// What to read.
#[derive(Clone, Debug)]
pub struct TrailQuery {
    /// Nothing before.
    pub since: UtcMillis,
    /// Nothing from then on.
    pub until: UtcMillis,
    /// What else it must be.
    pub filter: AuditFilter,
    /// The most rows: the last ones.
    pub limit: usize,
}

/// What became of an event of this kind; nothing is known of one that a newer server has written.
#[must_use]
pub fn outcome(kind: &str) -> &'static str {
    kind.parse().map_or("unknown", EventKind::outcome)
}

impl Authority {
    /// The last events of a time, in the order in which they happened.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn trail(&self, query: &TrailQuery) -> Result<Vec<AuditRow>, Failure> {
        let time = query.since..query.until;
        let mut before = end_of_pages(query.until);
        let mut found = Vec::new();
        while found.len() < query.limit {
            let (page, next) = self.0.store.audit_before(before, &time, &query.filter).await?;
            found.extend(page);
            match next {
                Some(next) => before = next,
                None => break,
            }
        }
        // Pages follow one another by the time of their writing, which is not quite that of their events.
        found.sort_unstable_by_key(|row: &AuditRow| Reverse(row.id));
        found.truncate(query.limit);
        found.reverse();
        Ok(found)
    }

    /// The events on the pages after one, in the order in which they happened.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn trail_after(&self, after: TokenId, filter: &AuditFilter) -> Result<Vec<AuditRow>, Failure> {
        let (mut after, mut found) = (after, Vec::new());
        loop {
            let (page, next) = self.0.store.audit_after(after, filter).await?;
            found.extend(page);
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        found.sort_unstable_by_key(|event: &AuditRow| event.id);
        Ok(found)
    }

    /// The person with this address or identifier.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn find_user(&self, text: &str) -> Result<Option<crate::UserAccount>, Failure> {
        if let Some(email) = crate::add_user::normalised_email(text) {
            return Ok(self.0.store.user_by_email(&email).await?);
        }
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        match u128::from_str_radix(&hex, 16) {
            Ok(id) if hex.len() == 32 => Ok(self.0.store.user(crate::UserId(id.to_be_bytes())).await?),
            _ => Ok(None),
        }
    }
}
