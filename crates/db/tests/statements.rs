//! What a statement means, the same on both engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use gatepass_db::{Error, Value, params};
use support::{INSERT, NAMES, Place, id, on_both_engines};

on_both_engines! {
    async fn every_kind_of_value_comes_back_as_it_was(place: &Place) {
        let db = place.with_tables().await;
        let name = "ünïcode 日本 'quoted'";
        assert_eq!(db.execute(INSERT, params![id(1), name, i64::MIN]).await.unwrap(), 1);
        type Item = ([u8; 16], String, i64, Option<i64>, Vec<u8>);
        let rows: Vec<Item> = db.query("select id, name, size, used_at, id from item", vec![]).await.unwrap();
        assert_eq!(rows, [(id(1), name.to_owned(), i64::MIN, None, id(1).to_vec())]);
    }

    async fn values_are_bound_by_their_number(place: &Place) {
        let db = place.with_tables().await;
        db.execute("insert into item (size, name, id) values ($3, $2, $1)", params![id(7), "seven", 7]).await.unwrap();
        let sql = "select name from item where size = $2 and id = $1 and size = $2";
        assert_eq!(db.query_opt::<String>(sql, params![id(7), 7]).await.unwrap().unwrap(), "seven");
    }

    async fn a_wrong_number_of_values_is_refused(place: &Place) {
        let db = place.with_tables().await;
        let sql = "select name from item where id = $1";
        for values in [vec![], params![id(1), 2]] {
            assert!(matches!(db.query::<String>(sql, values).await, Err(Error::Statement { .. })));
        }
        db.query::<String>(sql, params![id(1)]).await.unwrap();
    }

    async fn a_look_up_finds_one_row_or_none(place: &Place) {
        let db = place.with_tables().await;
        let sql = "select size from item where id = $1";
        assert_eq!(db.query_opt::<i64>(sql, params![id(1)]).await.unwrap(), None);
        db.execute(INSERT, params![id(1), "one", 11]).await.unwrap();
        assert_eq!(db.query_opt::<i64>(sql, params![id(1)]).await.unwrap(), Some(11));
        assert_eq!(db.query_opt::<()>(sql, params![id(1)]).await.unwrap(), Some(()));
    }

    async fn a_text_with_nul_finds_nothing_and_fails_nothing(place: &Place) {
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
        let by_name = "select size from item where name = $1";
        assert_eq!(db.query::<i64>(by_name, params!["one\0"]).await.unwrap(), [0; 0]);
        assert_eq!(db.execute(INSERT, params![id(2), "two\0", 2]).await.unwrap(), 1);
        assert_eq!(db.query::<i64>(by_name, params!["two\0"]).await.unwrap(), [2]);
        assert_eq!(db.query::<i64>(by_name, params!["two"]).await.unwrap(), [0; 0]);
    }

    async fn a_write_returns_rows(place: &Place) {
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
        db.execute(INSERT, params![id(2), "two", 2]).await.unwrap();
        let sql = "update item set size = size + $1 where size > $2 returning size";
        let mut sizes = db.write::<i64>(sql, params![10, 0]).await.unwrap();
        sizes.sort_unstable();
        assert_eq!(sizes, [11, 12]);
    }

    async fn a_write_whose_rows_cannot_be_read_is_undone_on_sqlite_and_told_everywhere(place: &Place) {
        let db = place.with_tables().await;
        let sql = "insert into item (id, name, size) values ($1, $2, $3) returning name";
        assert!(matches!(db.write::<i64>(sql, params![id(1), "one", 1]).await, Err(Error::Corrupt { .. })));
    }

    async fn rows_touched_are_counted(place: &Place) {
        let db = place.with_tables().await;
        for number in 1..=3 {
            db.execute(INSERT, params![id(number), format!("{number}"), 0]).await.unwrap();
        }
        assert_eq!(db.execute("update item set size = 5 where name <> $1", params!["2"]).await.unwrap(), 2);
        let again = "insert into item (id, name, size) values ($1, $2, $3) on conflict do nothing";
        assert_eq!(db.execute(again, params![id(1), "1", 0]).await.unwrap(), 0);
    }

    async fn a_column_of_another_kind_is_an_error(place: &Place) {
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
        for (sql, is_number) in [("select name from item", true), ("select size from item", false)] {
            let error = match is_number {
                true => db.query_opt::<i64>(sql, vec![]).await.unwrap_err(),
                false => db.query_opt::<[u8; 32]>(sql, vec![]).await.unwrap_err(),
            };
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        }
        assert!(db.query_opt::<(String, i64)>(NAMES, vec![]).await.is_err());
        assert!(db.query_opt::<[u8; 32]>("select id from item", vec![]).await.is_err());
    }

    async fn a_taken_key_is_named_by_table_and_columns(place: &Place) {
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), "one", 1]).await.unwrap();
        for (values, taken) in [(params![id(2), "one", 1], "item.name"), (params![id(1), "two", 1], "item.id")] {
            match db.execute(INSERT, values).await {
                Err(Error::Unique { constraint }) => assert_eq!(constraint, taken),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn broken_rules_are_told_apart_from_taken_keys(place: &Place) {
        let db = place.with_tables().await;
        let orphan = db.execute("insert into note values ($1, $2, $3)", params![1, id(9), "?"]).await;
        assert!(matches!(orphan, Err(Error::Integrity { .. })), "{orphan:?}");
        let nameless = db.execute(INSERT, params![id(1), None::<&str>, 1]).await;
        assert!(matches!(nameless, Err(Error::Integrity { .. })), "{nameless:?}");
    }

    async fn no_error_repeats_a_bound_value(place: &Place) {
        const SECRET: &str = "hunter2-is-secret";
        let db = place.with_tables().await;
        db.execute(INSERT, params![id(1), SECRET, 1]).await.unwrap();
        let statements = [
            (INSERT, params![id(2), SECRET, 1]),
            (INSERT, params![None::<i64>, SECRET, 1]),
            (INSERT, params![SECRET, SECRET, SECRET]),
            ("insert into note values ($1, $2, $3)", params![1, id(9), SECRET]),
            ("select cast(cast($1 as text) as bigint) / 0 from nowhere", params![SECRET]),
            ("insert into note (number, item, body) select cast(cast($1 as text) as bigint), $2, $1", params![SECRET, id(9)]),
        ];
        for (sql, values) in statements {
            assert!(!format!("{values:?}").contains("hunter2"));
            let error = db.execute(sql, values).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    async fn statements_can_be_proved_without_running_them(place: &Place) {
        let db = place.with_tables().await;
        db.prepare(INSERT).await.unwrap();
        assert!(matches!(db.prepare("select nothing from item").await, Err(Error::Statement { .. })));
        assert!(matches!(db.prepare("select from where").await, Err(Error::Statement { .. })));
        assert_eq!(db.query::<String>(NAMES, vec![]).await.unwrap(), Vec::<String>::new());
    }

    async fn a_plan_names_the_index(place: &Place) {
        let db = place.with_tables().await;
        let plan = db.explain("select size from item where name = $1").await.unwrap().join("\n");
        assert!(plan.to_lowercase().contains("index"), "{plan}");
        assert!(db.explain("select size from nowhere").await.is_err());
        let plan = db.explain("update item set size = 1 where id = $1").await.unwrap().join("\n");
        assert!(plan.contains("item"), "{plan}");
        assert_eq!(db.query::<i64>("select size from item", vec![]).await.unwrap(), Vec::<i64>::new());
    }

    async fn an_open_database_is_ready_and_a_closed_one_is_not(place: &Place) {
        let db = place.with_tables().await;
        db.check().await.unwrap();
        db.close().await;
        assert!(matches!(db.check().await, Err(Error::Unavailable { .. })));
        assert!(matches!(db.execute(INSERT, params![id(1), "one", 1]).await, Err(Error::Unavailable { .. })));
    }
}

#[test]
fn a_value_never_prints_its_content() {
    let values: Vec<Value> = params!["secret", b"secret", 42, None::<i64>];
    assert_eq!(format!("{values:?}"), "[Text(…), Blob(…), Int(…), Null]");
}
