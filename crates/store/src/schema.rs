//! The schema's steps, in order. A released step is never edited.

use gatepass_db::Migration;

/// All steps.
pub const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "sign in", sql: include_str!("../migrations/0001_sign_in.sql"), postgres: None }];
