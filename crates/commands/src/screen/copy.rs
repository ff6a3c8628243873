//! `--copy`: the address on the clipboard.
//!
//! 1. The terminal is asked (OSC 52): it runs where the person sits, also over SSH. It never says whether it did.
//! 2. A program that keeps this machine's clipboard is given the address on its stdin, without a shell and in a thread.
//!
//! What was done is said; where nothing could be done, that.

use crate::{env, ui::Ui};
use std::{
    io::Write,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A program and its arguments.
type Program = (&'static str, &'static [&'static str]);

/// Copies `address`, and tells `said` how that went.
pub(super) fn begin(ui: &Ui, address: &str, said: mpsc::UnboundedSender<String>) {
    let asked = ui.copy_by_terminal(address);
    let address = address.to_owned();
    // A program that hangs keeps nobody waiting.
    let begun = thread::Builder::new().name("clipboard".into()).spawn(move || {
        let by = programs(env::read).into_iter().find(|program| run(program, &address).is_some());
        let _ = said.send(sentence(asked, by.map(|(name, _)| name)));
    });
    drop(begun);
}

/// What can be tried here, the likeliest first.
fn programs(variable: impl Fn(&str) -> Option<String>) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    if cfg!(target_os = "macos") {
        programs.push(("pbcopy", &[]));
    }
    if variable("WAYLAND_DISPLAY").is_some() {
        programs.push(("wl-copy", &[]));
    }
    if variable("DISPLAY").is_some() {
        programs.push(("xclip", &["-selection", "clipboard"]));
        programs.push(("xsel", &["--clipboard", "--input"]));
    }
    if cfg!(windows) || variable("WSL_DISTRO_NAME").is_some() {
        programs.push(("clip.exe", &[]));
    }
    programs
}

/// Gives the text to a program; `None` when it is not there, fails, or takes too long.
fn run((name, arguments): &Program, text: &str) -> Option<()> {
    let mut command = Command::new(name);
    let mut child =
        command.args(*arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let written = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(text.as_bytes()).is_ok());
    if ended_well(&mut child) && written { Some(()) } else { None }
}

fn ended_well(child: &mut Child) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill().and_then(|()| child.wait());
                return false;
            }
        }
    }
}

fn sentence(asked: bool, by: Option<&str>) -> String {
    match (asked, by) {
        (true, Some(name)) => format!("The address was copied with {name}, and the terminal was asked to copy it."),
        (true, None) => "The terminal was asked to copy the address; not every terminal does.".into(),
        (false, Some(name)) => format!("The address was copied with {name}."),
        (false, None) => "The address was not copied: there is no terminal here, and no clipboard.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_tried_where_its_clipboard_is() {
        let names = |pairs: &'static [(&str, &str)]| {
            let all = programs(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()));
            all.into_iter().map(|(name, _)| name).filter(|name| *name != "pbcopy").collect::<Vec<_>>()
        };
        if cfg!(not(windows)) {
            assert_eq!(names(&[]), [""; 0]);
            assert_eq!(names(&[("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":0")]), ["wl-copy", "xclip", "xsel"]);
            assert_eq!(names(&[("WSL_DISTRO_NAME", "Debian")]), ["clip.exe"]);
        }
    }

    #[test]
    fn a_program_that_is_away_or_fails_is_no_copy() {
        assert!(run(&("gatepass-no-such-program", &[]), "x").is_none());
        if cfg!(unix) {
            assert!(run(&("false", &[]), "x").is_none());
            assert!(run(&("cat", &[]), "x").is_some());
        }
    }
}
