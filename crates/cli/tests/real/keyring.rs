//! The vault's key in a real Secret Service: gnome-keyring on a bus of its own.

use crate::support::{Person, Place, Program, Said, Server, Terminal, event, run};
use gatepass_testkit::{USER, tokio};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A bus on which everything is allowed, and nothing is started because somebody asks for it: a keyring that was ended stays
/// away.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=PATH</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A person's bus and keyring. Dropped, both end.
struct Desktop {
    folder: TempDir,
    bus: String,
    _bus: Program,
    keyring: Program,
}

impl Desktop {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "data", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let config = folder.path().join("bus.conf");
        fs::write(&config, CONFIG.replace("PATH", folder.path().join("run/bus").to_str().unwrap())).unwrap();
        let mut command = tool(folder.path(), "dbus-daemon");
        command.args(["--nofork", "--print-address"]).arg(format!("--config-file={}", config.display()));
        let bus = Program::start(&mut command);
        let name = bus.out.wait_for("unix:path=");
        let keyring = unlocked(folder.path(), &name);
        let desktop = Self { folder, bus: name, _bus: bus, keyring };
        desktop.wait_for_keyring();
        desktop
    }

    /// A command of that person's.
    fn command(&self, program: &str) -> Command {
        let mut command = tool(self.folder.path(), program);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    /// `gatepass …` with the keyring.
    fn gatepass(&self, terminal: &Terminal, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_gatepass"));
        command.env("GATEPASS_HOME", terminal.home()).args(arguments);
        command
    }

    fn run(&self, terminal: &Terminal, arguments: &[&str]) -> Said {
        run(&mut self.gatepass(terminal, arguments))
    }

    /// Asks the Secret Service something.
    fn call(&self, method: &str, arguments: &[&str]) -> Said {
        let mut command = self.command("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"]);
        run(command.arg(format!("org.freedesktop.Secret.Service.{method}")).args(arguments))
    }

    fn wait_for_keyring(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.call("ReadAlias", &["string:default"]);
            if said.code == Some(0) && said.out.contains("/org/freedesktop/secrets/collection/") {
                return;
            }
            assert!(Instant::now() < until, "no keyring comes: {said:?}");
            sleep(Duration::from_millis(20));
        }
    }

    fn lock(&self) {
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        self.call("Lock", &[collection]).done();
    }
}

fn tool(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, below) in [("HOME", "home"), ("XDG_DATA_HOME", "data"), ("XDG_RUNTIME_DIR", "run")] {
        command.env(name, folder.join(below));
    }
    command
}

/// A keyring that a password has opened, as at the start of a desktop.
fn unlocked(folder: &Path, bus: &str) -> Program {
    let mut command = tool(folder, "gnome-keyring-daemon");
    command.env("DBUS_SESSION_BUS_ADDRESS", bus).args(["--foreground", "--unlock", "--components=secrets"]);
    let mut keyring = Program::start(&mut command);
    keyring.type_in("a password");
    keyring
}

/// The tools are here, or the test ends with what to do.
fn tools_are_here() {
    for (program, flag) in
        [("dbus-daemon", "--version"), ("dbus-send", "--help"), ("gnome-keyring-daemon", "--version")]
    {
        assert!(
            Command::new(program).arg(flag).output().is_ok(),
            "{program} is not installed\nhint: run ./test, which installs Debian's gnome-keyring and dbus"
        );
    }
}

async fn sign_in(desktop: &Desktop, terminal: &Terminal, server: &Server) {
    let arguments = ["login", "--server", &server.url, "--device", "--json"];
    let login = Program::start(&mut desktop.gatepass(terminal, &arguments));
    let page = event(&login, "code")["verification_uri_complete"].as_str().unwrap().to_owned();
    Person::signed_in(server).await.approve(&page).await;
    assert_eq!(event(&login, "done")["email"], USER);
    login.end().done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_keyring_keeps_the_vaults_key_for_every_process_until_it_is_locked_or_away() {
    tools_are_here();
    let place = Place::sqlite().await;
    let (server, terminal, mut desktop) = (place.serve_with_user(), Terminal::new(), Desktop::start());
    sign_in(&desktop, &terminal, &server).await;
    assert!(!terminal.home().join("vault.key").exists(), "no key lies beside the vault");
    assert!(desktop.run(&terminal, &["whoami"]).done().contains(USER));
    let token = desktop.run(&terminal, &["token"]).done();
    assert_eq!(server.whoami(token.trim()).await.status, 200);
    let said = desktop.run(&terminal, &["doctor", &server.url, "--json"]);
    assert!(said.out.contains("the OS keyring"), "{}", said.out);
    let vault = fs::read(terminal.home().join("vault.gpv")).unwrap();

    let told = |desktop: &Desktop| {
        let started = Instant::now();
        let said = desktop.run(&terminal, &["token"]);
        assert_eq!(said.out, "");
        assert!(started.elapsed() < Duration::from_secs(15));
        let said = said.failed(1);
        assert!(said.contains("the OS keyring") && said.contains("make the key available as before"), "{said}");
        assert!(!terminal.home().join("vault.key").exists(), "and no other key is made");
        assert_eq!(fs::read(terminal.home().join("vault.gpv")).unwrap(), vault);
    };
    desktop.lock();
    told(&desktop);
    desktop.keyring.kill();
    told(&desktop);
    desktop.keyring = unlocked(desktop.folder.path(), &desktop.bus);
    desktop.wait_for_keyring();
    assert_eq!(desktop.run(&terminal, &["token"]).done(), token, "as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn where_no_keyring_answers_a_key_file_is_made_and_that_is_shown() {
    tools_are_here();
    let place = Place::sqlite().await;
    let (server, terminal, mut desktop) = (place.serve_with_user(), Terminal::new(), Desktop::start());
    desktop.keyring.kill();
    sign_in(&desktop, &terminal, &server).await;
    assert!(terminal.home().join("vault.key").exists());
    let said = desktop.run(&terminal, &["status"]).done();
    assert!(said.contains("a key file"), "{said}");
}
