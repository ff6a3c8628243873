//! How an authorization response travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0 Form Post
//! Response Mode).

use crate::{Error, Params};

/// A way back to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect.
    #[default]
    Query,
    /// As a form that the browser posts: code and state stand in no address.
    FormPost,
}

impl ResponseMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Query, Self::FormPost];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    /// The mode of a request.
    ///
    /// # Errors
    /// `invalid_request` for a mode that is not offered.
    pub fn read(params: &Params<'_>) -> Result<Self, Error> {
        let Some(word) = params.get("response_mode") else { return Ok(Self::default()) };
        let known = Self::ALL.iter().copied().find(|mode| mode.as_str() == word);
        known.ok_or_else(|| Error::invalid_request("the response mode is query or form_post"))
    }
}
