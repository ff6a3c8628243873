//! `gatepass credential kubectl`: kubectl's credential plugin.
//!
//! kubectl runs whatever a kubeconfig names, for whatever cluster its context is about. So the clusters that get the token
//! stand beside the command, and kubectl is made to say which one it talks to (`provideClusterInfo`).

use super::{
    account_of_command, bearer_of_command,
    changes::{Changes, Mode},
    chosen, handed, installed, this_binary_as_text, tool,
};
use crate::{
    context::{Context, run_with},
    env,
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::{
    Account, SignIns,
    helpers::{
        Handed, Installed, Site,
        exec_credential::{Asked, VERSIONS, cluster_site},
        installed::KubectlUser,
    },
    id_token::NoIdToken,
};
use serde::Deserialize;

/// Answer kubectl when it asks for a token
///
/// Prints an ExecCredential. kubectl runs this itself, as a user of the kubeconfig says, for a cluster that --cluster names.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  gatepass credential kubectl install --cluster https://k8s.example.com:6443
  gatepass credential kubectl install --cluster https://k8s.example.com:6443 --id-token --user ada
  kubectl config set-context --current --user=ada
  gatepass credential kubectl uninstall --user ada"
)]
pub(crate) struct Kubectl {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct What {
    /// Hand out the ID token, which Kubernetes checks itself, instead of the access token
    #[arg(long)]
    id_token: bool,
    /// The cluster's URL; only such clusters get the token; repeatable
    #[arg(long, value_name = "URL", value_parser = cluster)]
    cluster: Vec<Site>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user of the kubeconfig that asks gatepass
    Install(Install),
    /// Take that user away
    Uninstall {
        /// The user's name in the kubeconfig
        #[arg(long, value_name = "NAME", default_value = "gatepass", value_parser = user_name)]
        user: String,
        /// Show what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Install {
    /// The user's name in the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "gatepass", value_parser = user_name)]
    user: String,
    #[command(flatten)]
    what: What,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn cluster(text: &str) -> Result<Site, String> {
    cluster_site(text).ok_or_else(|| "a cluster is a URL such as https://k8s.example.com:6443".into())
}

/// A name that needs no quotes anywhere; kubectl takes dots for steps into the kubeconfig.
fn user_name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-@".contains(&b);
    let good = (1..=128).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-');
    if good { Ok(text.to_owned()) } else { Err("a user here has letters, digits, or one of _-@".into()) }
}

impl Kubectl {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match self.action {
            None => self.what.hand_out(context),
            Some(Action::Install(install)) => install.run(context),
            Some(Action::Uninstall { user, dry_run }) => uninstall(context, &user, Mode::of(dry_run)),
        }
    }
}

impl What {
    fn hand_out(&self, context: &Context<'_>) -> Result<(), Error> {
        let asked = match env::read(env::KUBERNETES_EXEC_INFO) {
            // A person looks at it.
            None => Asked::default(),
            Some(info) => {
                let asked = Asked::read(&info)?;
                self.check(&asked)?;
                asked
            }
        };
        if self.id_token {
            let (token, end) = id_token(&context.sign_ins()?, &account_of_command(context)?)?;
            context.ui.data(asked.answer(Handed { token: &token, expires_at: Some(end) }).expose());
        } else {
            let url = asked.cluster.as_ref().map_or_else(|| "URL".to_owned(), ToString::to_string);
            let bearer = bearer_of_command(context, &url)?;
            context.ui.data(asked.answer(handed(&bearer)).expose());
        }
        Ok(())
    }

    /// The cluster that kubectl talks to is one that was named.
    fn check(&self, asked: &Asked) -> Result<(), Error> {
        match &asked.cluster {
            Some(cluster) if self.cluster.contains(cluster) => Ok(()),
            Some(cluster) => {
                Err(Error::new(Kind::Refused, format!("{cluster} was not named as a cluster that gets this token"))
                    .hint(format!(
                        "if it should, run 'gatepass credential kubectl install' with --cluster {cluster} too"
                    )))
            }
            None => {
                Err(Error::new(Kind::Usage, "kubectl does not say which cluster it talks to, or one without https")
                    .hint("set provideClusterInfo: true beside the command in the kubeconfig"))
            }
        }
    }

    fn words(&self, account: &Account) -> Vec<String> {
        let mut words: Vec<String> = ["credential", "kubectl", "--account"].map(String::from).into();
        words.push(account.id().to_string());
        words.extend(self.cluster.iter().flat_map(|cluster| ["--cluster".to_owned(), cluster.to_string()]));
        words.extend(self.id_token.then(|| "--id-token".to_owned()));
        words
    }
}

/// The ID token of an account; also for aws.
pub(super) fn id_token(
    sign_ins: &SignIns,
    account: &Account,
) -> Result<(gatepass_client::Secret, gatepass_client::oauth::UtcMillis), Error> {
    run_with(sign_ins, async { Ok(sign_ins.id_token(&account.id()).await) })?.map_err(|error| match error {
        NoIdToken::Bearer(error) => Error::of_account(error, account),
        NoIdToken::None => Error::sign_in_needed(format!("{account}: {error}"), Some(account.issuer.as_str())),
    })
}

impl Install {
    fn run(self, context: &Context<'_>) -> Result<(), Error> {
        if self.what.cluster.is_empty() {
            return Err(Error::new(Kind::Usage, "no cluster is named").hint_command(
                "name the one that may get the token; see its URL with",
                "kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}'",
            ));
        }
        let account = chosen(context)?;
        let (binary, words) = (this_binary_as_text()?, self.what.words(&account));
        let snippet = snippet(&self.user, &binary, &words);
        let entry = KubectlUser {
            user: self.user,
            account: account.id(),
            server: account.issuer.clone(),
            clusters: self.what.cluster,
            kubeconfig: env::read(env::KUBECONFIG),
        };
        let before = match Known::read(&entry.user)? {
            Some(Known { exec: Some(exec), .. }) if exec.is_ours() => Some(exec),
            Some(_) => {
                return Err(Error::new(Kind::Usage, format!("the kubeconfig has a user {} already", entry.user))
                    .hint("choose another name with --user"));
            }
            None => None,
        };
        let mut changes = Changes::new(context, Mode::of(self.dry_run));
        let mode = changes.are_done();
        let done = if mode { set(&entry.user, &binary, &words)? } else { Ok(()) };
        if let Err(why) = done {
            context.ui.warn(&format!("the kubeconfig was not changed: {why}"));
            context.ui.talk("Add this to it:");
            context.ui.data(snippet.trim_end());
            return Ok(());
        }
        if mode {
            Installed::update(&context.home_to_change()?, |installed| {
                installed.kubectl.retain(|known| known.user != entry.user || known.kubeconfig != entry.kubeconfig);
                installed.kubectl.push(entry.clone());
            })?;
        }
        if before.as_ref().is_none_or(|before| before.command != binary || before.args != words) {
            let old = before.map(|exec| self::snippet(&entry.user, &exec.command, &exec.args)).unwrap_or_default();
            let (gone, come) = gatepass_client::helpers::edit::difference(&old, &snippet);
            changes.tell("kubectl config", &gone, &come);
        }
        changes.end(&format!("kubectl gets tokens of {account} as the user {}.", entry.user));
        if mode {
            context.ui.talk("Let the current context use it with:");
            context.ui.talk_whole(&format!("  kubectl config set-context --current --user={}", entry.user));
        }
        Ok(())
    }
}

fn uninstall(context: &Context<'_>, user: &str, mode: Mode) -> Result<(), Error> {
    let kubeconfig = env::read(env::KUBECONFIG);
    let is_it = |known: &KubectlUser| known.user == user && known.kubeconfig == kubeconfig;
    if !installed(context)?.kubectl.iter().any(is_it) {
        context.ui.talk(&format!("kubectl is not installed for the user {user}."));
        return Ok(());
    }
    let mut changes = Changes::new(context, mode);
    if let Some(Known { exec: Some(exec), .. }) = Known::read(user)?.filter(|known| known.is_ours()) {
        if changes.are_done() {
            kubectl(&["config", "unset", &format!("users.{user}")])?.ok_or_else(absent)?.done("kubectl")?;
        }
        let snippet = snippet(user, &exec.command, &exec.args);
        changes.tell("kubectl config", &snippet.lines().collect::<Vec<_>>(), &[]);
    }
    if changes.are_done() {
        Installed::update(&context.home_to_change()?, |installed| installed.kubectl.retain(|known| !is_it(known)))?;
    }
    changes.end(&format!("kubectl gets no more tokens as the user {user}."));
    Ok(())
}

/// The user as it stands in a kubeconfig.
fn snippet(user: &str, binary: &str, words: &[String]) -> String {
    let [version, _] = VERSIONS;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let arguments: String = words.iter().map(|word| format!("      - {}\n", text(word))).collect();
    format!(
        "users:\n- name: {user}\n  user:\n    exec:\n      apiVersion: {version}\n      command: {}\n      args:\n{arguments}\
         \x20     interactiveMode: Never\n      provideClusterInfo: true\n",
        text(binary)
    )
}

/// Sets the user; in the inner result, why kubectl could not.
fn set(user: &str, binary: &str, words: &[String]) -> Result<Result<(), String>, Error> {
    let [version, _] = VERSIONS;
    let mut arguments: Vec<String> = ["config", "set-credentials"].map(String::from).into();
    arguments.push(user.to_owned());
    arguments.push(format!("--exec-api-version={version}"));
    arguments.push(format!("--exec-command={binary}"));
    arguments.extend(words.iter().map(|word| format!("--exec-arg={word}")));
    arguments.extend(["--exec-interactive-mode=Never", "--exec-provide-cluster-info=true"].map(String::from));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(match kubectl(&arguments)? {
        None => Err("kubectl is not installed here".into()),
        Some(ran) if ran.code == Some(0) => Ok(()),
        // kubectl before 1.30 has no such flags.
        Some(ran) => Err(format!("this kubectl cannot do it: {}", ran.reason())),
    })
}

#[derive(Default, Deserialize)]
struct Kubeconfig {
    users: Option<Vec<Known>>,
}

/// A user that the kubeconfig has, without its secrets.
#[derive(Deserialize)]
struct Known {
    name: String,
    #[serde(default)]
    user: KnownUser,
    #[serde(skip)]
    exec: Option<Exec>,
}

#[derive(Default, Deserialize)]
struct KnownUser {
    exec: Option<Exec>,
}

#[derive(Deserialize)]
struct Exec {
    #[serde(default)]
    command: String,
    #[serde(default)]
    args: Vec<String>,
}

impl Exec {
    /// Whether a gatepass, perhaps of another place, put it there.
    fn is_ours(&self) -> bool {
        self.args.iter().map(String::as_str).take(2).eq(["credential", "kubectl"])
    }
}

impl Known {
    fn read(user: &str) -> Result<Option<Self>, Error> {
        // kubectl leaves tokens and keys out of this view.
        let Some(ran) = kubectl(&["config", "view", "-o", "json"])? else { return Ok(None) };
        if ran.code != Some(0) {
            return Ok(None);
        }
        let config: Kubeconfig = serde_json::from_str(&ran.out).unwrap_or_default();
        let known = config.users.unwrap_or_default().into_iter().find(|known| known.name == user);
        Ok(known.map(|mut known| {
            known.exec = known.user.exec.take();
            known
        }))
    }

    fn is_ours(&self) -> bool {
        self.exec.as_ref().is_some_and(Exec::is_ours)
    }
}

fn kubectl(arguments: &[&str]) -> Result<Option<tool::Ran>, Error> {
    tool::run("kubectl", arguments)
}

fn absent() -> Error {
    Error::new(Kind::Failed, "kubectl is not installed here").hint("install kubectl, so that it is in the PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cluster_that_was_named_is_answered() {
        let asked = |server: &str| {
            Asked::read(&format!(
                r#"{{"apiVersion":"client.authentication.k8s.io/v1","spec":{{"cluster":{{"server":"{server}"}}}}}}"#
            ))
            .unwrap()
        };
        let what = What { id_token: false, cluster: vec![cluster("https://k.example:6443").unwrap()] };
        assert!(what.check(&asked("https://k.example:6443/path")).is_ok());
        for other in [
            "https://k.example",
            "https://evil.example:6443",
            "https://k.example:6443@evil.example",
            "http://k.example:6443",
            "",
        ] {
            assert!(what.check(&asked(other)).is_err(), "{other}");
        }
        let nothing = Asked::read(r#"{"apiVersion":"client.authentication.k8s.io/v1","spec":{}}"#).unwrap();
        assert!(what.check(&nothing).is_err());
    }
}
