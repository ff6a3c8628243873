//! Processes whose clock is wrong, and processes that resolve no name: by libraries that are loaded before the system's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a process meets that is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Its clock is an hour off, such as `+1h`.
    WrongClock(&'static str),
    /// No name is resolved, as where DNS is away.
    NoNames,
}

/// The libraries.
pub(crate) struct Preload {
    faketime: String,
    no_names: PathBuf,
}

impl Preload {
    /// Asks libfaketime where it is, and has the C compiler make the other one in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let asked = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let asked = asked.expect("faketime is not installed; ./test installs it");
        let (source, no_names) = (folder.join("no_names.c"), folder.join("no_names.so"));
        let text = "#include <netdb.h>\nint getaddrinfo(const char *n, const char *s, const struct addrinfo *h, \
                    struct addrinfo **r) { (void)n; (void)s; (void)h; (void)r; return EAI_AGAIN; }\n";
        fs::write(&source, text).unwrap();
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&no_names).arg(&source).status();
        assert!(made.expect("there is no C compiler").success());
        Self { faketime: String::from_utf8(asked.stdout).unwrap().trim().to_owned(), no_names }
    }

    pub(crate) fn apply(&self, weather: Weather, command: &mut Command) {
        match weather {
            Weather::Fair => command,
            // What is measured from one moment to another is measured as ever.
            Weather::WrongClock(by) => {
                command.env("LD_PRELOAD", &self.faketime).env("FAKETIME", by).env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            }
            Weather::NoNames => command.env("LD_PRELOAD", &self.no_names),
        };
    }
}
