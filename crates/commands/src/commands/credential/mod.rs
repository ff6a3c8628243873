//! `gatepass credential`: tokens for git, docker, kubectl and aws, over their own helper protocols.
//!
//! `install` names a place that gets the tokens of one account, and edits the tool's configuration; nothing else ever gets
//! one (`gatepass_client::helpers`). `GATEPASS_TOKEN` is not used here: it says nothing of where it may go. An agent that
//! `GATEPASS_AGENT_SOCK` names is asked instead of the vault.

mod aws;
mod changes;
pub(crate) mod docker;
mod git;
mod kubectl;
mod list;
mod tool;

use crate::{
    agent::{self, named},
    context::{Context, run_with},
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::{
    Account, AccountId, Bearer, BearerError, Narrowing, Secret, Selection, SignIns,
    agent::Request,
    helpers::{Handed, Installed},
    oauth::Issuer,
};
use std::path::PathBuf;

/// Give tokens to git, docker, kubectl and aws
///
/// Each tool asks for a token when it needs one. A token goes only to a host, registry, cluster or role that was named.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepass credential git install git.example.com
  gatepass credential docker install registry.example.com
  gatepass credential kubectl install --cluster https://k8s.example.com:6443 --id-token
  gatepass credential aws install --profile work --role-arn arn:aws:iam::123456789012:role/deploy
  gatepass credential list
  gatepass credential git uninstall git.example.com")]
pub(crate) struct Credential {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    Git(git::Git),
    Docker(docker::Docker),
    Kubectl(kubectl::Kubectl),
    Aws(Box<aws::Aws>),
    /// Show which tool gets whose token for what
    List,
}

impl Credential {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match self.tool {
            Tool::Git(git) => git.run(context),
            Tool::Docker(docker) => docker.run(context),
            Tool::Kubectl(kubectl) => kubectl.run(context),
            Tool::Aws(aws) => aws.run(context),
            Tool::List => list::run(context),
        }
    }
}

/// Whose token it is, as an installed entry says.
#[derive(Clone, Copy)]
struct Holder<'a> {
    account: &'a AccountId,
    server: &'a Issuer,
}

impl Holder<'_> {
    /// A token for a tool that talks to `url`, refreshed if need be or if it was refused: of the agent that the environment
    /// names, else of the vault. With a fresh one at hand there is no network and no runtime. Tools send a token as it is, so
    /// one that is bound to a key is none for them.
    fn bearer(self, sign_ins: &SignIns, url: &str) -> Result<Bearer, Error> {
        let bearer = match named()? {
            Some(caller) => agent::ask(&caller, self.request())?.bearer,
            None => self.stored(sign_ins)?,
        };
        Error::unless_bound(bearer, url)
    }

    fn stored(self, sign_ins: &SignIns) -> Result<Bearer, Error> {
        if let Some(bearer) = sign_ins.fresh_bearer_for_helper(self.account)? {
            return Ok(bearer);
        }
        run_with(sign_ins, async { Ok(sign_ins.bearer_for_helper(self.account).await) })?
            .map_err(|error| self.failed(sign_ins, error))
    }

    /// Notes that a server refused a token of the tool's, or the one that it was given last.
    fn refused(self, sign_ins: &SignIns, token: Option<&Secret>) -> Result<(), Error> {
        match (named()?, token) {
            (None, _) => sign_ins.token_refused(self.account, token).map(drop)?,
            (Some(caller), Some(token)) => drop(caller.token(self.request().instead_of(token))?),
            // It was the one that the agent has at hand. Where there is none, there is nothing to replace.
            (Some(caller), None) => {
                if let Ok(last) = caller.token(self.request()) {
                    let _ = caller.token(self.request().instead_of(&last.access_token));
                }
            }
        }
        Ok(())
    }

    /// What an agent is asked for.
    fn request(self) -> Request {
        let selection = Selection {
            issuer: Some(self.server.clone()),
            account: Some(self.account.to_string()),
            ..Selection::default()
        };
        Request::token(&selection, &Narrowing::default(), None)
    }

    /// Why there is no token, with the account's name and the command to run.
    fn failed(self, sign_ins: &SignIns, error: BearerError) -> Error {
        match self.known(sign_ins) {
            Ok(Some(account)) => Error::of_account(error, &account),
            Ok(None) => Error::sign_in_needed(
                format!("the account {} at {} is not signed in here", self.account, self.server),
                Some(self.server.as_str()),
            ),
            Err(error) => error,
        }
    }

    fn known(self, sign_ins: &SignIns) -> Result<Option<Account>, Error> {
        Ok(sign_ins.vault().read()?.get(self.account).map(|sign_in| sign_in.account.clone()))
    }
}

fn handed(bearer: &Bearer) -> Handed<'_> {
    Handed { token: bearer.token(), expires_at: bearer.expires_at() }
}

/// A token for a command that stands in a tool's configuration, for a tool that talks to `url`.
fn bearer_of_command(context: &Context<'_>, url: &str) -> Result<Bearer, Error> {
    if let Some(caller) = named()? {
        let selection = context.selection_by_id()?;
        let request = Request::token(&selection, &Narrowing::default(), None);
        return Error::unless_bound(agent::ask(&caller, request)?.bearer, url);
    }
    let account = account_of_command(context)?;
    Holder { account: &account.id(), server: &account.issuer }.bearer(&context.sign_ins()?, url)
}

/// Whose token such a command hands out.
fn account_of_command(context: &Context<'_>) -> Result<Account, Error> {
    let selection = context.selection_by_id()?;
    let Some(id) = selection.account.as_deref().and_then(AccountId::whole) else { return chosen(context) };
    match context.sign_ins()?.vault().read()?.get(&id) {
        Some(sign_in) => Ok(sign_in.account.clone()),
        None => {
            let server = installed(context)?.server_of(&id).cloned();
            let message = format!("the account {id} is not signed in here");
            Err(Error::sign_in_needed(message, server.as_ref().map(Issuer::as_str)))
        }
    }
}

/// The account that something is installed for.
fn chosen(context: &Context<'_>) -> Result<Account, Error> {
    context.account(&context.sign_ins()?.vault().read()?)
}

fn installed(context: &Context<'_>) -> Result<Installed, Error> {
    Ok(Installed::read(&context.home()?)?)
}

/// This binary, as other programs find it.
fn this_binary() -> Result<PathBuf, Error> {
    std::env::current_exe()
        .map_err(|error| Error::new(Kind::Failed, format!("where this program is cannot be told: {error}")))
}

/// The same as text, which the configuration of other programs is.
fn this_binary_as_text() -> Result<String, Error> {
    let path = this_binary()?;
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(Error::new(Kind::Failed, format!("{} cannot stand in a configuration", path.display()))
            .hint("put gatepass into a folder whose name is plain text")),
    }
}

/// The person's own folder.
fn user_folder() -> Result<PathBuf, Error> {
    ["HOME", "USERPROFILE"]
        .into_iter()
        .find_map(crate::env::read)
        .map(PathBuf::from)
        .ok_or_else(|| Error::new(Kind::Usage, "the home folder is not known, since HOME is not set"))
}

/// A name that goes with a token, such as `oauth2`.
fn username(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if fits { Ok(text.to_owned()) } else { Err("a user name here is visible ASCII without ':'".into()) }
}
