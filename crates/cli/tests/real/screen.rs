//! The sign-in screen on a real terminal: tmux, of several sizes.
//!
//! Snapshots show the lines as they were written, joined where only the terminal broke them; what changes from run to run
//! is replaced.

use crate::support::{Person, Place, Server, Terminal, Tmux};
use gatepass_testkit::{USER, tokio};
use std::{fs, os::unix::fs::PermissionsExt};

/// A server, and a home to sign in from.
struct Scene {
    _place: Place,
    server: Server,
    terminal: Terminal,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(settings: &str) -> Self {
        let place = Place::sqlite().await;
        place.settings(settings);
        Self { server: place.serve_with_user(), _place: place, terminal: Terminal::new() }
    }

    /// `gatepass login …` on a terminal of this size, with these variables.
    fn login(&self, size: (u16, u16), variables: &[(&str, &str)], arguments: &[&str]) -> Tmux {
        let mut command = self.terminal.command(&["login", "--server", &self.server.url]);
        command.args(arguments).envs(variables.iter().copied());
        Tmux::run(size, &command)
    }
}

/// Variables of a terminal that shows everything.
const UTF8: &[(&str, &str)] = &[("LANG", "C.UTF-8")];

fn is_code(line: &str) -> bool {
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_uppercase());
    line.split_once('-').is_some_and(|(a, b)| letters(a) && letters(b))
}

/// The code that stands alone on its line.
pub(crate) fn code(tmux: &Tmux) -> String {
    tmux.find(|lines| lines.iter().find(|line| is_code(line)).cloned())
}

/// The address of the browser's page.
fn address(tmux: &Tmux, server: &Server) -> String {
    tmux.find(|lines| lines.iter().find(|line| line.starts_with(&server.url) && !line.ends_with("/device")).cloned())
}

/// The screen with what changes replaced.
fn steady(tmux: &Tmux, server: &Server) -> String {
    let mut steady = String::new();
    for line in tmux.lines() {
        let line = match line {
            line if line == server.path("/device") => "<address of the device page>".to_owned(),
            line if line.starts_with(&server.url) => "<address>".to_owned(),
            line if is_code(&line) => "<code>".to_owned(),
            line if line.starts_with("Enter this code there: ") => "Enter this code there: <code>".to_owned(),
            line if line.starts_with("The code in words: ") => "The code in words: <words>".to_owned(),
            line if line.contains("a number, it is ") => {
                let said = line.split_inclusive("it is ").next().unwrap();
                format!("{said}<number>")
            }
            line if !line.is_empty() && line.chars().all(|c| "█▀▄ ".contains(c)) => "<picture>".to_owned(),
            line => match line.strip_suffix(" left") {
                Some(waiting) => {
                    format!("{}<time> left", waiting.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':'))
                }
                None => line.replace(&server.url, "<server>"),
            },
        };
        if line != "<picture>" || !steady.ends_with("<picture>\n") {
            steady.push_str(&line);
            steady.push('\n');
        }
    }
    steady
}

async fn approve(scene: &Scene, code: &str) {
    Person::signed_in(&scene.server).await.approve(&format!("/device/{code}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn at_80_by_24_the_code_is_shown_without_a_picture_and_the_time_runs() {
    let scene = Scene::new().await;
    let tmux = scene.login((80, 24), UTF8, &["--device"]);
    let code = code(&tmux);
    // It is redrawn in place.
    let first = tmux.wait_for(" left");
    tmux.find(|lines| lines.last().is_some_and(|line| line.ends_with(" left") && *line != first).then_some(()));
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    assert_eq!(tmux.lines().iter().filter(|line| line.ends_with(" left")).count(), 1);
    approve(&scene, &code).await;
    tmux.wait_for(&format!("Signed in as {USER}"));
    assert_eq!(tmux.end(), 0);
    assert!(!tmux.lines().iter().any(|line| line.ends_with(" left")), "the countdown is gone");
    assert_eq!(tmux.bytes().matches('\x07').count(), 1, "a bell at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn at_60_columns_all_ways_stand_on_one_screen_and_the_address_is_whole() {
    let scene = Scene::new().await;
    let tmux = scene.login((60, 40), UTF8, &["--device", "--loopback", "--no-browser"]);
    let (code, address) = (code(&tmux), address(&tmux, &scene.server));
    tmux.wait_for(" left");
    assert!(address.starts_with(&format!("{}/l/", scene.server.url)), "{address}");
    assert!(tmux.rows().iter().all(|row| row.chars().count() <= 60));
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    // What is pasted is not shown, and nothing is drawn over.
    tmux.paste("this is no address");
    tmux.wait_for("Not taken");
    assert!(!tmux.lines().join("\n").contains("this is no address"));
    let left_for = Person::signed_in(&scene.server).await.led_away_from(&address).await;
    tmux.paste(&left_for);
    assert_eq!(tmux.end(), 0);
    let lines = tmux.lines().join("\n");
    assert!(lines.contains(&format!("Signed in as {USER}")) && !lines.contains("/callback?code="), "{lines}");
    assert!(lines.contains(&code), "what was there stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn at_20_columns_everything_can_be_read() {
    let scene = Scene::new().await;
    let tmux = scene.login((20, 40), UTF8, &["--device"]);
    let code = code(&tmux);
    tmux.wait_for(" left");
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    let words: Vec<String> =
        tmux.rows().iter().flat_map(|row| row.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    for word in ["address", "device:", "enter", "number,"] {
        assert!(words.iter().any(|known| known == word), "{word} is broken in {words:?}");
    }
    approve(&scene, &code).await;
    assert_eq!(tmux.end(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_terminal_that_is_high_enough_shows_a_picture_below_the_address() {
    let scene = Scene::new().await;
    let tmux = scene.login((80, 50), UTF8, &["--device"]);
    tmux.wait_for(" left");
    assert!(tmux.rows().len() <= 50, "nothing was pushed off the screen");
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    tmux.key("C-c");
    assert_eq!(tmux.end(), 130);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn without_utf8_everything_is_ascii() {
    let scene = Scene::new().await;
    let tmux = scene.login((80, 50), &[("LANG", "C")], &["--device"]);
    let code = code(&tmux);
    tmux.wait_for(" left");
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    approve(&scene, &code).await;
    assert_eq!(tmux.end(), 0);
    assert!(tmux.bytes().is_ascii(), "{}", tmux.bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn with_plain_there_are_sentences_and_nothing_is_drawn_over() {
    let scene = Scene::with("[lifetimes]\ndevice_code = \"62s\"\n").await;
    // A terminal that would get everything.
    let variables = [UTF8, &[("FORCE_HYPERLINK", "1"), ("GATEPASS_PLAIN", "1")]].concat();
    let tmux = scene.login((200, 50), &variables, &["--device"]);
    // The sentence of a minute comes after two seconds.
    tmux.wait_for("1 minute is left.");
    insta::assert_snapshot!(steady(&tmux, &scene.server));
    let code = tmux.wait_for("Enter this code there: ").split_off("Enter this code there: ".len());
    let words = tmux.wait_for("The code in words: ");
    let initials: String =
        words["The code in words: ".len()..].split(", ").filter_map(|word| word.chars().next()).collect();
    assert_eq!(initials, code.replace('-', "d"), "{words}");
    approve(&scene, &code).await;
    assert_eq!(tmux.end(), 0);
    let written = tmux.bytes();
    assert!(written.contains(&format!("Signed in as {USER}")) && !written.contains('\x1b'), "{written}");
    assert_eq!(written.matches('\x07').count(), 1, "who does not look hears the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_settings_can_ask_for_plain_too_and_what_is_pasted_is_shown_then() {
    let scene = Scene::new().await;
    fs::write(scene.terminal.home().join("config.toml"), "plain = true\n").unwrap();
    let tmux = scene.login((60, 40), UTF8, &["--paste"]);
    tmux.wait_for("You have 15 minutes.");
    tmux.paste("hello");
    tmux.wait_for("Not taken");
    assert!(tmux.lines().iter().any(|line| line == "hello"), "{:?}", tmux.lines());
    tmux.key("C-c");
    assert_eq!(tmux.end(), 130);
    assert!(!tmux.bytes().contains('\x1b'), "{}", tmux.bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_address_is_a_link_to_itself_where_the_terminal_knows_links() {
    let scene = Scene::new().await;
    let link = |address: &str| format!("\x1b]8;;{address}\x1b\\{address}\x1b]8;;\x1b\\");
    for (variables, linked) in [(&[("VTE_VERSION", "7006")][..], true), (&[], false)] {
        let tmux = scene.login((80, 24), variables, &["--device"]);
        code(&tmux);
        tmux.key("C-c");
        assert_eq!(tmux.end(), 130);
        let bytes = tmux.bytes();
        assert_eq!(bytes.contains(&link(&scene.server.path("/device"))), linked, "{bytes}");
        assert_eq!(bytes.contains("\x1b]8"), linked, "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_address_is_copied_by_the_terminal_and_by_a_program_of_this_machine() {
    let scene = Scene::new().await;
    let tmux = scene.login((80, 24), UTF8, &["--device", "--copy"]);
    let code = code(&tmux);
    tmux.wait_for("The terminal was asked to copy the address");
    assert_eq!(tmux.clipboard(), format!("{}/{code}", scene.server.path("/device")));

    // Something that keeps a clipboard, as far as anybody can tell.
    let folder = scene.terminal.home().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("wl-copy");
    fs::write(&program, "#!/bin/sh\nexec cat > \"${0%/*}/clipboard\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let variables = [("WAYLAND_DISPLAY", "wayland-0"), ("PATH", path.as_str())];
    let tmux = scene.login((80, 40), &variables, &["--loopback", "--no-browser", "--copy"]);
    let address = address(&tmux, &scene.server);
    tmux.wait_for("The address was copied with wl-copy");
    assert_eq!(fs::read_to_string(folder.join("clipboard")).unwrap(), address);
    assert_eq!(tmux.clipboard(), address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn ctrl_c_gives_the_terminal_back_as_it_was() {
    let scene = Scene::new().await;
    let tmux = scene.login((60, 40), UTF8, &["--loopback", "--no-browser"]);
    tmux.wait_for("What you paste is not shown.");
    tmux.wait_for(" left");
    tmux.key("C-c");
    // That it echoes again, `end` looks at.
    assert_eq!(tmux.end(), 130);
    tmux.wait_for("error: interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn no_color_and_a_dumb_terminal_are_heeded() {
    let scene = Scene::new().await;
    for (variables, arguments, coloured) in [
        (&[][..], &["--device"][..], true),
        (&[("NO_COLOR", "1")], &["--device"], false),
        (&[], &["--device", "--no-color"], false),
        (&[("TERM", "dumb"), ("FORCE_HYPERLINK", "1")], &["--device"], false),
    ] {
        let tmux = scene.login((80, 24), variables, arguments);
        code(&tmux);
        tmux.key("C-c");
        assert_eq!(tmux.end(), 130);
        assert_eq!(tmux.bytes().contains("\x1b[1m"), coloured, "{variables:?} {arguments:?}: {:?}", tmux.bytes());
        let dumb = variables.iter().any(|(name, _)| *name == "TERM");
        assert!(!dumb || !tmux.bytes().contains('\x1b'), "{:?}", tmux.bytes());
    }
}
