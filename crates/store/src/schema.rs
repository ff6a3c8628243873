//! The schema's steps, in order. A released step is never edited.

use gatepass_db::Migration;

/// All steps.
pub const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "sign in", sql: include_str!("../migrations/0001_sign_in.sql"), postgres: None },
    Migration {
        number: 2,
        name: "room for changes",
        sql: include_str!("../migrations/0002_room_for_changes.sql"),
        postgres: Some(include_str!("../migrations/0002_room_for_changes.postgres.sql")),
    },
    Migration {
        number: 3,
        name: "bound tokens",
        sql: include_str!("../migrations/0003_bound_tokens.sql"),
        postgres: None,
    },
    Migration {
        number: 4,
        name: "watch",
        sql: include_str!("../migrations/0008_watch.sql"),
        postgres: Some(include_str!("../migrations/0008_watch.postgres.sql")),
    },
];
