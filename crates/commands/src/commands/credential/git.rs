//! `gatepass credential git`: git's credential helper.
//!
//! `install` names one host. In git's configuration it puts an empty value before our command, which keeps helpers that
//! stand elsewhere from being asked for that host, and from storing our token in a file of theirs; `--beside` leaves it out.

use super::{
    Holder,
    changes::{Changes, Mode},
    chosen, handed, installed, this_binary_as_text, tool, username,
};
use crate::{
    context::Context,
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::helpers::{
    Installed, Site,
    git::{Answer, Request},
    installed::GitSite,
};
use std::{
    ffi::OsString,
    io::{self, IsTerminal},
};

/// Answer git when it asks for a password
///
/// git runs 'get', 'store' and 'erase' itself. A token that a server refused is replaced at the next 'get'; nothing here
/// signs anybody out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepass credential git install git.example.com
  gatepass credential git install https://git.example.com:8443 --account ada@example.com
  gatepass credential git install git.example.com --dry-run
  gatepass credential git uninstall git.example.com")]
pub(crate) struct Git {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Hand out a token for the host on stdin; nothing for a host that was not installed
    Get,
    /// Do nothing: gatepass keeps its own tokens
    Store,
    /// Note that a token was refused, so that the next one is new
    Erase,
    /// Let git ask gatepass for a host
    Install(Install),
    /// Take back what install did for a host
    Uninstall {
        /// The host
        #[arg(value_name = "URL")]
        site: Site,
        /// Show what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Args)]
struct Install {
    /// The host, as in git.example.com or http://127.0.0.1:3000; the only one that gets the account's tokens
    #[arg(value_name = "URL")]
    site: Site,
    /// The user name that goes with the token
    #[arg(long, value_name = "NAME", default_value = "oauth2", value_parser = username)]
    username: String,
    /// Send the token as 'Authorization: Bearer' where git can do that (2.46)
    #[arg(long)]
    bearer: bool,
    /// Let other helpers be asked for this host too; they may store the token
    #[arg(long)]
    beside: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Git {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match self.action {
            Action::Get => get(context),
            Action::Store => Request::read(io::stdin().lock()).map(drop).map_err(Error::from),
            Action::Erase => erase(context),
            Action::Install(install) => install.run(context),
            Action::Uninstall { site, dry_run } => uninstall(context, &site, Mode::of(dry_run)),
            // gitcredentials(7): what a later git asks is passed over in silence. A person is not git.
            Action::Other(_) if !io::stdin().is_terminal() => Ok(()),
            Action::Other(words) => {
                let word = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
                Err(Error::new(Kind::Usage, format!("git has no helper command called {word}"))
                    .hint_command("see what there is with", "gatepass credential git --help"))
            }
        }
    }
}

/// The entry for the host that git talks to, unless git wants somebody else's password for it.
fn entry(context: &Context<'_>, request: &Request) -> Result<Option<GitSite>, Error> {
    let Some(site) = request.site() else { return Ok(None) };
    let Some(entry) = installed(context)?.git_site(&site).cloned() else { return Ok(None) };
    let is_ours = match request.username.as_deref() {
        None => true,
        Some(name) if name == entry.username => true,
        Some(name) => {
            let holder = Holder { account: &entry.account, server: &entry.server };
            holder.known(&context.sign_ins()?)?.is_some_and(|account| account.is_meant_by(name))
        }
    };
    Ok(is_ours.then_some(entry))
}

fn get(context: &Context<'_>) -> Result<(), Error> {
    let request = Request::read(io::stdin().lock())?;
    let Some(entry) = entry(context, &request)? else { return Ok(()) };
    let sign_ins = context.sign_ins()?;
    let holder = Holder { account: &entry.account, server: &entry.server };
    if let Some(refused) = request.refused_generation() {
        let stored = sign_ins.vault().read()?;
        if stored.get(&entry.account).is_some_and(|sign_in| sign_in.generation == refused) {
            sign_ins.token_refused(&entry.account, None)?;
        }
    }
    match holder.bearer(&sign_ins, entry.site.as_str()) {
        Ok(bearer) => {
            let is_first = request.refused_generation().is_none();
            let answer = Answer {
                handed: handed(&bearer),
                username: request.username.as_deref().unwrap_or(&entry.username),
                style: request.style(entry.bearer),
                again: Some(bearer.generation()).filter(|_| is_first && request.can("state")),
            };
            context.ui.data(answer.text().expose().trim_end());
            Ok(())
        }
        Err(error) => {
            // A prompt for a password would lead nowhere here, and teach people to type one. When only the network is
            // away, another helper may still have something.
            if error.kind == Kind::SignInNeeded {
                context.ui.data("quit=true");
            }
            Err(error)
        }
    }
}

fn erase(context: &Context<'_>) -> Result<(), Error> {
    let request = Request::read(io::stdin().lock())?;
    if let Some(entry) = entry(context, &request)? {
        Holder { account: &entry.account, server: &entry.server }
            .refused(&context.sign_ins()?, request.token.as_ref())?;
    }
    Ok(())
}

impl Install {
    fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let (account, config) = (chosen(context)?, Values::read(&self.site)?);
        let entry = GitSite {
            account: account.id(),
            server: account.issuer.clone(),
            username: self.username,
            bearer: self.bearer,
            command: format!("!{} credential git", quoted(&this_binary_as_text()?)),
            alone: !self.beside,
            site: self.site,
        };
        let earlier = installed(context)?.git_site(&entry.site).cloned();
        let others = earlier.as_ref().map_or_else(|| config.values.clone(), |earlier| config.without(earlier));
        let mut wanted = others;
        if !wanted.contains(&entry.command) {
            wanted.extend(entry.alone.then(String::new));
            wanted.push(entry.command.clone());
        }
        let mut changes = Changes::new(context, Mode::of(self.dry_run));
        if changes.are_done() {
            Installed::update(&context.home_to_change()?, |installed| {
                installed.git.retain(|known| known.site != entry.site);
                installed.git.push(entry.clone());
            })?;
        }
        config.write(&wanted, &mut changes)?;
        changes.end(&format!("git gets tokens of {account} for {}.", entry.site));
        Ok(())
    }
}

fn uninstall(context: &Context<'_>, site: &Site, mode: Mode) -> Result<(), Error> {
    let Some(entry) = installed(context)?.git_site(site).cloned() else {
        context.ui.talk(&format!("git is not installed for {site}."));
        return Ok(());
    };
    let config = Values::read(site)?;
    let mut changes = Changes::new(context, mode);
    config.write(&config.without(&entry), &mut changes)?;
    if changes.are_done() {
        Installed::update(&context.home_to_change()?, |installed| installed.git.retain(|known| known.site != *site))?;
    }
    changes.end(&format!("git gets no more tokens for {site}."));
    Ok(())
}

/// The values of `credential.URL.helper` in the person's own git configuration.
struct Values {
    key: String,
    values: Vec<String>,
}

impl Values {
    fn read(site: &Site) -> Result<Self, Error> {
        let key = format!("credential.{site}.helper");
        let ran = git(&["-z", "--get-all", &key])?;
        let values = match ran.code {
            // git's way to say that there is none.
            Some(1) => Vec::new(),
            _ => ran.done("git config")?.split_terminator('\0').map(str::to_owned).collect(),
        };
        Ok(Self { key, values })
    }

    /// The values without those that an entry brought.
    fn without(&self, entry: &GitSite) -> Vec<String> {
        let mut rest = self.values.clone();
        if let Some(at) = rest.iter().position(|value| *value == entry.command) {
            rest.remove(at);
            if entry.alone && at > 0 && rest.get(at - 1).is_some_and(String::is_empty) {
                rest.remove(at - 1);
            }
        }
        rest
    }

    fn change(&self, wanted: &[String]) -> Result<(), Error> {
        let is_single = |value: &String| self.values.iter().filter(|known| *known == value).count() == 1;
        let added = match (wanted.strip_prefix(self.values.as_slice()), self.values.strip_prefix(wanted)) {
            (Some(added), _) => added,
            (None, Some(gone)) if gone.iter().all(is_single) => {
                for value in gone {
                    git(&["--fixed-value", "--unset", &self.key, value])?.done("git config")?;
                }
                return Ok(());
            }
            _ => {
                git(&["--unset-all", &self.key])?.done("git config")?;
                wanted
            }
        };
        for value in added {
            git(&["--add", &self.key, value])?.done("git config")?;
        }
        Ok(())
    }

    /// Makes these the values, with as few changes as git's command has for it.
    fn write(&self, wanted: &[String], changes: &mut Changes<'_>) -> Result<(), Error> {
        if wanted == self.values {
            return Ok(());
        }
        if changes.are_done() {
            self.change(wanted)?;
        }
        let lines = |values: &[String]| -> Vec<String> {
            values.iter().map(|value| format!("{} = {value}", self.key)).collect()
        };
        let (before, after) = (lines(&self.values), lines(wanted));
        let texts = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let (before, after) = (texts(&before), texts(&after));
        let (gone, come) = gatepass_client::helpers::edit::difference(&before, &after);
        changes.tell("git config --global", &gone, &come);
        Ok(())
    }
}

fn git(arguments: &[&str]) -> Result<tool::Ran, Error> {
    tool::run("git", &[&["config", "--global"], arguments].concat())?.ok_or_else(|| {
        Error::new(Kind::Failed, "git is not installed here").hint("install git, so that it is in the PATH")
    })
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+:@".contains(&b);
    if path.bytes().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
