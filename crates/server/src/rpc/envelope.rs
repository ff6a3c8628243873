//! The envelope of JSON-RPC 2.0: one call or a batch of them, and their answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// The most calls of one batch.
const MAX_BATCH: usize = 50;

/// One call.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    jsonrpc: String,
    /// `None` for a notification, which gets no answer (§4.1).
    #[serde(default, deserialize_with = "present")]
    pub(crate) id: Option<Id>,
    pub(crate) method: String,
    /// Read by the method that it is for.
    #[serde(default)]
    pub(crate) params: Option<Box<RawValue>>,
}

/// What a caller names its call with: a text, a number, or null.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(serde_json::Number),
    Text(String),
    Null,
}

/// An `id` of `null` is an id; a missing one is not.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

/// One answer.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'a, T> {
    jsonrpc: &'static str,
    id: &'a Id,
    #[serde(flatten)]
    outcome: Outcome<T>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome<T> {
    Result(T),
    Error(RpcError),
}

/// An error of JSON-RPC (§5.1).
#[derive(Debug, Serialize)]
pub(crate) struct RpcError {
    code: i32,
    message: &'static str,
}

impl RpcError {
    pub(crate) const NOT_JSON: Self = Self { code: -32700, message: "the body is not JSON" };
    pub(crate) const NOT_A_CALL: Self = Self { code: -32600, message: "the body is not a JSON-RPC 2.0 call" };
    pub(crate) const BATCH: Self = Self { code: -32600, message: "a batch has 1 to 50 calls" };
    pub(crate) const NO_METHOD: Self = Self { code: -32601, message: "there is no such method" };
    pub(crate) const PARAMS: Self = Self { code: -32602, message: "the method takes no such params" };
}

impl<'a, T> Answer<'a, T> {
    pub(crate) fn new(id: &'a Id, outcome: Outcome<T>) -> Self {
        Self { jsonrpc: "2.0", id, outcome }
    }
}

/// The answer to what could not be read as a call.
pub(crate) fn unreadable(error: RpcError) -> Value {
    serde_json::to_value(Answer::<()>::new(&Id::Null, Outcome::Error(error))).unwrap_or_default()
}

/// What a body holds.
pub(crate) enum Calls {
    One(Call),
    Batch(Vec<Result<Call, RpcError>>),
}

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Calls, RpcError> {
    if let Ok(call) = serde_json::from_slice::<Call>(body) {
        return checked(call).map(Calls::One);
    }
    match serde_json::from_slice::<Value>(body) {
        Err(_) => Err(RpcError::NOT_JSON),
        Ok(Value::Array(items)) if (1..=MAX_BATCH).contains(&items.len()) => {
            Ok(Calls::Batch(items.into_iter().map(read_item).collect()))
        }
        Ok(Value::Array(_)) => Err(RpcError::BATCH),
        Ok(_) => Err(RpcError::NOT_A_CALL),
    }
}

fn read_item(item: Value) -> Result<Call, RpcError> {
    // A raw value is read from text only.
    let text = item.to_string();
    serde_json::from_str(&text).map_err(|_| RpcError::NOT_A_CALL).and_then(checked)
}

fn checked(call: Call) -> Result<Call, RpcError> {
    if call.jsonrpc == "2.0" { Ok(call) } else { Err(RpcError::NOT_A_CALL) }
}
