//! Asking whether a client may.

use super::{Program, ScopeLine, host_of, scope_lines};
use askama::Template;
use gatepass_authority::authorize::ConsentQuestion;
use gatepass_oauth::ClientOrigin;

#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent {
    client_name: String,
    email: String,
    user: String,
    goes_to: String,
    on_this_machine: bool,
    program: Option<Program>,
    can_be_anybody: bool,
    resource: Option<String>,
    scopes: Vec<ScopeLine>,
    request: String,
}

/// The page; `request` is the authorization request's query, which the form carries along and which
/// is checked again when it comes back.
pub(crate) fn page(question: &ConsentQuestion, request: &str) -> Consent {
    Consent {
        client_name: question.client_name.clone(),
        email: question.email.clone(),
        user: question.user_id.to_string(),
        goes_to: question.redirect_uri.shown_host(),
        on_this_machine: question.redirect_uri.is_loopback(),
        program: Program::of(question.client_origin, question.client_host.as_deref()),
        can_be_anybody: question.client_origin != ClientOrigin::Operator
            && !question.redirect_uri.as_str().starts_with("https:"),
        resource: question.resource.as_deref().map(host_of),
        scopes: scope_lines(&question.scope),
        request: request.to_owned(),
    }
}
