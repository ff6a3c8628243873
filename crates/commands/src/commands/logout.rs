//! `gatepass logout`: revoke at the server (RFC 7009), then forget.

use crate::{
    context::{Context, run_with},
    error::Error,
};
use clap::Args;
use gatepass_client::{Account, NotSelected, SignIns, SignedOut};
use serde_json::json;

/// Sign out, revoking the tokens at the server
///
/// The server is told first. When it cannot be told, the sign-in is kept, so that it can be revoked
/// later: a token that is only forgotten here goes on working for whoever has a copy. With --force it is
/// forgotten all the same.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Sign out every account (of the server that --server names)
    #[arg(long)]
    all: bool,
    /// Forget the tokens here even when the server cannot be told
    #[arg(long)]
    force: bool,
}

impl Logout {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let sign_ins = context.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        let selection = context.selection()?;
        let accounts: Vec<Account> = if self.all {
            let here = |account: &Account| {
                selection.issuer.as_ref().is_none_or(|issuer| account.issuer == *issuer)
                    && (selection.space.is_none() || account.space == selection.space)
            };
            contents.sign_ins.into_iter().map(|sign_in| sign_in.account).filter(here).collect()
        } else {
            match contents.select(&selection) {
                Ok(sign_in) => vec![sign_in.account.clone()],
                // To be signed out already is what was wanted.
                Err(NotSelected::Nobody(_) | NotSelected::NoSpace(_)) => Vec::new(),
                Err(error) => return Err(error.into()),
            }
        };
        if accounts.is_empty() {
            context.ui.talk("Nobody was signed in.");
            return Ok(());
        }
        run_with(&sign_ins, async {
            let mut first_error = None;
            for account in &accounts {
                if let Err(error) = sign_out(context, &sign_ins, account, self.force).await {
                    if accounts.len() > 1 {
                        context.ui.warn(&error.message);
                    }
                    first_error.get_or_insert(error);
                }
            }
            first_error.map_or(Ok(()), Err)
        })
    }
}

/// Signs one account out and says so; with `force` it is forgotten even when the server cannot be told.
pub(super) async fn sign_out(
    context: &Context<'_>,
    sign_ins: &SignIns,
    account: &Account,
    force: bool,
) -> Result<(), Error> {
    let id = account.id();
    let (revoked, how) = match sign_ins.sign_out(&id).await {
        Ok(SignedOut::Revoked) => (true, String::new()),
        Ok(SignedOut::Already) => (true, " The sign-in had ended before.".to_owned()),
        Ok(SignedOut::NotOffered) => {
            (false, " The server offers no revocation: the token lives until it expires.".to_owned())
        }
        Ok(SignedOut::Refused(refusal)) => (false, format!(" The server did not revoke the tokens: {refusal}.")),
        Err(error) if force => {
            sign_ins.forget(&id).await.map_err(|error| Error::from(error).about(account))?;
            (false, format!(" The tokens were not revoked: {error}."))
        }
        Err(error) => return Err(Error::from(error).about(account)),
    };
    if context.ui.is_json() {
        context.ui.object(&json!({"event": "done", "id": id, "server": account.issuer, "revoked": revoked}));
    }
    context.ui.talk(&format!("Signed out {account}.{how}"));
    Ok(())
}
