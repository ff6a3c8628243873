//! The whole chain from the settings to a token, looked at link by link.
//!
//! 1. The settings: files that are read, and what they say ([`settings`]).
//! 2. The vault: who may read it, whether it opens, whether its locks are free ([`keeping`], [`locks`]).
//! 3. The way to the server: proxy, name, connection, certificate, clock ([`reach`], [`contact`]).
//! 4. The server: metadata at each place where it may lie, its grants, our client ([`matrix`], [`grants`]).
//! 5. This machine: ports for a browser's answer, an agent ([`machine`]).
//!
//! Each link is a [`Check`]: data, for whoever shows it. Nothing is changed by looking: no token is sent or
//! fetched, a damaged vault stays where it is, and of a lock only is tried whether it could be had. Every look has
//! a bound of five seconds. Texts hold no secret, no email and no user name, so that a report can be shown around.

mod contact;
mod grants;
mod keeping;
mod locks;
mod machine;
mod matrix;
mod reach;
mod remedy;
mod settings;
mod shy;

use crate::{Contents, Home, KeySources, SignIn, Transport, Vault, agent::Caller};
use gatepass_keys::{Clock, Entropy};
use gatepass_oauth::{ClientId, Issuer};
pub use remedy::{of_distrust, of_unreachable};
pub use shy::Shy;
use std::{path::PathBuf, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// How long one look may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Where it belongs.
    pub section: Section,
    /// What was looked at, in a word or two.
    pub name: String,
    /// How it is.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Whether only the network, or a server that is away, stands in the way.
    pub is_network: bool,
}

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Not looked at, or not there and not needed.
    Skipped,
    /// It works, but.
    Warning,
    /// It does not work.
    Failure,
}

/// The parts of the chain, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Files and variables.
    Configuration,
    /// What is kept, and how.
    Vault,
    /// The way to the server.
    Network,
    /// The server.
    Server,
    /// Browser, ports, agent, terminal.
    Machine,
}

/// Whom to examine.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Where settings and vault lie.
    pub home: Home,
    /// The folder that the command runs in.
    pub folder: Option<PathBuf>,
    /// Where the vault's key may be had; nobody is asked for it.
    pub sources: KeySources,
    /// How to reach the server; its bounds should be short.
    pub transport: Transport,
    /// The clock.
    pub clock: Clock,
    /// The server; `None` takes the default account's.
    pub server: Option<Issuer>,
    /// The client to ask as, where no account says another.
    pub client_id: ClientId,
    /// Who asks the agent, if one is named; or why it cannot even be asked.
    pub agent: Result<Option<Caller>, String>,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

impl Section {
    /// Its title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Vault => "Vault",
            Self::Network => "Network",
            Self::Server => "Server",
            Self::Machine => "This machine",
        }
    }
}

impl Check {
    fn new(section: Section, name: impl Into<String>, outcome: Outcome, found: impl Into<String>) -> Self {
        Self { section, name: name.into(), outcome, found: found.into(), remedy: None, is_network: false }
    }

    /// A link as it should be.
    #[must_use]
    pub fn ok(section: Section, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(section, name, Outcome::Ok, found)
    }

    /// A link that was not looked at, and why.
    #[must_use]
    pub fn skipped(section: Section, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(section, name, Outcome::Skipped, why)
    }

    /// A link that could be better.
    #[must_use]
    pub fn warning(section: Section, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(section, name, Outcome::Warning, found)
    }

    /// A link that is broken.
    #[must_use]
    pub fn failure(section: Section, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(section, name, Outcome::Failure, found)
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn by_network(mut self) -> Self {
        self.is_network = true;
        self
    }
}

/// Examines the chain. The checks come in the order of their sections.
pub async fn examine(patient: Patient) -> Vec<Check> {
    let mut checks = blocking(Section::Configuration, {
        let (home, folder, ca_file) =
            (patient.home.clone(), patient.folder.clone(), patient.transport.network().ca_file.clone());
        move || settings::look(&home, folder.as_deref(), ca_file.as_deref())
    })
    .await
    .unwrap_or_else(|late| vec![late]);
    let entropy = Entropy::system();
    let sources = KeySources { ask: None, ..patient.sources };
    let vault = Vault::new(patient.home, sources, patient.clock.clone(), entropy);
    let (kept, contents) = match blocking(Section::Vault, move || keeping::look(&vault)).await {
        Ok(found) => found,
        Err(late) => (vec![late], None),
    };
    checks.extend(kept);
    let account = account(contents.as_ref(), patient.server.as_ref());
    let server = patient.server.or_else(|| account.map(|sign_in| sign_in.account.issuer.clone()));
    let client = account.map_or(patient.client_id, |sign_in| sign_in.account.client_id.clone());
    let way = async {
        match server {
            Some(server) => contact::look(&patient.transport, &patient.clock, &server, &client).await,
            None => vec![
                Check::skipped(Section::Network, "server", "none is named, and nobody is signed in")
                    .remedy("gatepass doctor https://auth.example.com"),
            ],
        }
    };
    let (way, machine) = tokio::join!(way, machine::look(patient.agent));
    checks.extend(way);
    checks.extend(machine);
    checks
}

/// The sign-in that the server's checks are about: the default one, or one at the server that is named.
fn account<'c>(contents: Option<&'c Contents>, server: Option<&Issuer>) -> Option<&'c SignIn> {
    let contents = contents?;
    let default = contents.default.as_ref().and_then(|id| contents.get(id));
    let mut candidates = default.into_iter().chain(contents.sign_ins.iter().rev());
    candidates.find(|sign_in| server.is_none_or(|server| *server == sign_in.account.issuer))
}

/// Does what may wait for a disk or a keyring, for so long.
async fn blocking<T: Send + 'static>(section: Section, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Check> {
    match timeout(PATIENCE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(found)) => Ok(found),
        _ => Err(Check::failure(
            section,
            "files",
            "no answer within 5 s from the disk, the keyring or the key's command",
        )
        .remedy("look whether the home folder is on a disk that answers, and run the key's command by hand")),
    }
}

/// Does several things at once; the results keep their order.
async fn all<T: Send + 'static>(works: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut set = JoinSet::new();
    for (place, work) in works.into_iter().enumerate() {
        set.spawn(async move { (place, work.await) });
    }
    let mut done = set.join_all().await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}
