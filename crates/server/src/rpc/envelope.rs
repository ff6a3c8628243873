//! The envelope of JSON-RPC 2.0: one call or a batch of them, and their answers.

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// The most calls of one batch.
const MAX_BATCH: usize = 50;

/// One call.
#[derive(Debug, Deserialize)]
pub(crate) struct Call<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    /// `None` for a notification, which gets no answer (§4.1).
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    /// Read by the method that it is for.
    #[serde(borrow, default)]
    pub(crate) params: Option<&'a RawValue>,
}

/// An `id` of `null` is an id; a missing one is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// A caller names its call with a text, a number, or null.
fn is_id(id: &RawValue) -> bool {
    matches!(id.get().bytes().next(), Some(b'"' | b'-' | b'0'..=b'9' | b'n'))
}

/// One answer.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'a, T> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RpcError>,
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
    pub(crate) fn new(id: &'a RawValue, outcome: Result<T, RpcError>) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self { jsonrpc: "2.0", id, result, error }
    }
}

/// An answer of the usual size is written without its buffer growing.
const USUAL_ANSWER: usize = 512;

/// An answer as HTTP.
pub(crate) fn response<T: Serialize>(answer: &Answer<'_, T>) -> Response<Body> {
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    match serde_json::to_writer(&mut body, answer) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The answer to what could not be read as a call.
pub(crate) fn unreadable(error: RpcError) -> Value {
    serde_json::to_value(Answer::<()>::new(RawValue::NULL, Err(error))).unwrap_or_default()
}

/// What a body holds.
pub(crate) enum Calls<'a> {
    One(Call<'a>),
    Batch(Vec<Result<Call<'a>, RpcError>>),
}

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Calls<'_>, RpcError> {
    // JSON is UTF-8 (RFC 8259 §8.1), where nobody looks too.
    let text = std::str::from_utf8(body).map_err(|_| RpcError::NOT_JSON)?;
    if let Ok(call) = serde_json::from_str::<Call<'_>>(text) {
        return checked(call).map(Calls::One);
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(items) if (1..=MAX_BATCH).contains(&items.len()) => {
            Ok(Calls::Batch(items.into_iter().map(read_item).collect()))
        }
        Ok(_) => Err(RpcError::BATCH),
        Err(_) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Err(RpcError::NOT_A_CALL),
        Err(_) => Err(RpcError::NOT_JSON),
    }
}

fn read_item(item: &RawValue) -> Result<Call<'_>, RpcError> {
    serde_json::from_str(item.get()).map_err(|_| RpcError::NOT_A_CALL).and_then(checked)
}

fn checked(call: Call<'_>) -> Result<Call<'_>, RpcError> {
    if call.jsonrpc == "2.0" && call.id.is_none_or(is_id) { Ok(call) } else { Err(RpcError::NOT_A_CALL) }
}
