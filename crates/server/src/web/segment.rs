//! The variable segment of a path, as text. One that is not UTF-8 is an empty text, which names nothing.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use std::convert::Infallible;

/// The segment.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}
