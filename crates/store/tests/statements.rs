//! Every statement means the same on both engines, and the schema is what it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use gatepass_store::{MIGRATIONS, STATEMENTS, Store, sweep::SWEEPS};
use gatepass_testkit::{Engine, TestDatabase, tokio};

async fn every_statement_prepares(engine: Engine) {
    let database = TestDatabase::new(engine).await;
    let store = Store::open(&database.database_url()).await.unwrap();
    let mut prepared = 0;
    for (table, statements) in STATEMENTS {
        for sql in *statements {
            store.db().prepare(sql).await.unwrap_or_else(|error| panic!("{table}: {error}"));
            prepared += 1;
        }
    }
    for sweep in SWEEPS {
        for sql in sweep.statements() {
            store.db().prepare(sql).await.unwrap_or_else(|error| panic!("sweeping {}: {error}", sweep.table));
        }
    }
    assert!(prepared > 35, "{prepared} statements");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn every_statement_prepares_on_sqlite() {
    every_statement_prepares(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn every_statement_prepares_on_postgres() {
    every_statement_prepares(Engine::Postgres).await;
}

/// What a released database looks like is never edited: this snapshot changes only by a new migration.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_schema_is_frozen_on_sqlite() {
    const COLUMNS: &str = "select m.name || '.' || p.name || ' ' || lower(p.type) || case p.\"notnull\" when 1 then ' not null' else '' end
        || case when p.pk > 0 then ' key ' || p.pk else '' end
        from sqlite_master m join pragma_table_info(m.name) p where m.type = 'table' and m.name not like 'sqlite%' order by m.name, p.cid";
    insta::assert_snapshot!("columns_sqlite", columns(Engine::Sqlite, COLUMNS).await);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_schema_is_frozen_on_postgres() {
    const COLUMNS: &str = "select table_name || '.' || column_name || ' ' || data_type || case is_nullable when 'NO' then ' not null' else '' end
        from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position";
    insta::assert_snapshot!("columns_postgres", columns(Engine::Postgres, COLUMNS).await);
}

async fn columns(engine: Engine, sql: &'static str) -> String {
    let database = TestDatabase::new(engine).await;
    let store = Store::open(&database.database_url()).await.unwrap();
    store.db().query::<String>(sql, vec![]).await.unwrap().join("\n")
}

/// These list for a person, or look at a table that holds a handful of rows.
const MAY_SCAN: &[&str] = &[
    "from signing_key order by algorithm, generation",
    // By an operator's hand, over rows that live for minutes.
    "update authorization_code set used_at = $2 where user_id",
    "update authorization_code set used_at = $2 where client_id",
    "update device_grant set denied_at = $2 where user_id",
    "update device_grant set denied_at = $2 where client_id",
    "update device_grant set denied_at = $2 where session_id",
    "select id from user_account limit 1",
    "not exists (select 1 from user_account)",
    // What is due was read by an index.
    "from logout_notice where next_at <= $1) as due",
];

fn hot_statements() -> impl Iterator<Item = &'static str> {
    let of_requests = STATEMENTS.iter().flat_map(|(_, statements)| statements.iter().copied());
    of_requests
        .filter(|sql| !MAY_SCAN.iter().any(|part| sql.replace('\n', "").contains(part)))
        .chain(SWEEPS.iter().flat_map(|sweep| sweep.statements()))
}

/// Of a statement that a request runs, no step may walk a whole table.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn every_hot_statement_stays_on_an_index() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let store = Store::open(&database.database_url()).await.unwrap();
    for sql in hot_statements() {
        let plan = store.db().explain(sql).await.unwrap();
        // The events of a page of the audit trail are a virtual table.
        let walks = plan.iter().any(|step| step.contains("SCAN") && !step.contains("SCAN event VIRTUAL TABLE"));
        assert!(!walks, "{sql}\n{plan:?}");
    }
}

/// The same of PostgreSQL, which walks a table where an index would serve only if the table is small: here it may not.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn every_hot_statement_has_an_index_on_postgres() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let name = database.url.rsplit('/').next().unwrap();
    let store = Store::open(&database.database_url()).await.unwrap();
    let sql: &'static str = format!("alter database {name} set enable_seqscan = off").leak();
    store.db().execute(sql, vec![]).await.unwrap();
    store.close().await;
    let store = Store::open(&database.database_url()).await.unwrap();
    for sql in hot_statements() {
        let plan = store.db().explain(sql).await.unwrap();
        assert!(plan.iter().all(|step| !step.contains("Seq Scan")), "{sql}\n{plan:?}");
    }
    // What has none still walks, and would be seen.
    let walk = store.db().explain("update device_grant set denied_at = $2 where client_id = $1").await.unwrap();
    assert!(walk.iter().any(|step| step.contains("Seq Scan")), "{walk:?}");
}

/// Nothing in the program changes a row of the audit trail; the sweep alone deletes, by the time of the row.
#[test]
fn the_audit_trail_is_only_added_to() {
    let touches = |sql: &str, verb: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ").contains(verb);
    for sql in STATEMENTS.iter().flat_map(|(_, statements)| statements.iter()) {
        assert!(!touches(sql, "update audit") && !touches(sql, "delete from audit"), "{sql}");
    }
    let deleting: Vec<_> =
        SWEEPS.iter().flat_map(|sweep| sweep.statements()).filter(|sql| touches(sql, "from audit")).collect();
    assert!(deleting.iter().all(|sql| !touches(sql, "delete") || touches(sql, "and id < $3")), "{deleting:?}");
}

async fn a_row_of_the_audit_trail_cannot_be_changed(engine: Engine) {
    let database = TestDatabase::new(engine).await;
    let store = Store::open(&database.database_url()).await.unwrap();
    store.db().execute("insert into audit (id, events) values ($1, '[]')", vec![[7; 16].into()]).await.unwrap();
    assert!(store.db().execute("update audit set events = '[]'", vec![]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_row_of_the_audit_trail_cannot_be_changed_on_sqlite() {
    a_row_of_the_audit_trail_cannot_be_changed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_row_of_the_audit_trail_cannot_be_changed_on_postgres() {
    a_row_of_the_audit_trail_cannot_be_changed(Engine::Postgres).await;
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    assert!(MIGRATIONS.iter().zip(1..).all(|(migration, number)| migration.number == number));
}
