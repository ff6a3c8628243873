//! What may be typed.

use crate::{commands, env, examples, ui::Look};
use clap::{Args, CommandFactory, Parser, Subcommand, builder::FalseyValueParser};
use std::path::PathBuf;

/// Sign in anywhere, and hand tokens to scripts and tools.
#[derive(Debug, Parser)]
#[command(
    name = "gatepass",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 sign-in needed, 4 offline or server unreachable, 5 refused, \
                  130 interrupted\n\ngatepass sends no telemetry."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// All that may be typed, with examples.
pub(crate) fn command() -> clap::Command {
    examples::add(Cli::command())
}

/// What every command takes.
#[derive(Debug, Default, Args)]
pub(crate) struct Globals {
    /// The server's URL, its issuer at other vendors' servers; without it, the default account's server
    #[arg(long, global = true, value_name = "URL", env = env::SERVER, hide_env_values = true, help_heading = "Global options")]
    pub(crate) server: Option<String>,
    /// The account: an email, a name, or the beginning of an id that `gatepass status` shows
    #[arg(long, global = true, value_name = "ACCOUNT", env = env::ACCOUNT, hide_env_values = true, help_heading = "Global options")]
    pub(crate) account: Option<String>,
    /// The space of the account; with login, the space to sign in to
    #[arg(long, global = true, value_name = "SPACE", env = env::SPACE, hide_env_values = true, help_heading = "Global options")]
    pub(crate) space: Option<String>,
    /// Print JSON on stdout, one object a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Say only what was asked for, and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Talk in sentences, for screen readers: no colour, no links, no pictures, nothing drawn over
    #[arg(
        long,
        global = true,
        env = env::PLAIN,
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Global options"
    )]
    pub(crate) plain: bool,
    /// Use no colour, as with NO_COLOR
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) no_color: bool,
    /// Trust the certificate authorities in this PEM file too, besides the system's
    #[arg(long, global = true, value_name = "FILE", env = env::CA_FILE, hide_env_values = true, help_heading = "Global options")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Tell on stderr what is asked and decided, without any secret
    #[arg(long, global = true, env = env::DEBUG, hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Global options")]
    pub(crate) debug: bool,
}

impl Globals {
    /// How to talk.
    pub(crate) fn look(&self) -> Look {
        Look { json: self.json, quiet: self.quiet, no_color: self.no_color, plain: self.plain }
    }
}

/// One line for each command; its file has the rest, the words of its help included.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(commands::login::Login),
    Logout(commands::logout::Logout),
    Whoami(commands::whoami::Whoami),
    Token(commands::token::Token),
    Exec(commands::exec::Exec),
    Credential(commands::credential::Credential),
    Agent(commands::agent::Agent),
    Proxy(commands::proxy::Proxy),
    Status(commands::status::Status),
    Accounts(commands::accounts::Accounts),
    Serve(commands::serve::Serve),
    Quickstart(commands::quickstart::Quickstart),
    Admin(commands::admin::Admin),
    Doctor(commands::doctor::Doctor),
    Completions(commands::completions::Completions),
    Man(commands::completions::Man),
}
