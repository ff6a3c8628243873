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
        name: "registration",
        sql: include_str!("../migrations/0004_registration.sql"),
        postgres: None,
    },
    Migration { number: 5, name: "proofs", sql: include_str!("../migrations/0005_bound.sql"), postgres: None },
    Migration { number: 6, name: "requests", sql: include_str!("../migrations/0006_requests.sql"), postgres: None },
    Migration { number: 7, name: "grants", sql: include_str!("../migrations/0007_grants.sql"), postgres: None },
    Migration {
        number: 8,
        name: "watch",
        sql: include_str!("../migrations/0008_watch.sql"),
        postgres: Some(include_str!("../migrations/0008_watch.postgres.sql")),
    },
    Migration {
        number: 9,
        name: "clients of a session",
        sql: include_str!("../migrations/0009_clients_of_a_session.sql"),
        postgres: None,
    },
    Migration {
        number: 10,
        name: "cheaper tokens",
        sql: include_str!("../migrations/0010_cheaper_tokens.sql"),
        postgres: Some(include_str!("../migrations/0010_cheaper_tokens.postgres.sql")),
    },
    Migration {
        number: 11,
        name: "cheaper devices",
        sql: include_str!("../migrations/0011_cheaper_devices.sql"),
        postgres: None,
    },
    Migration {
        number: 12,
        name: "cheaper sign-ins",
        sql: include_str!("../migrations/0012_cheaper_sign_ins.sql"),
        postgres: None,
    },
];
