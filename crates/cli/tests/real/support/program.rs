//! A child process whose lines are read as they come.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with nothing of the machine's own settings.
pub(crate) fn gatepass() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepass"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("GATEPASS_KEYRING", "off");
    command
}

/// Runs a command to its end, without input.
pub(crate) fn run(command: &mut Command) -> Said {
    Program::start(command).end()
}

/// Runs a command to its end, with this on its stdin.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Said {
    let mut program = Program::start(command);
    program.type_in(input);
    program.end()
}

/// How a process ended, and what it had said.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The run ended well; what it printed.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The run ended well; the JSON object that it printed last.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let out = self.done();
        serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("no JSON: {out}"))
    }

    /// The run failed with this exit code; what it said on stderr.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.err
    }
}

/// A process that runs. Dropped, it is killed.
pub(crate) struct Program {
    child: Child,
    pub(crate) out: Stream,
    pub(crate) err: Stream,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = Stream::read(child.stdout.take().unwrap());
        let err = Stream::read(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Writes to its stdin and closes it.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Sends a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// `kill -9`: it has no say in the matter.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn end(mut self) -> Said {
        drop(self.child.stdin.take());
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end; it said\n{}{}", self.out.text(), self.err.text());
            thread::sleep(Duration::from_millis(5));
        };
        Said { code: status.code(), out: self.out.whole(), err: self.err.whole() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one of its outputs so far.
#[derive(Clone)]
pub(crate) struct Stream(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    is_over: bool,
}

impl Stream {
    fn read(from: impl Read + Send + 'static) -> Self {
        let stream = Self(Arc::default());
        let writer = stream.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                writer.change(|heard| heard.lines.push(line));
            }
            writer.change(|heard| heard.is_over = true);
        });
        stream
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// What was said so far.
    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// What was said until the end of the process.
    fn whole(&self) -> String {
        let until = Instant::now() + PATIENCE;
        let mut heard = self.0.0.lock().unwrap();
        while !heard.is_over && Instant::now() < until {
            heard = self.0.1.wait_timeout(heard, Duration::from_millis(100)).unwrap().0;
        }
        drop(heard);
        self.text()
    }

    /// How many lines hold this.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.0.0.lock().unwrap().lines.iter().filter(|line| line.contains(part)).count()
    }

    /// Waits until there are more than `before` lines that hold this.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, before: usize, part: &str) {
        let until = Instant::now() + PATIENCE;
        while self.count(part) <= before {
            assert!(Instant::now() < until, "no more than {before} lines with '{part}' came, but\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the first line that `finds` something.
    #[track_caller]
    pub(crate) fn find<T>(&self, finds: impl Fn(&str) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut heard = self.0.0.lock().unwrap();
        let mut seen = 0;
        loop {
            if let Some(found) = heard.lines[seen..].iter().find_map(|line| finds(line)) {
                return found;
            }
            seen = heard.lines.len();
            if heard.is_over || Instant::now() > until {
                panic!("the line that was waited for did not come, but\n{}", heard.lines.join("\n"));
            }
            heard = self.0.1.wait_timeout(heard, Duration::from_millis(100)).unwrap().0;
        }
    }

    /// Waits for a line that holds this.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.find(|line| line.contains(part).then(|| line.to_owned()))
    }
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}
