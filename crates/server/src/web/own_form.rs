//! The forms of our own pages.
//!
//! 1. The request's own word that our page sent it (`web::origin`); without it the body is not read.
//! 2. The form, bounded and of one content type (`web::form`); what will not do is answered with a page.

use super::{form::Form, origin};
use crate::{app::App, pages::PageFailure};
use axum::{
    extract::{FromRequest, Request},
    http::HeaderMap,
};
use gatepass_oauth::{Error, Params};

/// A form that one of our own pages sent.
pub(crate) struct OwnForm(Form);

impl OwnForm {
    /// A form that was read already, for an endpoint that strangers may post to as well.
    ///
    /// # Errors
    /// [`PageFailure::NotOurs`].
    pub(crate) fn check(form: Form, headers: &HeaderMap, app: &App) -> Result<Self, PageFailure> {
        is_ours(headers, app).map(|()| Self(form))
    }

    /// The parameters.
    pub(crate) fn params(&self) -> Result<Params<'_>, Error> {
        self.0.params()
    }
}

fn is_ours(headers: &HeaderMap, app: &App) -> Result<(), PageFailure> {
    if origin::is_our_own(headers, app.authority.issuer()) { Ok(()) } else { Err(PageFailure::NotOurs) }
}

impl FromRequest<App> for OwnForm {
    type Rejection = PageFailure;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageFailure> {
        is_ours(request.headers(), app)?;
        Ok(Self(Form::from_request(request, app).await?))
    }
}
