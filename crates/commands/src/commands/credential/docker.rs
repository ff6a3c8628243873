//! `gatepass credential docker`: docker's credential helper.
//!
//! docker runs `docker-credential-gatepass`, found in the PATH: this binary under another name. What it does not want to
//! hear is said by one sentence on stdout and exit code 1, as docker's own helpers do.

use super::{
    Holder,
    changes::{Changes, Mode, file_failed, text_of},
    chosen, handed, installed, this_binary, user_folder, username,
};
use crate::{
    context::Context,
    env,
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::helpers::{
    Installed,
    docker::{NOT_FOUND, answer, read_server, read_to_store, registry},
    installed::DockerRegistry,
    json_members::{Members, indent},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// The name by which docker runs this binary.
const PROGRAM: &str = "docker-credential-gatepass";
/// What stands in docker's configuration.
const HELPER: &str = "\"gatepass\"";

/// Answer docker when it asks for a password
///
/// docker runs 'get', 'store', 'erase' and 'list' itself, through docker-credential-gatepass.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepass credential docker install registry.example.com
  gatepass credential docker install registry.example.com:5000 --folder ~/bin
  gatepass credential docker uninstall registry.example.com")]
pub(crate) struct Docker {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Hand out a token for the registry on stdin
    Get,
    /// Refuse: gatepass keeps no passwords
    Store,
    /// Let the next token be new
    Erase,
    /// List the registries that were installed
    List,
    /// Let docker ask gatepass for a registry
    Install(Install),
    /// Take back what install did for a registry
    Uninstall {
        /// The registry
        #[arg(value_parser = parse_registry)]
        registry: String,
        /// Show what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Install {
    /// The registry, as in registry.example.com:5000; the only one that gets the account's tokens
    #[arg(value_parser = parse_registry)]
    registry: String,
    /// The user name that goes with the token
    #[arg(long, value_name = "NAME", default_value = "oauth2", value_parser = username)]
    username: String,
    /// The folder for docker-credential-gatepass; it must be in the PATH
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn parse_registry(text: &str) -> Result<String, String> {
    registry(text).map_err(|_| "a registry is a host such as registry.example.com, with a port if need be".into())
}

/// What was typed; as `docker-credential-gatepass ACTION`, what it means.
pub(crate) fn arguments(mut given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let name = given.next().unwrap_or_default();
    let is_docker = Path::new(&name).file_stem().is_some_and(|stem| stem == PROGRAM);
    let words: &[&str] = if is_docker { &["credential", "docker"] } else { &[] };
    [name].into_iter().chain(words.iter().map(OsString::from)).chain(given).collect()
}

impl Docker {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match self.action {
            Action::Get => said(context, get(context)),
            Action::Store => said(context, store(context)),
            Action::Erase => said(context, erase(context)),
            Action::List => said(context, list(context)),
            Action::Install(install) => install.run(context),
            Action::Uninstall { registry, dry_run } => uninstall(context, &registry, Mode::of(dry_run)),
        }
    }
}

/// A failure that docker is told.
enum Told {
    NotFound,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Told {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// docker reads a failure from stdout, whole and without a mark.
fn said(context: &Context<'_>, outcome: Result<(), Told>) -> Result<(), Error> {
    let sentence = match outcome {
        Ok(()) => return Ok(()),
        Err(Told::NotFound) => NOT_FOUND.to_owned(),
        Err(Told::Error(Error { message, hint, .. })) => {
            let next = hint.map(|hint| [Some(hint.text), hint.command].into_iter().flatten().collect::<Vec<_>>());
            let next = next.map(|parts| format!("; {}", parts.join(" "))).unwrap_or_default();
            format!("{message}{next}")
        }
    };
    context.ui.data(&sentence);
    // Nothing is open that an end here would leave half done.
    std::process::exit(1)
}

fn get(context: &Context<'_>) -> Result<(), Told> {
    let server = read_server(io::stdin().lock())?;
    let name = registry(&server).map_err(|_| Told::NotFound)?;
    let installed = installed(context)?;
    let entry = installed.docker_registry(&name).ok_or(Told::NotFound)?;
    let holder = Holder { account: &entry.account, server: &entry.server };
    let bearer = holder.bearer(&context.sign_ins()?, &format!("https://{name}"))?;
    context.ui.data(answer(&server, &entry.username, handed(&bearer)).expose());
    Ok(())
}

/// docker logs in with what it was given by us, and stores it: that is no news. A password of somebody is.
fn store(context: &Context<'_>) -> Result<(), Told> {
    let given = read_to_store(io::stdin().lock())?;
    let installed = installed(context)?;
    let entry = registry(&given.server_url).ok().and_then(|name| installed.docker_registry(&name).cloned());
    let entry = entry.ok_or_else(|| Error::new(Kind::Usage, "gatepass keeps no passwords of other registries"))?;
    let contents = context.sign_ins()?.vault().read()?;
    let tokens = contents.get(&entry.account).and_then(|sign_in| sign_in.tokens.as_ref());
    match tokens {
        Some(tokens) if tokens.access_token.expose() == given.secret.expose() => Ok(()),
        _ => Err(Error::new(Kind::Usage, "gatepass keeps no passwords: it hands out tokens of its own")
            .hint("no 'docker login' is needed for this registry")
            .into()),
    }
}

fn erase(context: &Context<'_>) -> Result<(), Told> {
    let server = read_server(io::stdin().lock())?;
    let installed = installed(context)?;
    if let Some(entry) = registry(&server).ok().and_then(|name| installed.docker_registry(&name)) {
        Holder { account: &entry.account, server: &entry.server }.refused(&context.sign_ins()?, None)?;
    }
    Ok(())
}

fn list(context: &Context<'_>) -> Result<(), Told> {
    let all = installed(context)?.docker;
    let names: BTreeMap<String, String> = all.into_iter().map(|entry| (entry.registry, entry.username)).collect();
    context.ui.object(&serde_json::json!(names));
    Ok(())
}

impl Install {
    fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let (account, config) = (chosen(context)?, config_file()?);
        let known = installed(context)?;
        let earlier = known.docker_registry(&self.registry).cloned();
        let before = text_of(&config)?;
        let mut document = Document::read(&config, &before)?;
        match document.helpers.raw(&self.registry) {
            None | Some(HELPER) => {}
            Some(other) => {
                let error = format!("docker asks {other} for {} already", self.registry);
                return Err(Error::new(Kind::Usage, error)
                    .hint(format!("take it out of credHelpers in {} first", config.display())));
            }
        }
        let first = document.first || known.docker.iter().any(|known| known.config == config && known.first);
        document.helpers.set(&self.registry, HELPER.to_owned()).map_err(|error| odd(&config, &error))?;
        let mut changes = Changes::new(context, Mode::of(self.dry_run));
        let program = place_program(self.folder, &mut changes)?;
        let entry = DockerRegistry {
            registry: self.registry,
            account: account.id(),
            server: account.issuer.clone(),
            username: self.username,
            config: config.clone(),
            program: program.or_else(|| earlier.and_then(|earlier| earlier.program)),
            first,
        };
        if changes.are_done() {
            Installed::update(&context.home_to_change()?, |installed| {
                installed.docker.retain(|known| known.registry != entry.registry);
                installed.docker.push(entry.clone());
            })?;
        }
        changes.file(&config, &before, &document.write(&before).map_err(|error| odd(&config, &error))?)?;
        changes.end(&format!("docker gets tokens of {account} for {}.", entry.registry));
        if let Some(folder) = entry.program.as_deref().and_then(Path::parent)
            && !in_path(folder)
        {
            context.ui.warn(&format!("{} is not in the PATH, so docker does not find {PROGRAM}", folder.display()));
        }
        Ok(())
    }
}

fn uninstall(context: &Context<'_>, registry: &str, mode: Mode) -> Result<(), Error> {
    let installed = installed(context)?;
    let Some(entry) = installed.docker_registry(registry).cloned() else {
        context.ui.talk(&format!("docker is not installed for {registry}."));
        return Ok(());
    };
    let mut changes = Changes::new(context, mode);
    let before = text_of(&entry.config)?;
    let mut document = Document::read(&entry.config, &before)?;
    if document.helpers.raw(registry) == Some(HELPER) {
        document.helpers.remove(registry);
        document.first = entry.first;
        let after = document.write(&before).map_err(|error| odd(&entry.config, &error))?;
        changes.file(&entry.config, &before, &after)?;
    }
    let is_last = !installed.docker.iter().any(|known| known.registry != registry && known.program == entry.program);
    if let Some(program) = entry.program.filter(|program| is_last && is_ours(program)) {
        if changes.are_done() {
            fs::remove_file(&program).map_err(|error| file_failed(&program, &error))?;
        }
        changes.tell(&program.display().to_string(), &["a link to gatepass"], &[]);
    }
    if changes.are_done() {
        Installed::update(&context.home_to_change()?, |installed| {
            installed.docker.retain(|known| known.registry != registry)
        })?;
    }
    changes.end(&format!("docker gets no more tokens for {registry}."));
    Ok(())
}

fn config_file() -> Result<PathBuf, Error> {
    let folder = match env::read(env::DOCKER_CONFIG) {
        Some(folder) => PathBuf::from(folder),
        None => user_folder()?.join(".docker"),
    };
    Ok(folder.join("config.json"))
}

fn odd(path: &Path, error: &serde_json::Error) -> Error {
    Error::new(Kind::Failed, format!("{} is not what docker reads: {error}", path.display())).hint("correct the file")
}

/// docker's configuration, of which `credHelpers` is changed and nothing else.
struct Document {
    all: Members,
    helpers: Members,
    /// Whether `credHelpers` is ours alone.
    first: bool,
}

impl Document {
    fn read(path: &Path, text: &str) -> Result<Self, Error> {
        let read = |text: &str| Members::read(text).map_err(|error| odd(path, &error));
        let all = read(text)?;
        let helpers = all.raw("credHelpers").map(read).transpose()?;
        Ok(Self { first: helpers.is_none(), helpers: helpers.unwrap_or_default(), all })
    }

    fn write(mut self, before: &str) -> Result<String, serde_json::Error> {
        let indent = indent(before);
        if self.helpers.is_empty() && self.first {
            self.all.remove("credHelpers");
        } else {
            self.all.set("credHelpers", self.helpers.write(indent, 1))?;
        }
        let end = if before.ends_with('\n') { "\n" } else { "" };
        Ok(format!("{}{end}", self.all.write(indent, 0)))
    }
}

/// Puts this binary under docker's name into a folder, unless it is there; where it was put.
fn place_program(folder: Option<PathBuf>, changes: &mut Changes<'_>) -> Result<Option<PathBuf>, Error> {
    let binary = this_binary()?;
    let folder = match (folder, binary.parent()) {
        (Some(folder), _) => std::path::absolute(&folder).map_err(|error| file_failed(&folder, &error))?,
        (None, Some(own)) if in_path(own) => own.to_owned(),
        _ => user_folder()?.join(".local/bin"),
    };
    let program = folder.join(PROGRAM).with_extension(std::env::consts::EXE_EXTENSION);
    if is_ours(&program) {
        return Ok(Some(program));
    }
    if fs::symlink_metadata(&program).is_ok() {
        return Err(Error::new(Kind::Failed, format!("{} is there and is not ours", program.display()))
            .hint("move it away, or name another folder with --folder"));
    }
    if changes.are_done() {
        fs::create_dir_all(&folder)
            .and_then(|()| link(&binary, &program))
            .map_err(|error| file_failed(&program, &error))?;
    }
    changes.tell(&program.display().to_string(), &[], &["a link to gatepass"]);
    Ok(Some(program))
}

#[cfg(unix)]
fn link(binary: &Path, program: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(binary, program)
}

#[cfg(not(unix))]
fn link(binary: &Path, program: &Path) -> io::Result<()> {
    fs::copy(binary, program).map(drop)
}

/// Whether a program of docker's name is this binary.
fn is_ours(program: &Path) -> bool {
    match (
        fs::canonicalize(program),
        this_binary().and_then(|own| fs::canonicalize(own).map_err(|e| file_failed(program, &e))),
    ) {
        (Ok(there), Ok(own)) => {
            there == own || (cfg!(windows) && there.file_stem().is_some_and(|stem| stem == PROGRAM))
        }
        _ => false,
    }
}

fn in_path(folder: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|known| known == folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_what_is_meant() {
        let words = |given: &[&str]| arguments(given.iter().map(OsString::from));
        assert_eq!(words(&["/x/docker-credential-gatepass", "get"])[1..], ["credential", "docker", "get"]);
        assert_eq!(words(&["gatepass", "token"])[1..], ["token"]);
        assert_eq!(words(&[]).len(), 1);
    }

    #[test]
    fn only_cred_helpers_changes() {
        let path = Path::new("config.json");
        for before in [
            "{\n\t\"auths\": {},\n\t\"credsStore\": \"pass\"\n}",
            "{\n  \"credHelpers\": {\n    \"a\": \"b\"\n  }\n}\n",
        ] {
            let mut document = Document::read(path, before).unwrap();
            let first = document.first;
            document.helpers.set("r.example", HELPER.to_owned()).unwrap();
            let after = document.write(before).unwrap();
            assert!(after.contains("\"r.example\": \"gatepass\""), "{after}");
            let mut document = Document::read(path, &after).unwrap();
            document.helpers.remove("r.example");
            document.first = first;
            assert_eq!(document.write(&after).unwrap(), before);
        }
        assert!(Document::read(path, "[]").is_err() && Document::read(path, "{\"credHelpers\": 1}").is_err());
    }
}
