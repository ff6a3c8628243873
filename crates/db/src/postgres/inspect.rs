//! The plan of a statement, for tests.

use deadpool_postgres::Client;
use tokio_postgres::SimpleQueryMessage;

use super::failure::explain;
use crate::Error;

/// The plan that PostgreSQL makes without knowing the values, a line per step.
pub(super) async fn plan(client: &Client, sql: &'static str) -> Result<Vec<String>, Error> {
    let statement = client.prepare(sql).await.map_err(|error| explain(&error, sql))?;
    let nulls = vec!["null"; statement.params().len()].join(", ");
    let arguments = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let script = format!(
        "begin; set local plan_cache_mode = force_generic_plan; prepare gatepass_plan as {sql};
         explain execute gatepass_plan{arguments}; deallocate gatepass_plan; rollback"
    );
    let answer = client.simple_query(&script).await;
    if answer.is_err() {
        // The script ended early, inside its transaction.
        client.batch_execute("rollback").await.map_err(|error| explain(&error, "rollback"))?;
    }
    let lines = answer.map_err(|error| explain(&error, sql))?;
    let line = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(lines.iter().filter_map(line).collect())
}
