//! `whoami`: who this credential stands for.

use super::{Token, user::Credential};
use gatepass_authority::{UserId, service_accounts::ServiceId};
use gatepass_oauth::Scope;
use serde::{Serialize, Serializer};

/// The answer. What does not apply is left out.
#[derive(Debug, Serialize)]
pub(super) struct WhoAmI<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(serialize_with = "id_text")]
    id: Id<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(serialize_with = "scope_names")]
    scopes: Option<&'a Scope>,
    credential: &'static str,
}

#[derive(Debug)]
enum Id<'a> {
    User(UserId),
    Service(ServiceId),
    Client(&'a str),
}

fn id_text<S: Serializer>(id: &Id<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Id::User(user) => serializer.collect_str(user),
        Id::Service(service) => serializer.collect_str(service),
        Id::Client(client) => serializer.serialize_str(client),
    }
}

/// A list of names; empty for a session, which is the person in full.
fn scope_names<S: Serializer>(scope: &Option<&Scope>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scope.iter().flat_map(|scope| scope.iter()))
}

pub(super) fn whoami(credential: &Credential) -> WhoAmI<'_> {
    match credential {
        Credential::Token(Token(token)) => {
            let client = token.client_id.as_str();
            let user = token.user.as_ref();
            let (kind, id) = match (user, &token.service) {
                (Some(user), _) => ("user", Id::User(user.id)),
                (None, Some(service)) => ("service", Id::Service(service.id)),
                (None, None) => ("client", Id::Client(client)),
            };
            WhoAmI {
                kind,
                id,
                email: user.map(|user| user.email.as_str()),
                email_verified: user.map(|user| user.email_verified_at.is_some()),
                name: user
                    .map(|user| user.name.as_str())
                    .filter(|name| !name.is_empty())
                    .or_else(|| token.service.as_ref().map(|service| service.name.as_str())),
                client_id: Some(client),
                scopes: Some(&token.scope),
                credential: "access_token",
            }
        }
        Credential::Session(session) => WhoAmI {
            kind: "user",
            id: Id::User(session.user_id),
            email: Some(&session.email),
            email_verified: Some(session.email_verified_at.is_some()),
            name: Some(session.name.as_str()).filter(|name| !name.is_empty()),
            client_id: None,
            scopes: None,
            credential: "session",
        },
    }
}
