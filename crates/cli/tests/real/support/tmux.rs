//! A real terminal: tmux on a socket of its own, whose screen can be read and typed at.

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{self, Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// What stands on the screen when the program has ended, before its exit code.
const ENDED: &str = "exit code ";

/// A terminal in which one program runs. Dropped, it is closed with all that runs in it.
pub(crate) struct Tmux {
    socket: String,
    folder: TempDir,
}

impl Tmux {
    /// Runs a command in a terminal of so many columns and rows. Its folder and its environment are the command's own, with
    /// `TERM`.
    pub(crate) fn run((columns, rows): (u16, u16), command: &Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let socket = format!("gatepass-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let tmux = Self { socket, folder: tempfile::tempdir().unwrap() };
        fs::write(tmux.file("conf"), "set -g status off\nset -s set-clipboard on\nset -g history-limit 1000\n")
            .unwrap();
        // Everything that is written, byte by byte, also what a terminal does not show.
        let keep = format!("exec cat > '{}'", tmux.file("bytes").display());
        let after =
            format!("trap : INT; \"$@\"; printf '{ENDED}%s, ' $?; stty -a | grep -ow -e '-*echo'; exec sleep 60");
        let mut new = tmux.command();
        new.arg("-f").arg(tmux.file("conf")).args(["new-session", "-d", "-x", &columns.to_string(), "-y"]);
        new.arg(rows.to_string());
        if let Some(folder) = command.get_current_dir() {
            new.arg("-c").arg(folder);
        }
        new.args(["--", "env", "-i", "TERM=xterm-256color"]);
        for (name, value) in command.get_envs() {
            let mut pair = name.to_owned();
            pair.push("=");
            pair.push(value.unwrap_or_default());
            new.arg(pair);
        }
        new.args(["sh", "-c", &after, "sh"]).arg(command.get_program()).args(command.get_args());
        new.args([";", "pipe-pane", "-O", &keep]);
        let started = new.output().unwrap_or_else(|error| panic!("tmux cannot be run: {error}; './test' installs it"));
        assert!(started.status.success(), "{started:?}");
        tmux
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.socket]).env_remove("TMUX").env("TMUX_TMPDIR", self.folder.path());
        command
    }

    fn ask<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let Output { status, stdout, stderr } = self.command().args(arguments).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The rows as they stand there.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.ask(["capture-pane", "-p", "-S", "-"]).trim_end().lines().map(|row| row.trim_end().to_owned()).collect()
    }

    /// The lines as they were written, with those that the terminal broke joined again.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.ask(["capture-pane", "-p", "-J", "-S", "-"]).trim_end().lines().map(|l| l.trim_end().to_owned()).collect()
    }

    /// Types a text, as if it were pasted, and the key that sends it.
    pub(crate) fn paste(&self, text: &str) {
        self.ask(["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses a key, such as `Enter` or `C-c`.
    pub(crate) fn key(&self, key: &str) {
        self.ask(["send-keys", key]);
    }

    /// What the program put on the clipboard of the terminal.
    pub(crate) fn clipboard(&self) -> String {
        self.ask(["show-buffer"])
    }

    /// All that was written to the terminal until the program ended.
    #[track_caller]
    pub(crate) fn bytes(&self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let bytes = String::from_utf8(fs::read(self.file("bytes")).unwrap()).unwrap();
            if bytes.contains(ENDED) && bytes.trim_end().ends_with("echo") {
                return bytes;
            }
            assert!(Instant::now() < until, "the program has not ended; it wrote {bytes:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the lines have what `find` looks for.
    #[track_caller]
    pub(crate) fn find<T>(&self, find: impl Fn(&[String]) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if let Some(found) = find(&lines) {
                return found;
            }
            assert!(Instant::now() < until, "what was waited for does not come; there stands\n{}", lines.join("\n"));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a line that holds this.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.find(|lines| lines.iter().find(|line| line.contains(part)).cloned())
    }

    /// Waits until the program has ended: its exit code, and that the terminal echoes again.
    #[track_caller]
    pub(crate) fn end(&self) -> i32 {
        let last = self.find(|lines| {
            let line = lines.iter().rev().find(|line| line.contains(ENDED) && line.ends_with("echo"))?;
            Some(line.split_once(ENDED)?.1.to_owned())
        });
        let (code, echo) = last.split_once(", ").unwrap();
        assert_eq!(echo, "echo", "the terminal was left without an echo");
        code.parse().unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}
