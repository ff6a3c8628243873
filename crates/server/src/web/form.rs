//! Form bodies: bounded in size, of one content type, read as bytes that [`Params`] then judges.

use crate::{shares::NoRoom, web::failure::Refused};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use gatepass_oauth::{Error, ErrorCode, Params};

/// The most bytes of a body.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The most bytes of a query.
const MAX_QUERY: usize = 8 * 1024;

/// The bytes of a form.
pub(crate) struct Form(Bytes);

impl Form {
    /// Reads the body of a request with these headers.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refused> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let error = Error::invalid_request("the content type is application/x-www-form-urlencoded");
            return Err(Refused { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error });
        }
        read(body).await.map(Self)
    }

    /// The parameters.
    pub(crate) fn params(&self) -> Result<Params<'_>, Error> {
        Params::parse(&self.0)
    }

    /// The parameters, of which some may have come more than once.
    pub(crate) fn repeated_params(&self) -> Result<Params<'_>, Error> {
        Params::parse_repeated(&self.0)
    }

    /// The same as the query of a URL, if it is short enough for one.
    pub(crate) fn as_query(&self) -> Result<&str, Error> {
        let text = std::str::from_utf8(&self.0)
            .ok()
            .filter(|text| text.len() <= MAX_QUERY && text.bytes().all(|b| b.is_ascii_graphic()));
        text.ok_or_else(|| Error::invalid_request("the form is too long or not encoded"))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        Self::read(&parts.headers, body).await
    }
}

/// The bytes of a bounded body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Refused> {
    to_bytes(body, MAX_BODY).await.map_err(|error| match has_no_room(&error) {
        true => Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: Error::new(ErrorCode::TemporarilyUnavailable, "too much is being sent to the server; try again"),
        },
        false => Refused {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            error: Error::invalid_request("the body is larger than 64 KiB or was cut off"),
        },
    })
}

fn has_no_room(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<NoRoom>())
}
