//! A running `gatepass agent`, and those who have nothing but it.

use super::{Program, Said, Terminal, event, gatepass, run};
use std::process::Command;

/// An agent that listens.
pub(crate) struct Agent {
    pub(crate) program: Program,
    pub(crate) address: String,
    pub(crate) token_file: Option<String>,
    pub(crate) pid: u64,
}

impl Agent {
    pub(crate) fn start(terminal: &Terminal, arguments: &[&str]) -> Self {
        let all = [&["agent", "--json"], arguments].concat();
        let program = Program::start(&mut terminal.command(&all));
        let listening = event(&program, "listening");
        let text = |name: &str| listening[name].as_str().map(str::to_owned);
        let pid = listening["pid"].as_u64().unwrap();
        Self { program, address: text("address").unwrap(), token_file: text("token_file"), pid }
    }

    /// `gatepass …` where there is neither a vault nor a home, but the agent.
    pub(crate) fn container(&self, arguments: &[&str]) -> Command {
        let mut command = gatepass();
        command.args(arguments);
        self.is_named_to(&mut command);
        command
    }

    /// Lets a command find it.
    pub(crate) fn is_named_to(&self, command: &mut Command) {
        command.env("GATEPASS_AGENT_SOCK", &self.address);
        if let Some(path) = &self.token_file {
            command.env("GATEPASS_AGENT_TOKEN_FILE", path);
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        run(&mut self.container(arguments))
    }
}
