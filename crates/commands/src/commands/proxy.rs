//! `gatepass proxy`: a local address that puts a token into every request for one server.

use super::serve::ended;
use crate::{
    agent::named,
    context::{Context, finished},
    env,
    error::{Error, Kind},
    proxy::{Credential, Doors, Forward, Guard, Keeper, Upstream, connections, serve},
};
use clap::Args;
use gatepass_client::{
    Account, Entropy, Narrowing, SignIn, TlsIdentity, WebUrl,
    agent::{Address, Request},
    oauth::{Issuer, ResourceUri},
};
use serde_json::json;
use std::{fmt, sync::Arc, time::Duration};

/// Forward requests to a server with a token in each
///
/// Prints an address on this machine. What is sent there goes to UPSTREAM with the account's token, which is renewed as
/// need be: a program that knows nothing of sign-ins is given this address in place of the server's. A request that is
/// answered 401 is sent once more with a new token, if its body is no longer than 10 MiB. HTTP/1.1, HTTP/2, WebSocket
/// and server-sent events pass; redirects are given back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepass proxy https://api.example.com
  gatepass proxy https://api.example.com/v1 --port 4000 --idle 1h
  echo \"url = $URL/items\" | curl -K -        # where URL is the address that was printed

The address holds a secret: whoever has it can use the account until the proxy ends. Every user of a machine sees the
arguments of its programs, so give it to them in a file, in the environment or by a pipe.")]
pub(crate) struct Proxy {
    /// Where requests go: https, or http on this machine; a path is put before each request's own
    #[arg(value_name = "UPSTREAM")]
    upstream: WebUrl,
    /// The port to listen on; without it, a free one
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Need no secret in the path: web pages are kept out, but every program on this machine may use the account
    #[arg(long)]
    no_path_token: bool,
    /// End when nothing was asked for so long, as in 30m or 8h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    idle: Option<Duration>,
    /// Speak HTTP/2 to an http upstream on this machine; an https upstream chooses by itself
    #[arg(long)]
    h2c: bool,
}

/// Whose tokens requests get.
enum Whose {
    /// What a variable of the environment holds.
    Environment(&'static str),
    /// An account's; its client may show a certificate, to which its tokens may be bound.
    Account(Account, Option<TlsIdentity>),
    Agent(Address),
}

impl Whose {
    fn account(&self) -> Option<&Account> {
        if let Self::Account(account, _) = self { Some(account) } else { None }
    }

    fn certificate(&self) -> Option<&TlsIdentity> {
        if let Self::Account(_, certificate) = self { certificate.as_ref() } else { None }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "what {variable} holds"),
            Self::Account(account, _) => account.fmt(f),
            Self::Agent(address) => write!(f, "tokens of the agent at {address}"),
        }
    }
}

impl Proxy {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let upstream = Upstream::try_from(self.upstream.clone())
            .map_err(|error| Error::new(Kind::Usage, error).hint("leave the part from '?' on to the requests"))?;
        if self.upstream.is_loopback() && self.upstream.url().port_or_known_default() == self.port {
            return Err(Error::new(Kind::Usage, "the proxy would forward to itself").hint("choose another --port"));
        }
        let (keeper, whose) = self.keeper(context)?;
        crate::open_files::allow_many();
        // One thread: a request is handed from one connection to another, which is quickest without another core.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(Kind::Failed, format!("the runtime cannot be started: {error}")))?;
        let outcome = runtime.block_on(async {
            let outcome = self.forward(context, upstream, Arc::clone(&keeper), &whose).await;
            if let Some(sign_ins) = keeper.sign_ins() {
                finished(sign_ins, ended()?).await;
            }
            outcome
        });
        runtime.shutdown_background();
        outcome
    }

    /// Whose token it is: the environment's, an agent's, or the one of the account that is meant.
    fn keeper(&self, context: &Context<'_>) -> Result<(Arc<Keeper>, Whose), Error> {
        if let Some(raw) = context.raw() {
            let token = context.plain_token(None)?;
            if raw.is_api_key() {
                self.is_for(&context.server_of_raw(&raw)?)?;
            }
            return Ok((Keeper::of_token(Credential::raw(token)), Whose::Environment(raw.variable)));
        }
        let ui = context.ui.clone();
        let tell = move |error: &Error| ui.error(error);
        if let Some(caller) = named()? {
            let request = Request::token(&context.selection()?, &Narrowing::default(), None);
            let address = caller.address().clone();
            let keeper = Keeper::of_agent(context.sign_ins_or_none()?, caller, request, tell);
            return Ok((keeper, Whose::Agent(address)));
        }
        let sign_ins = context.sign_ins()?;
        let contents = sign_ins.vault().read()?;
        let sign_in = context.sign_in(&contents)?;
        self.warn_of_another_resource(context, sign_in);
        let (account, certificate) = (sign_in.account.clone(), sign_in.authentication.certificate().cloned());
        Ok((Keeper::of_account(sign_ins, account.clone(), tell), Whose::Account(account, certificate)))
    }

    /// A key of a server's API goes to that server alone.
    fn is_for(&self, server: &Issuer) -> Result<(), Error> {
        match server.as_str().parse::<WebUrl>() {
            Ok(own) if own.url().origin() == self.upstream.url().origin() => Ok(()),
            _ => Err(Error::new(
                Kind::Usage,
                format!("{} is for {server}, and is not sent to {}", env::API_KEY, self.upstream.host()),
            )
            .hint(format!("set {} to a token for that API", env::TOKEN))),
        }
    }

    /// A token for one API should not be shown to another (RFC 8707 §2).
    fn warn_of_another_resource(&self, context: &Context<'_>, sign_in: &SignIn) {
        if let Some(resource) = &sign_in.resource
            && !is_within(&self.upstream, resource)
        {
            context.ui.warn(&format!(
                "the sign-in of {} is for {resource}, and its token will be sent to {}",
                sign_in.account,
                self.upstream.host()
            ));
        }
    }

    async fn forward(
        &self,
        context: &Context<'_>,
        upstream: Upstream,
        keeper: Arc<Keeper>,
        whose: &Whose,
    ) -> Result<(), Error> {
        let end = ended()?;
        let connections = connections(&upstream, self.h2c, &context.network()?, whose.certificate())?;
        tokio::pin!(end);
        tokio::select! {
            begun = keeper.begin() => begun?,
            () = &mut end => return Ok(()),
        }
        let doors = Doors::open(self.port).await?;
        let port = doors.port();
        let guard = if self.no_path_token {
            Guard::Browser { port }
        } else {
            Guard::path(&Entropy::system()).map_err(|error| Error::new(Kind::Failed, error))?
        };
        let url = format!("http://127.0.0.1:{port}{}", guard.prefix());
        self.tell(context, &url, whose);
        let forward = Forward::new(guard, port, upstream, connections, keeper);
        serve(doors, forward, self.idle, end).await;
        Ok(())
    }

    fn tell(&self, context: &Context<'_>, url: &str, whose: &Whose) {
        let ui = context.ui;
        if ui.is_json() {
            ui.object(&json!({
                "event": "listening",
                "url": url,
                "upstream": self.upstream.as_str(),
                "account": whose.account().map(Account::id),
            }));
        } else {
            ui.data(url);
        }
        ui.talk(&format!("Requests go to {} with {whose}. Ctrl-C ends it.", self.upstream));
        if self.no_path_token {
            ui.warn("every program on this machine, of every user, can use this account through the proxy");
        }
    }
}

/// Whether a URL is the resource, or below it.
fn is_within(url: &WebUrl, resource: &ResourceUri) -> bool {
    let base = resource.as_str().trim_end_matches('/');
    let rest = url.as_str().strip_prefix(base);
    // A resource may also be narrower than what requests are put below.
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        || base.starts_with(url.as_str().trim_end_matches('/'))
}
