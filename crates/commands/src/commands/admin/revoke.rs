//! `gatepass admin revoke`.

use crate::{
    context::Context,
    error::{Error, Kind},
};
use clap::{ArgGroup, Args};
use gatepass_keys::TokenId;
use gatepass_oauth::ClientId;
use gatepass_server::authority::{
    Authority,
    end::{EndRefused, EndTarget},
};
use serde_json::json;

/// End sign-ins: all of a person or a client, one grant, one session
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["user", "client", "grant", "session"]))]
pub(super) struct Revoke {
    /// Everything that this person has: sessions, devices, programs
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Everything that this client has; it may ask for more
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// One grant with its tokens, by its UUID
    #[arg(long, value_name = "ID", value_parser = identifier)]
    grant: Option<TokenId>,
    /// One web session with all that was granted in it, by its UUID
    #[arg(long, value_name = "ID", value_parser = identifier)]
    session: Option<TokenId>,
}

/// A UUID, with dashes or without.
fn identifier(text: &str) -> Result<TokenId, String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    // A sign before the digits would be taken for one of them.
    let is_whole = digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit());
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| is_whole);
    number.map(|number| TokenId(number.to_be_bytes())).ok_or_else(|| "it is a UUID".to_owned())
}

impl Revoke {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let target = match (self.user, self.client, self.grant, self.session) {
            (Some(user), ..) => EndTarget::User(user),
            (_, Some(client), ..) => EndTarget::Client(client),
            (_, _, Some(grant), _) => EndTarget::Grant(grant),
            (_, _, _, Some(session)) => EndTarget::Session(session),
            (None, None, None, None) => return Err(Error::new(Kind::Usage, "there is nothing to end")),
        };
        let ended = authority.end(&target).await.map_err(|refused| not_ended(refused, &target))?;
        if context.ui.is_json() {
            context.ui.object(&json!({ "ended": ended }));
        } else {
            context.ui.data(&format!("{ended} ended"));
        }
        Ok(())
    }
}

fn not_ended(refused: EndRefused, target: &EndTarget) -> Error {
    if let EndRefused::Failure(failure) = refused {
        return failure.into();
    }
    let error = Error::new(Kind::Refused, refused);
    match target {
        EndTarget::User(_) => error.hint_command("see the accounts with", "gatepass admin user list"),
        EndTarget::Client(_) => error.hint_command("see the clients with", "gatepass admin client list"),
        EndTarget::Grant(_) | EndTarget::Session(_) => error,
    }
}
