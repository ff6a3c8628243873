//! `gatepass quickstart`: a server, an account and a sign-in, in one command.
//!
//! 1. Start a server on SQLite in `./gatepass-data`, on a free port if the usual one is taken.
//! 2. Make the tour's account, or give it a new password when it is there from an earlier run.
//! 3. Sign this terminal in as a headless machine would, with a code. With `--unattended` the code is
//!    approved through the same web pages that a person would use.
//! 4. Ask the server who we are, and say how to go on.

mod approver;

use super::{
    login::{self, CLIENT_ID, SCOPE},
    serve::{ended, runtime, world},
    whoami,
};
use crate::{
    context::Context,
    error::{Error, Kind},
};
use approver::Approver;
use clap::Args;
use gatepass_client::{Account, Entropy, Environment, Event, Home, Person, Secret, SignInRequest, Ways};
use gatepass_oauth::Issuer;
use gatepass_server::{
    Config, Overrides, ServeError, Server,
    authority::{
        Authority,
        add_user::{EmailState, NewUser, UserRefused},
    },
    config::{DEFAULT_DATA_DIR, DEFAULT_LISTEN},
    telemetry,
};
use std::{fmt::Display, path::PathBuf, pin::pin};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// The account of the tour.
const EMAIL: &str = "you@localhost";
/// Letters and digits that cannot be taken for one another.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Start a server here and sign this terminal in, as a tour
///
/// Everything is kept in ./gatepass-data; a second run goes on with what is there.
#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Approve the sign-in without a person, through the real web pages, then end
    #[arg(long)]
    unattended: bool,
}

impl Quickstart {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        telemetry::start(Some("error")).map_err(|error| Error::new(Kind::Failed, error))?;
        crate::open_files::allow_many();
        runtime()?.block_on(async {
            let mut end = pin!(ended()?);
            let server = tokio::select! {
                toured = self.tour(context) => toured?,
                () = &mut end => return Err(Error::new(Kind::Interrupted, "interrupted")),
            };
            if !self.unattended {
                // So that what was just said can be tried.
                end.await;
            }
            // Who will not wait for what is under way says so once more.
            let at_once = ended()?;
            tokio::select! {
                () = server.end() => {}
                () = at_once => return Err(Error::new(Kind::Interrupted, "interrupted")),
            }
            if !self.unattended {
                context.ui.talk("The server has ended. 'gatepass quickstart' goes on with what is there.");
            }
            Ok(())
        })
    }

    /// The tour; its server still runs.
    async fn tour(&self, context: &Context<'_>) -> Result<Running, Error> {
        let ui = context.ui;
        let server = step("start the server", start().await)?;
        let (authority, issuer) = (server.authority().clone(), server.authority().issuer().clone());
        let server = Running::start(server);
        ui.talk(&format!("1. A server runs at {issuer}, with its data in ./{DEFAULT_DATA_DIR}."));
        let password = step("make the account", account(&authority).await)?;
        ui.talk(&format!("2. It has a local account: {EMAIL}."));
        let home = Home::at(PathBuf::from(DEFAULT_DATA_DIR).join("home"));
        if self.unattended {
            ui.talk("3. This terminal signs in with a code, which is approved through the web pages:");
            step("sign in", unattended(context, &issuer, home, &password).await)?;
        } else {
            ui.talk("3. Sign this terminal in, as a headless machine would. At the page, sign in with");
            ui.talk("");
            ui.talk_strong(&format!("   {EMAIL}   {}", password.expose()));
            step("sign in", login::device_sign_in_and_whoami(context, issuer.clone(), home).await)?;
        }
        how_to_go_on(context, &issuer, self.unattended);
        Ok(server)
    }
}

/// A server that runs beside the tour.
struct Running {
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Running {
    fn start(server: Server) -> Self {
        let (end, ended) = oneshot::channel();
        let server = tokio::spawn(server.run(async move {
            let _ = ended.await;
        }));
        Self { end, server }
    }

    /// Ends it, with what is under way finished.
    async fn end(self) {
        drop(self.end);
        let _ = self.server.await;
    }
}

/// Names the step that failed.
fn step<T, E: Into<Error>>(name: &str, outcome: Result<T, E>) -> Result<T, Error> {
    outcome.map_err(|error| {
        let Error { message, hint, .. } = error.into();
        Error { kind: Kind::Failed, message: format!("the step '{name}' failed: {message}"), hint }
    })
}

async fn start() -> Result<Server, Error> {
    let on = |listen: &str| {
        Config::resolve(Overrides {
            data_dir: Some(DEFAULT_DATA_DIR.into()),
            listen: Some(listen.into()),
            ..Overrides::default()
        })
    };
    match Server::bind(&on(DEFAULT_LISTEN)?, &world()).await {
        Err(ServeError::InUse(_)) => Ok(Server::bind(&on("127.0.0.1:0")?, &world()).await?),
        other => Ok(other?),
    }
}

/// The tour's account with a password of this run, which is nowhere but on the screen.
async fn account(authority: &Authority) -> Result<Secret, Error> {
    let text = Entropy::system().text(PASSWORD_ALPHABET, 16).map_err(failed)?;
    let password = Secret::from(text);
    let new = NewUser {
        email: EMAIL.into(),
        name: "You".into(),
        password: password.clone(),
        email_state: EmailState::Verified,
    };
    match authority.add_user(new).await {
        Err(UserRefused::Taken(_)) => authority.set_password(EMAIL, password.clone()).await.map(drop)?,
        other => drop(other?),
    }
    Ok(password)
}

fn failed(error: impl Display) -> Error {
    Error::new(Kind::Failed, error)
}

/// Signs in with a code and approves it in a browser's stead, telling each step.
async fn unattended(context: &Context<'_>, issuer: &Issuer, home: Home, password: &Secret) -> Result<Account, Error> {
    let ui = context.ui;
    let sign_ins = context.sign_ins_in(home)?;
    let mut request = SignInRequest::new(issuer.clone(), CLIENT_ID.parse().map_err(failed)?);
    request.scope = SCOPE.parse().map_err(failed)?;
    request.device_name = Some("quickstart".into());
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = move |event| drop(told.send(event));
    let person = Person { ways: Some(Ways::Device), ..Person::new(Environment::default(), &tell) };
    let approve = async {
        while let Some(event) = events.recv().await {
            let Event::Code(code) = event else { continue };
            ui.talk(&format!(
                "   - the server gave the code {} and the address {}",
                code.user_code, code.verification_uri
            ));
            let approver = Approver::new(issuer)?;
            approver.sign_in(EMAIL, password).await?;
            ui.talk(&format!("   - {EMAIL} signed in at {issuer}/login"));
            let page = code.verification_uri_complete.as_deref().unwrap_or(&code.verification_uri);
            approver.approve(page, code.number_match.as_deref()).await?;
            ui.talk("   - the device page showed who asks, and was answered with 'Approve'");
            return Ok(());
        }
        Err(failed("the server gave no code"))
    };
    let signing_in = async { sign_ins.sign_in(&request, person).await.map_err(Error::from) };
    let ((), account) = tokio::try_join!(approve, signing_in)?;
    ui.talk(&format!("   - the next poll brought the tokens: signed in as {account}"));
    ui.talk("4. The server says who that is:");
    whoami::show(context, &sign_ins, &account).await?;
    Ok(account)
}

fn how_to_go_on(context: &Context<'_>, issuer: &Issuer, ends: bool) {
    let ui = context.ui;
    ui.talk("");
    ui.talk(if ends {
        "To go on, start the server again with"
    } else {
        "The server runs until Ctrl-C. To go on, in another terminal:"
    });
    ui.talk("");
    if ends {
        ui.talk_whole(&format!(
            "  gatepass serve --data-dir ./{DEFAULT_DATA_DIR} --listen {}",
            issuer.as_str().trim_start_matches("http://")
        ));
        ui.talk("");
        ui.talk("and use the sign-in of this tour from another terminal with");
        ui.talk("");
    }
    ui.talk_whole(&format!("  export GATEPASS_HOME=./{DEFAULT_DATA_DIR}/home"));
    ui.talk_whole("  gatepass whoami");
    ui.talk_whole("  curl -H @<(gatepass token --header) -H 'content-type: application/json' \\");
    ui.talk_whole(&format!("    -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\"}}' {issuer}/api/v1/user/rpc"));
    ui.talk("");
}
