//! Is an answer right?

use serde_json::Value;

use crate::{Result, http::Connection};

/// The last answer in a line, for errors.
pub fn describe(connection: &Connection) -> String {
    let body = String::from_utf8_lossy(&connection.response.body);
    let start: String = body.chars().take(160).collect();
    format!("status {} {}", connection.response.status, start.replace('\n', " "))
}

/// A member that is a text and not empty.
pub fn text(value: &Value, member: &str) -> Option<String> {
    value[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The JSON of the last answer, which must be a success and have `member`.
pub fn success_with(connection: &Connection, member: &str) -> Result<Value> {
    if !matches!(connection.response.status, 200 | 201) {
        return Err(describe(connection));
    }
    let value: Value = serde_json::from_slice(&connection.response.body)
        .map_err(|error| format!("{error}: {}", describe(connection)))?;
    if value[member].is_null() || value[member] == "" {
        return Err(format!("no {member}: {}", describe(connection)));
    }
    Ok(value)
}

/// The last answer must have this status.
pub fn status(connection: &Connection, expected: u16) -> Result<()> {
    if connection.response.status == expected { Ok(()) } else { Err(describe(connection)) }
}
