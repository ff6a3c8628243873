//! `gatepass admin user`.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::Subcommand;
use gatepass_client::{Secret, calendar::rfc3339};
use gatepass_server::authority::{
    Authority, Failure, UserAccount,
    add_user::{EmailState, NewUser, UserRefused},
    set_password::PasswordRefused,
    verify_user::VerifyRefused,
};
use serde_json::json;
use std::io::Read;

/// How many people are read at once.
const PAGE: i64 = 500;
/// The most bytes of a password from stdin.
const LONGEST: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person with a local account
    Add {
        /// Their email address
        email: String,
        /// What to call them
        #[arg(long, default_value = "")]
        name: String,
        /// Read the password from stdin instead of asking
        #[arg(long)]
        password_stdin: bool,
        /// Do not vouch for the address: they cannot sign in yet
        #[arg(long)]
        unverified: bool,
    },
    /// Vouch for a person's address, so that they can sign in
    Verify {
        /// Their email address
        email: String,
    },
    /// Give a person another password and end their web sessions
    SetPassword {
        /// Their email address
        email: String,
        /// Read the password from stdin instead of asking
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the people
    List,
}

impl User {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        let ui = context.ui;
        match self {
            Self::Add { email, name, password_stdin, unverified } => {
                let email_state = if unverified { EmailState::Unverified } else { EmailState::Verified };
                let password = password(ui, password_stdin)?;
                let user = authority.add_user(NewUser { email, name, password, email_state }).await?;
                told(ui, &user, "added");
            }
            Self::Verify { email } => told(ui, &authority.verify_user(&email).await?, "is verified"),
            Self::SetPassword { email, password_stdin } => {
                let user = authority.set_password(&email, password(ui, password_stdin)?).await?;
                told(ui, &user, "has another password");
            }
            Self::List => list(ui, authority).await?,
        }
        Ok(())
    }
}

fn told(ui: &Ui, user: &UserAccount, what: &str) {
    if ui.is_json() {
        ui.object(&as_json(user));
    } else {
        ui.data(&format!("{} {what}", user.email));
    }
}

fn as_json(user: &UserAccount) -> serde_json::Value {
    json!({
        "id": user.id.to_string(),
        "email": user.email,
        "name": user.name,
        "email_verified": user.email_verified_at.is_some(),
        "owner": user.owner_since.is_some(),
        "created_at": rfc3339(user.created_at),
    })
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = authority.users(after, PAGE).await?;
        for user in &page {
            if ui.is_json() {
                ui.object(&as_json(user));
            } else {
                let unverified = if user.email_verified_at.is_some() { "" } else { "  unverified" };
                let owner = if user.owner_since.is_some() { "  owner" } else { "" };
                ui.data(&format!("{}  {}{owner}{unverified}", user.id, user.email));
            }
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

/// Asked twice on a terminal; the first line of stdin otherwise.
fn password(ui: &Ui, from_stdin: bool) -> Result<Secret, Error> {
    let failed = |error: std::io::Error| Error::new(Kind::Failed, format!("the password cannot be read: {error}"));
    if from_stdin {
        let mut text = String::new();
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(failed)?;
        return Ok(Secret::from(text.lines().next().unwrap_or_default()));
    }
    if !ui.can_ask() {
        return Err(Error::new(Kind::Usage, "there is no terminal to ask for the password on")
            .hint("pipe it in and add --password-stdin"));
    }
    let first = rpassword::prompt_password("Password: ").map(Secret::from).map_err(failed)?;
    let second = rpassword::prompt_password("Once more: ").map(Secret::from).map_err(failed)?;
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(Error::new(Kind::Usage, "the two passwords are not the same"))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(Kind::Failed, failure)
    }
}

impl From<UserRefused> for Error {
    fn from(refused: UserRefused) -> Self {
        match refused {
            UserRefused::Failure(failure) => failure.into(),
            UserRefused::Taken(_) => Self::new(Kind::Refused, refused),
            _ => Self::new(Kind::Usage, refused),
        }
    }
}

impl From<PasswordRefused> for Error {
    fn from(refused: PasswordRefused) -> Self {
        match refused {
            PasswordRefused::Refused(refused) => refused.into(),
            PasswordRefused::Unknown(_) => unknown(refused),
        }
    }
}

impl From<VerifyRefused> for Error {
    fn from(refused: VerifyRefused) -> Self {
        match refused {
            VerifyRefused::Failure(failure) => failure.into(),
            VerifyRefused::Unknown(_) => unknown(refused),
        }
    }
}

fn unknown(refused: impl std::fmt::Display) -> Error {
    Error::new(Kind::Refused, refused).hint_command("see the accounts with", "gatepass admin user list")
}
