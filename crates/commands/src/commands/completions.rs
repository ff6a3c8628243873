//! `gatepass completions` and `gatepass man`: what a shell and a manual want to know, made from the commands themselves.

use crate::{
    cli,
    context::Context,
    error::{Error, Kind},
};
use clap::Args;
use clap_complete::Shell;
use std::{fs, io, path::PathBuf};

/// Print completions for a shell
///
/// For bash: gatepass completions bash > ~/.local/share/bash-completion/completions/gatepass
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "as every command")]
    pub(crate) fn run(self, _: &Context<'_>) -> Result<(), Error> {
        clap_complete::generate(self.shell, &mut cli::command(), "gatepass", &mut io::stdout());
        Ok(())
    }
}

/// Write the manual pages into a folder
///
/// To read them: gatepass man ~/.local/share/man/man1, then man gatepass-login
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; it is made if it is not there
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        let failed = |error: io::Error| Error::new(Kind::Failed, format!("{}: {error}", self.folder.display()));
        fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(cli::command(), &self.folder).map_err(failed)?;
        context.ui.talk(&format!("The manual is in {}.", self.folder.display()));
        Ok(())
    }
}
