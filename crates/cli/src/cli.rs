//! What may be typed.

use crate::{commands, env, ui::Look};
use clap::{Args, Parser, Subcommand};

/// Sign in anywhere, and hand tokens to scripts and tools.
#[derive(Debug, Parser)]
#[command(
    name = "gatepass",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 sign-in needed, 4 offline or server unreachable, 5 refused, \
                  130 interrupted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
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
    /// Print JSON on stdout, one object a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Say only what was asked for, and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Use no colour, as with NO_COLOR
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) no_color: bool,
}

impl Globals {
    /// How to talk.
    pub(crate) fn look(&self) -> Look {
        Look { json: self.json, quiet: self.quiet, no_color: self.no_color }
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
    Status(commands::status::Status),
    Accounts(commands::accounts::Accounts),
    Serve(commands::serve::Serve),
    Quickstart(commands::quickstart::Quickstart),
    Admin(commands::admin::Admin),
    Completions(commands::completions::Completions),
    Man(commands::completions::Man),
}
