//! `gatepass credential aws`: `credential_process` of aws.

use super::{
    Holder, account_of_command,
    changes::{Changes, Mode, text_of},
    chosen, installed, kubectl, this_binary_as_text, user_folder,
};
use crate::{
    context::{Context, run_async},
    env,
    error::{Error, Kind},
};
use clap::{Args, Subcommand};
use gatepass_client::{
    Account, WebUrl,
    helpers::{
        Installed, ini,
        installed::AwsProfile,
        sts::{InvalidRole, Place, Role, RoleArn, Shown},
    },
};
use std::{path::PathBuf, time::Duration};

/// The setting in a profile.
const KEY: &str = "credential_process";
/// How long a session lasts when nothing is said.
const DURATION: Duration = Duration::from_secs(3600);

/// Answer aws when it asks for credentials
///
/// Exchanges the sign-in's ID token for credentials of a role (AssumeRoleWithWebIdentity), and keeps them encrypted until
/// shortly before their end. AWS must know the server as an identity provider, and the role must trust it.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  gatepass credential aws install --profile work --role-arn arn:aws:iam::123456789012:role/deploy
  gatepass credential aws install --role-arn arn:aws:iam::123456789012:role/read --region eu-west-1 --duration 4h
  aws --profile work s3 ls
  gatepass credential aws uninstall --profile work"
)]
pub(crate) struct Aws {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    role: Option<RoleFlags>,
}

#[derive(Debug, Args)]
struct RoleFlags {
    /// The role, as in arn:aws:iam::123456789012:role/NAME
    #[arg(long, value_name = "ARN")]
    role_arn: RoleArn,
    /// The region whose STS is asked
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What AWS calls the session in its logs; without it, the account's name
    #[arg(long, value_name = "NAME")]
    session_name: Option<String>,
    /// How long the credentials last, from 15m to 12h; without it, 1h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Where STS is, for partitions of their own
    #[arg(long, value_name = "URL", conflicts_with = "region")]
    sts_endpoint: Option<WebUrl>,
    /// Send the access token instead of the ID token
    #[arg(long)]
    access_token: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let a profile of aws ask gatepass
    Install(Install),
    /// Take back what install did for a profile
    Uninstall {
        /// The profile
        #[arg(long, value_name = "NAME", default_value = "gatepass", value_parser = profile_name)]
        profile: String,
        /// Show what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Install {
    /// The profile
    #[arg(long, value_name = "NAME", default_value = "gatepass", value_parser = profile_name)]
    profile: String,
    #[command(flatten)]
    role: RoleFlags,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn profile_name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-+=,.@".contains(&b);
    let good = (1..=128).contains(&text.len()) && text.bytes().all(fits);
    if good { Ok(text.to_owned()) } else { Err("a profile here has letters, digits, or one of _-+=,.@".into()) }
}

impl Aws {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        match (self.action, self.role) {
            (Some(Action::Install(install)), _) => install.run(context),
            (Some(Action::Uninstall { profile, dry_run }), _) => uninstall(context, &profile, Mode::of(dry_run)),
            (None, Some(role)) => role.hand_out(context),
            (None, None) => Err(Error::new(Kind::Usage, "no role is named")
                .hint_command("name one with --role-arn; see", "gatepass credential aws --help")),
        }
    }
}

impl RoleFlags {
    fn role(&self, account: &Account) -> Result<Role, Error> {
        let place = match &self.sts_endpoint {
            Some(endpoint) => Place::Endpoint(endpoint.clone()),
            None => Place::Region(self.region.as_deref()),
        };
        let name = self.session_name.clone().unwrap_or_else(|| session_name(account));
        let role = Role::new(self.role_arn.clone(), &name, self.duration.unwrap_or(DURATION), place);
        role.map(|role| role.showing(self.shown())).map_err(|error| {
            let failed = Error::new(Kind::Usage, error);
            if error == InvalidRole::Region { failed.hint("name the region with --region") } else { failed }
        })
    }

    fn shown(&self) -> Shown {
        if self.access_token { Shown::AccessToken } else { Shown::IdToken }
    }

    fn hand_out(&self, context: &Context<'_>) -> Result<(), Error> {
        let account = account_of_command(context)?;
        let (role, id, sign_ins) = (self.role(&account)?, account.id(), context.sign_ins()?);
        if let Some(kept) = sign_ins.aws_credentials(&id, &role)? {
            context.ui.data(kept.document().expose());
            return Ok(());
        }
        let token = if self.access_token {
            let bearer = Holder { account: &id, server: &account.issuer }.stored(&sign_ins)?;
            if bearer.key().is_some() {
                return Err(Error::new(
                    Kind::Failed,
                    "the access token is bound to a key, and AWS takes no proofs of it",
                )
                .hint("leave out --access-token"));
            }
            bearer.token().clone()
        } else {
            kubectl::id_token(&sign_ins, &account)?.0
        };
        let credentials =
            run_async(async { Ok(role.assume(sign_ins.transport(), id, &token).await?) }).map_err(|error| {
                let message = format!("no credentials of {}: {}", role.arn, error.message);
                match error.kind {
                    Kind::Refused => Error { message, ..error }.hint(
                        "see that AWS knows the server as an identity provider, and that the role trusts this client",
                    ),
                    _ => Error { message, ..error },
                }
            })?;
        // Credentials that cannot be kept can be used all the same.
        if let Err(error) = sign_ins.keep_aws_credentials(credentials.clone()) {
            context.ui.warn(&format!("the credentials are not kept: {error}"));
        }
        context.ui.data(credentials.document().expose());
        Ok(())
    }

    fn words(&self, account: &Account) -> Vec<String> {
        let mut words: Vec<String> = ["credential", "aws", "--account"].map(String::from).into();
        words.push(account.id().to_string());
        let flags = [
            ("--role-arn", Some(self.role_arn.to_string())),
            ("--region", self.region.clone()),
            ("--session-name", self.session_name.clone()),
            ("--duration", self.duration.map(|time| format!("{}s", time.as_secs()))),
            ("--sts-endpoint", self.sts_endpoint.as_ref().map(ToString::to_string)),
        ];
        words.extend(flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten());
        words.extend(self.access_token.then(|| "--access-token".to_owned()));
        words
    }
}

/// The account's name as far as AWS takes it.
fn session_name(account: &Account) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    let name: String = account.label().chars().filter(fits).take(64).collect();
    if name.len() >= 2 { name } else { "gatepass".into() }
}

impl Install {
    fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let account = chosen(context)?;
        // What aws would be refused later is refused now.
        self.role.role(&account)?;
        let words: Vec<String> = [this_binary_as_text()?].into_iter().chain(self.role.words(&account)).collect();
        let command = words.iter().map(|word| quoted(word)).collect::<Result<Vec<_>, _>>()?.join(" ");
        let entry = AwsProfile {
            account: account.id(),
            server: account.issuer.clone(),
            role_arn: self.role.role_arn.to_string(),
            config: config_file()?,
            command,
            profile: self.profile,
        };
        let (section, before) = (section(&entry.profile), text_of(&entry.config)?);
        let ours = installed(context)?
            .aws
            .into_iter()
            .find(|known| known.profile == entry.profile && known.config == entry.config);
        match ini::get(&before, &section, KEY) {
            Some(other) if ours.as_ref().is_none_or(|ours| ours.command != other) && other != entry.command => {
                return Err(Error::new(
                    Kind::Usage,
                    format!("the profile {} has another {KEY} already", entry.profile),
                )
                .hint("choose another profile with --profile"));
            }
            _ => {}
        }
        let mut changes = Changes::new(context, Mode::of(self.dry_run));
        if changes.are_done() {
            Installed::update(&context.home_to_change()?, |installed| {
                installed.aws.retain(|known| known.profile != entry.profile || known.config != entry.config);
                installed.aws.push(entry.clone());
            })?;
        }
        changes.file(&entry.config, &before, &ini::set(&before, &section, KEY, &entry.command))?;
        changes.end(&format!(
            "aws gets credentials of {} for {account} in the profile {}.",
            entry.role_arn, entry.profile
        ));
        Ok(())
    }
}

fn uninstall(context: &Context<'_>, profile: &str, mode: Mode) -> Result<(), Error> {
    let config = config_file()?;
    let is_it = |known: &AwsProfile| known.profile == profile && known.config == config;
    let Some(entry) = installed(context)?.aws.into_iter().find(is_it) else {
        context.ui.talk(&format!("aws is not installed for the profile {profile}."));
        return Ok(());
    };
    let mut changes = Changes::new(context, mode);
    let (section, before) = (section(profile), text_of(&config)?);
    if ini::get(&before, &section, KEY) == Some(entry.command.as_str()) {
        changes.file(&config, &before, &ini::unset(&before, &section, KEY))?;
    }
    if changes.are_done() {
        Installed::update(&context.home_to_change()?, |installed| installed.aws.retain(|known| !is_it(known)))?;
    }
    changes.end(&format!("aws gets no more credentials in the profile {profile}."));
    Ok(())
}

fn config_file() -> Result<PathBuf, Error> {
    match env::read(env::AWS_CONFIG_FILE) {
        Some(file) => Ok(PathBuf::from(file)),
        None => Ok(user_folder()?.join(".aws/config")),
    }
}

fn section(profile: &str) -> String {
    if profile == "default" { profile.to_owned() } else { format!("profile {profile}") }
}

/// A word as `credential_process` reads it: double quotes hold it together, and nothing is expanded.
fn quoted(word: &str) -> Result<String, Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+:@=,".contains(&b);
    if word.bytes().all(plain) {
        return Ok(word.to_owned());
    }
    if word.contains(['"', '\\', '\n', '\r']) {
        return Err(Error::new(Kind::Usage, format!("{word} cannot stand in the configuration of aws")));
    }
    Ok(format!("\"{word}\""))
}
