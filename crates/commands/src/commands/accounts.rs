//! `gatepass accounts`: see the accounts of this machine and say which one is meant where.

use super::logout;
use crate::{
    context::{Context, run_with},
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::{Account, AccountId, Contents, SignIns, folder::Bindings};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// List accounts, and choose between them
///
/// Which account a command uses is decided by the first of these that says something: --account and --server (or
/// GATEPASS_ACCOUNT and GATEPASS_SERVER), the nearest .gatepass.toml from here upwards, the nearest folder that was bound
/// with 'gatepass accounts bind', and the default. A command that runs already goes on with the account that it began with.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Accounts {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the accounts of this machine
    List,
    /// Make an account the default
    Use {
        /// An email, a name, or the beginning of an id
        #[arg(value_name = "ACCOUNT")]
        name: String,
    },
    /// Let an account be meant in a folder and below it
    Bind {
        /// An email, a name, or the beginning of an id
        #[arg(value_name = "ACCOUNT", required_unless_present = "remove")]
        name: Option<String>,
        /// The folder
        #[arg(long, value_name = "PATH", default_value = ".")]
        folder: PathBuf,
        /// End the folder's binding
        #[arg(long, conflicts_with = "name")]
        remove: bool,
    },
    /// Sign an account out and forget it, with its bindings
    Remove {
        /// An email, a name, or the beginning of an id
        #[arg(value_name = "ACCOUNT")]
        name: String,
        /// Forget it even when the server cannot be told
        #[arg(long)]
        force: bool,
    },
}

impl Accounts {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let sign_ins = context.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        match self.action.unwrap_or(Action::List) {
            Action::List => list(context, &contents),
            Action::Use { name } => make_default(context, &sign_ins, &named(context, &contents, name)?),
            Action::Bind { name, folder, .. } => match name {
                Some(name) => bind(context, &sign_ins, &folder, &named(context, &contents, name)?),
                None => unbind(context, &sign_ins, &folder),
            },
            Action::Remove { name, force } => remove(context, &sign_ins, &named(context, &contents, name)?, force),
        }
    }
}

/// The account of that name; `--server` narrows the choice.
fn named(context: &Context<'_>, contents: &Contents, name: String) -> Result<Account, Error> {
    Ok(contents.select(&context.selection_of(name)?)?.account.clone())
}

fn list(context: &Context<'_>, contents: &Contents) -> Result<(), Error> {
    let meant = context.account(contents).ok().map(|account| account.id());
    let bindings = Bindings::read(&context.home()?)?;
    for sign_in in &contents.sign_ins {
        let (account, id) = (&sign_in.account, sign_in.account.id());
        let is_default = contents.default.as_ref() == Some(&id);
        let bound = folders_of(&bindings, &id);
        if context.ui.is_json() {
            context.ui.object(&json!({
                "id": id, "server": account.issuer, "client_id": account.client_id, "subject": account.subject,
                "email": account.email, "name": account.name, "space": account.space, "default": is_default,
                "meant_here": meant.as_ref() == Some(&id), "folders": bound, "signed_in": sign_in.tokens.is_some(),
            }));
            continue;
        }
        let mark = if meant.as_ref() == Some(&id) { '*' } else { ' ' };
        let ended = if sign_in.tokens.is_none() { ", ended by the server" } else { "" };
        let default = if is_default { ", default" } else { "" };
        context.ui.data(&format!("{mark} {id}  {}", account.label()));
        let space = account.space.as_ref().map(|space| format!(", space {space}")).unwrap_or_default();
        context.ui.data(&format!("                {}{space}{default}{ended}", account.issuer));
        for folder in bound {
            context.ui.data(&format!("                bound to {}", folder.display()));
        }
    }
    if contents.sign_ins.is_empty() {
        context.ui.talk("Nobody is signed in.");
    } else if meant.is_some() {
        context.ui.talk("The account with the star is meant here.");
    }
    Ok(())
}

fn folders_of<'a>(bindings: &'a Bindings, id: &AccountId) -> Vec<&'a Path> {
    bindings.folders.iter().filter(|(_, bound)| *bound == id).map(|(folder, _)| folder.as_path()).collect()
}

fn make_default(context: &Context<'_>, sign_ins: &SignIns, account: &Account) -> Result<(), Error> {
    let id = account.id();
    let kept = sign_ins.vault().update(|contents| contents.default = Some(id.clone()));
    kept.map_err(|error| Error::from(error).about(account))?;
    if context.ui.is_json() {
        context.ui.object(&json!({"event": "done", "default": account.id()}));
    }
    context.ui.talk(&format!("The default is now {account}."));
    Ok(())
}

fn bind(context: &Context<'_>, sign_ins: &SignIns, folder: &Path, account: &Account) -> Result<(), Error> {
    let folder = absolute(folder)?;
    Bindings::update(sign_ins.vault().home(), |bindings| bindings.bind(folder.clone(), account.id()))?;
    if context.ui.is_json() {
        context.ui.object(&json!({"event": "done", "folder": folder, "id": account.id()}));
    }
    context.ui.talk(&format!("In {} and below it, {account} is meant.", folder.display()));
    Ok(())
}

fn unbind(context: &Context<'_>, sign_ins: &SignIns, folder: &Path) -> Result<(), Error> {
    let folder = absolute(folder)?;
    let was_bound = Bindings::update(sign_ins.vault().home(), |bindings| bindings.unbind(&folder))?;
    if context.ui.is_json() {
        context.ui.object(&json!({"event": "done", "folder": folder, "was_bound": was_bound}));
    }
    let end = if was_bound { "is bound no more" } else { "was not bound" };
    context.ui.talk(&format!("{} {end}.", folder.display()));
    Ok(())
}

fn remove(context: &Context<'_>, sign_ins: &SignIns, account: &Account, force: bool) -> Result<(), Error> {
    run_with(sign_ins, logout::sign_out(context, sign_ins, account, force))?;
    Ok(Bindings::update(sign_ins.vault().home(), |bindings| bindings.forget(&account.id()))?)
}

fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(folder).map_err(|error| Error::new(Kind::Usage, format!("{}: {error}", folder.display())))
}
