//! Which place gets the token of which account: `helpers.toml` in the home. It holds nothing secret.

use super::Site;
use crate::{
    AccountId, Home,
    settings_file::{self, SettingsError},
};
use gatepass_oauth::Issuer;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that was installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Installed {
    /// Hosts of git.
    pub git: Vec<GitSite>,
    /// Registries of docker.
    pub docker: Vec<DockerRegistry>,
    /// Users of kubectl.
    pub kubectl: Vec<KubectlUser>,
    /// Profiles of aws.
    pub aws: Vec<AwsProfile>,
}

/// A host that git is given tokens for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSite {
    /// The host.
    pub site: Site,
    /// Whose token.
    pub account: AccountId,
    /// Where the account is.
    pub server: Issuer,
    /// The user name that goes with the token.
    pub username: String,
    /// Whether the token goes as `Authorization: Bearer` where git can do that.
    #[serde(default)]
    pub bearer: bool,
    /// What stands in git's configuration.
    pub command: String,
    /// Whether an empty value before it keeps other helpers from this host.
    #[serde(default)]
    pub alone: bool,
}

/// A registry that docker is given tokens for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerRegistry {
    /// The registry as docker names it: a host, and a port if need be.
    pub registry: String,
    /// Whose token.
    pub account: AccountId,
    /// Where the account is.
    pub server: Issuer,
    /// The user name that goes with the token.
    pub username: String,
    /// Docker's configuration.
    pub config: PathBuf,
    /// The program that docker runs, if it was put there.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// Whether `credHelpers` was not there before.
    #[serde(default)]
    pub first: bool,
}

/// A user of a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubectlUser {
    /// Its name.
    pub user: String,
    /// Whose token.
    pub account: AccountId,
    /// Where the account is.
    pub server: Issuer,
    /// The clusters that get it.
    pub clusters: Vec<Site>,
    /// The kubeconfig that `KUBECONFIG` named, if it did.
    #[serde(default)]
    pub kubeconfig: Option<String>,
}

/// A profile of aws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsProfile {
    /// Its name.
    pub profile: String,
    /// Whose token.
    pub account: AccountId,
    /// Where the account is.
    pub server: Issuer,
    /// The role.
    pub role_arn: String,
    /// The configuration of aws.
    pub config: PathBuf,
    /// What stands there.
    pub command: String,
}

impl Installed {
    /// Reads the file; none is fine.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(home: &Home) -> Result<Self, SettingsError> {
        settings_file::read(&home.helpers())
    }

    /// Changes the file under a lock.
    ///
    /// # Errors
    /// [`SettingsError`]; then the file is as it was.
    pub fn update<T>(home: &Home, change: impl FnOnce(&mut Self) -> T) -> Result<T, SettingsError> {
        settings_file::update(home, &home.helpers(), home.helpers_lock(), change)
    }

    /// The entry of a host, if its owner named it.
    #[must_use]
    pub fn git_site(&self, site: &Site) -> Option<&GitSite> {
        self.git.iter().find(|known| known.site == *site)
    }

    /// The entry of a registry, if its owner named it.
    #[must_use]
    pub fn docker_registry(&self, registry: &str) -> Option<&DockerRegistry> {
        self.docker.iter().find(|known| known.registry == registry)
    }

    /// The server of an account for which something is installed.
    #[must_use]
    pub fn server_of(&self, account: &AccountId) -> Option<&Issuer> {
        let git = self.git.iter().map(|known| (&known.account, &known.server));
        let docker = self.docker.iter().map(|known| (&known.account, &known.server));
        let kubectl = self.kubectl.iter().map(|known| (&known.account, &known.server));
        let aws = self.aws.iter().map(|known| (&known.account, &known.server));
        git.chain(docker).chain(kubectl).chain(aws).find(|(known, _)| *known == account).map(|(_, server)| server)
    }

    /// Whether nothing is installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_named_is_kept_and_nothing_else_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        assert!(Installed::read(&home).unwrap().is_empty());
        let entry = GitSite {
            site: "git.example.com".parse().unwrap(),
            account: serde_json::from_str("\"abcdef\"").unwrap(),
            server: "https://a.example".parse().unwrap(),
            username: "oauth2".into(),
            bearer: false,
            command: "!gatepass credential git".into(),
            alone: true,
        };
        Installed::update(&home, |installed| installed.git.push(entry.clone())).unwrap();
        let installed = Installed::read(&home).unwrap();
        assert_eq!(installed.git_site(&"https://git.example.com".parse().unwrap()), Some(&entry));
        assert_eq!(installed.git_site(&"https://git.example.com:8443".parse().unwrap()), None);
        assert_eq!(installed.git_site(&"https://example.com".parse().unwrap()), None);
        fs::write(home.helpers(), "git = 1").unwrap();
        assert!(Installed::read(&home).unwrap_err().to_string().contains("helpers.toml"));
        fs::write(home.helpers(), "[[git]]\nsite = 'https://a@b.example'\n").unwrap();
        assert!(Installed::read(&home).is_err());
    }
}
