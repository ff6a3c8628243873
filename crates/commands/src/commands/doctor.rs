//! `gatepass doctor`: looks at the whole chain and says what to do. The looking is
//! [`gatepass_client::doctor`]'s; here are the variables, browser and terminal, and the talking.

use super::login;
use crate::{
    agent::found,
    browser,
    context::{Context, run_async},
    env,
    error::{Error, Kind},
    ui::{Ui, wrap},
};
use clap::Args;
use gatepass_client::{
    Clock, Config, Environment, KeySources, Network, Transport, choose,
    doctor::{Check, Outcome, PATIENCE, Patient, Section, Shy, examine},
    network::{NO_PROXY_VARIABLES, PROXY_VARIABLES},
    oauth::Issuer,
    transport::Timeouts,
};
use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

/// Look at the whole chain from the settings to the server, and say what to do
///
/// Nothing is changed, and no token is sent. What is printed holds no secret, no email and no user name, so it can be
/// pasted into a report. Exit code 1 when something is broken, 4 when only the network is.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The server to look at; without it, the one that other commands would take
    #[arg(value_name = "URL")]
    url: Option<String>,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let mut own = variables();
        let server = self.server(context, &mut own)?;
        let network = network(context, &mut own);
        let sources = context.key_sources().unwrap_or_else(|error| {
            // A file that cannot be read is told by its own check.
            if context.config().is_ok() {
                own.push(Check::failure(Section::Configuration, "vault key", error.message));
            }
            KeySources { no_keyring: true, ..KeySources::default() }
        });
        let home = context.home()?;
        let patient = Patient {
            agent: found(&home).map_err(|error| error.message),
            home,
            folder: std::env::current_dir().ok(),
            sources,
            transport: Transport::with(Timeouts { connect: Duration::from_secs(4), whole: PATIENCE }, network),
            clock: Clock::System,
            server,
            client_id: login::CLIENT_ID.parse().map_err(|error| Error::new(Kind::Failed, error))?,
        };
        own.push(terminal(context.ui));
        own.push(version());
        let mut checks = run_async(async {
            let (checks, browser) = tokio::join!(examine(patient), browser(context.ui));
            own.push(browser);
            Ok([checks, own].concat())
        })?;
        checks.sort_by_key(|check| check.section);
        let shy = Shy::new(env::read("HOME").or_else(|| env::read("USERPROFILE")));
        for check in &mut checks {
            check.found = shy.tell(&check.found);
            check.remedy = check.remedy.take().map(|remedy| shy.tell(&remedy));
        }
        match context.ui.is_json() {
            true => context.ui.object(&as_json(&checks)),
            false => context.ui.data(render(&checks, context.ui.width().min(100)).trim_end()),
        }
        verdict(&checks)
    }

    fn server(&self, context: &Context<'_>, checks: &mut Vec<Check>) -> Result<Option<Issuer>, Error> {
        if let Some(url) = &self.url {
            return Ok(Some(
                url.parse().map_err(|error| Error::new(Kind::Usage, format!("the server {url}: {error}")))?,
            ));
        }
        Ok(context.named_server().unwrap_or_else(|error| {
            // A file that cannot be read is told by its own check.
            if context.config().is_ok() {
                checks.push(Check::failure(Section::Configuration, "server", error.message));
            }
            None
        }))
    }
}

/// The network as commands take it; where they would not start, what of it can be used.
fn network(context: &Context<'_>, checks: &mut Vec<Check>) -> Network {
    let told = match context.network() {
        Ok(network) => return network,
        Err(error) => error,
    };
    Network::of(env::read, &Config::default()).unwrap_or_else(|_| {
        let remedy = "name it as in HTTPS_PROXY=http://proxy.example:3128, or unset it";
        checks.push(Check::failure(Section::Configuration, "proxy", told.message).remedy(remedy));
        Network::default()
    })
}

/// The variables that are set. Of those that may tell a secret or a person only that they are.
fn variables() -> Vec<Check> {
    let ours = env::ALL.iter().map(|(name, _)| *name);
    let others = PROXY_VARIABLES.into_iter().chain(NO_PROXY_VARIABLES).chain(["HTTP_PROXY", "http_proxy"]);
    let names = ours.chain(others).chain(["BROWSER", env::NO_COLOR, "SSL_CERT_FILE", "SSL_CERT_DIR"]);
    let mut seen = Vec::new();
    let mut checks = Vec::new();
    for name in names {
        let Some(value) = env::read(name).filter(|_| !seen.contains(&name)) else { continue };
        seen.push(name);
        let hidden = env::is_secret(name) || matches!(name, env::ACCOUNT | env::VAULT_KEY_COMMAND);
        let told = if hidden { format!("{name} is set") } else { format!("{name} is {value}") };
        checks.push(match name {
            env::TOKEN | env::API_KEY => Check::warning(
                Section::Configuration,
                "variable",
                format!("{told}, and is used instead of any sign-in"),
            )
            .remedy(format!("unset {name}, if that is not meant")),
            _ => Check::ok(Section::Configuration, "variable", told),
        });
    }
    if seen.iter().any(|name| name.eq_ignore_ascii_case("HTTP_PROXY"))
        && !seen.iter().any(|name| PROXY_VARIABLES.contains(name))
    {
        let found = "HTTP_PROXY counts for plain http only, which never leaves this machine";
        checks.push(
            Check::warning(Section::Configuration, "proxy", found).remedy("if a proxy is needed, set HTTPS_PROXY"),
        );
    }
    checks
}

/// Whether a browser can be opened, and why not.
async fn browser(ui: &Ui) -> Check {
    let name = "browser";
    if let Some(why) = choose::obstacle(&Environment::observe(env::read, ui.can_ask())) {
        return Check::skipped(Section::Machine, name, format!("none would be opened, since {why}"));
    }
    let found = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(browser::is_there)).await;
    match found {
        Ok(Ok(true)) => Check::ok(Section::Machine, name, "one can be opened"),
        _ => Check::warning(Section::Machine, name, "none is found")
            .remedy("name one in BROWSER, or sign in with: gatepass login --device"),
    }
}

fn terminal(ui: &Ui) -> Check {
    let unicode = if ui.is_unicode() { "Unicode" } else { "no Unicode" };
    let color = if ui.has_color() { "colours" } else { "no colours" };
    let kind = if ui.can_ask() { "a terminal" } else { "no terminal" };
    let found = format!("{kind}, {} columns, {unicode}, {color}", ui.width());
    match ui.width() < 40 {
        true => Check::warning(Section::Machine, "terminal", found).remedy("make it wider, or use --json"),
        false => Check::ok(Section::Machine, "terminal", found),
    }
}

fn version() -> Check {
    let found = format!("gatepass {}, {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Check::ok(Section::Machine, "version", found)
}

fn count(checks: &[Check], outcome: Outcome) -> usize {
    checks.iter().filter(|check| check.outcome == outcome).count()
}

/// The failure of the command, if there is one in the chain.
fn verdict(checks: &[Check]) -> Result<(), Error> {
    let failures = count(checks, Outcome::Failure);
    if failures == 0 {
        return Ok(());
    }
    let only_network = checks.iter().filter(|check| check.outcome == Outcome::Failure).all(|check| check.is_network);
    let kind = if only_network { Kind::Unreachable } else { Kind::Failed };
    let things = if failures == 1 { "one thing is".to_owned() } else { format!("{failures} things are") };
    Err(Error::new(kind, format!("{things} broken")).hint("the hint under each failure says what to do"))
}

fn as_json(checks: &[Check]) -> Value {
    let list: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "section": check.section.title(),
                "name": check.name,
                "outcome": check.outcome.name(),
                "found": check.found,
                "remedy": check.remedy,
            })
        })
        .collect();
    let counts = [Outcome::Ok, Outcome::Skipped, Outcome::Warning, Outcome::Failure];
    let counts: serde_json::Map<_, _> =
        counts.into_iter().map(|outcome| (outcome.name().to_owned(), count(checks, outcome).into())).collect();
    json!({ "checks": list, "counts": counts })
}

/// The report as text: a table, or where that does not fit, paragraphs.
fn render(checks: &[Check], width: usize) -> String {
    let names = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let indent = 2 + 7 + 2;
    let column = indent + names + 2;
    let mut text = String::new();
    let mut section = None;
    for check in checks {
        if section != Some(check.section) {
            let gap = if section.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", check.section.title());
            section = Some(check.section);
        }
        let outcome = check.outcome.name();
        if width < column + 20 {
            hang(&mut text, "  ", 4, width, &format!("{outcome} {}: {}", check.name, check.found));
        } else {
            hang(&mut text, &format!("  {outcome:7}  {:names$}  ", check.name), column, width, &check.found);
        }
        let Some(remedy) = &check.remedy else { continue };
        let (start, more) = if width < column + 20 { ("    ", 4) } else { ("           ", indent) };
        if ["gatepass ", "chmod "].iter().any(|program| remedy.starts_with(program)) {
            // A command stands alone on its line, so that it can be copied.
            let _ = writeln!(text, "{start}hint: run\n{start}  {remedy}");
        } else {
            hang(&mut text, start, more, width, &format!("hint: {remedy}"));
        }
    }
    let (failures, warnings) = (count(checks, Outcome::Failure), count(checks, Outcome::Warning));
    let several = |count: usize| if count == 1 { "" } else { "s" };
    let good = count(checks, Outcome::Ok);
    let total = format!("{good} ok, {warnings} warning{}, {failures} failure{}", several(warnings), several(failures));
    let _ = writeln!(text, "\n{}", wrap(&total, width));
    text
}

/// Writes a text whose further lines hang under its beginning.
fn hang(to: &mut String, start: &str, column: usize, width: usize, text: &str) {
    let room = width.saturating_sub(column).max(10);
    for (number, line) in wrap(text, room).lines().enumerate() {
        let _ = match number {
            0 => writeln!(to, "{start}{line}"),
            _ => writeln!(to, "{:column$}{line}", ""),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        vec![
            Check::ok(Section::Configuration, "home", "~/.config/gatepass"),
            Check::failure(Section::Vault, "file", "others can change ~/.config/gatepass/vault.gpv")
                .remedy("chmod 600 ~/.config/gatepass/vault.gpv"),
            Check::warning(Section::Network, "clock", "this clock is 45 s behind the server's")
                .remedy("set this machine's clock, for good with a time service such as systemd-timesyncd or chrony"),
            Check::failure(
                Section::Server,
                "OpenID inserted",
                "names https://b.example, asked was https://a.example/x",
            ),
        ]
    }

    const NARROW: &str = "\
Configuration
  ok       home             ~/.config/gatepass

Vault
  failure  file             others can change
                            ~/.config/gatepass/vault.gpv
           hint: run
             chmod 600 ~/.config/gatepass/vault.gpv

Network
  warning  clock            this clock is 45 s behind the
                            server's
           hint: set this machine's clock, for good with a
           time service such as systemd-timesyncd or chrony

Server
  failure  OpenID inserted  names https://b.example, asked
                            was https://a.example/x

1 ok, 1 warning, 2 failures
";

    #[test]
    fn sixty_columns_are_enough() {
        let text = render(&checks(), 60);
        assert_eq!(text, NARROW);
        assert!(text.lines().all(|line| line.chars().count() <= 60 && line.is_ascii()), "{text}");
    }

    #[test]
    fn on_twenty_columns_only_words_that_are_too_long_stick_out() {
        let text = render(&checks(), 20);
        let long = text.lines().filter(|line| line.chars().count() > 20);
        assert!(long.into_iter().all(|line| line.contains('/') || line.contains("systemd")), "{text}");
    }

    #[test]
    fn the_exit_code_tells_a_network_from_the_rest() {
        assert_eq!(verdict(&checks()).unwrap_err().kind, Kind::Failed);
        let away = Check { is_network: true, ..Check::failure(Section::Network, "name", "x") };
        assert_eq!(verdict(&[away]).unwrap_err().kind, Kind::Unreachable);
        assert!(verdict(&[Check::warning(Section::Network, "clock", "x")]).is_ok());
    }
}
