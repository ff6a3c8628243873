//! `gatepass credential git`, with the real git and its own `http-backend` behind a door that wants a token.

use crate::support::{Asked, Place, Server, Site, Terminal, Told, run, run_from, tool_is_here};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass_testkit::tokio;
use std::{
    collections::HashSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

const ROTATED: &str = "a refresh token was rotated";

/// A host of git repositories. Whoever comes must show a token that the gatepass server accepts, and that is not refused.
struct Host {
    site: Site,
    refused: Arc<Mutex<HashSet<String>>>,
}

impl Host {
    fn start(server: &Server, repositories: PathBuf, challenge: &'static str) -> Self {
        let refused = Arc::new(Mutex::new(HashSet::new()));
        let (address, never) = (server.address.clone(), Arc::clone(&refused));
        let site = Site::start(move |asked| {
            let token = shown(asked);
            let opens =
                |token: &String| !never.lock().unwrap().contains(token) && crate::support::accepts(&address, token);
            if token.is_some_and(|token| opens(&token)) {
                backend(&repositories, asked)
            } else {
                Told::challenge(challenge)
            }
        });
        Self { site, refused }
    }

    fn refuse(&self, token: &str) {
        self.refused.lock().unwrap().insert(token.to_owned());
    }

    fn repository(&self) -> String {
        format!("{}/project.git", self.site.url)
    }
}

/// The token of a request: the password of Basic, or what follows Bearer.
fn shown(asked: &Asked) -> Option<String> {
    let value = asked.header("authorization")?;
    if let Some(token) = value.strip_prefix("Bearer ") {
        return Some(token.to_owned());
    }
    let text = String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// `git http-backend`, by the rules of CGI.
fn backend(repositories: &Path, asked: &Asked) -> Told {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .envs([("PATH_INFO", path), ("QUERY_STRING", query), ("REQUEST_METHOD", asked.method.as_str())])
        .env("CONTENT_TYPE", asked.header("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", asked.header("content-encoding").unwrap_or_default())
        .env("HTTP_GIT_PROTOCOL", asked.header("git-protocol").unwrap_or_default())
        .env("CONTENT_LENGTH", asked.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&asked.body).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(out[..end].to_vec()).unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let (status, headers): (Vec<_>, Vec<_>) = headers.partition(|(name, _)| name == "Status");
    let status = status.first().map_or(200, |(_, value)| value[..3].parse().unwrap());
    Told { status, headers, body: out[end + 4..].to_vec() }
}

/// git in a terminal.
fn git(terminal: &Terminal, arguments: &[&str]) -> Command {
    let mut command = terminal.tool("git");
    command.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// A bare repository with one commit.
fn repositories(terminal: &Terminal) -> PathBuf {
    assert!(tool_is_here("git"), "git is not installed\nhint: run ./test, which installs it");
    let (folder, work) = (terminal.home().join("repositories"), terminal.home().join("work"));
    let run_in_work = |arguments: &[&str]| run(git(terminal, arguments).current_dir(&work)).done();
    fs::create_dir_all(&work).unwrap();
    run_in_work(&["init", "-q"]);
    fs::write(work.join("file"), "one\n").unwrap();
    run_in_work(&["add", "file"]);
    run_in_work(&["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "one"]);
    run(&mut git(
        terminal,
        &["clone", "-q", "--bare", work.to_str().unwrap(), folder.join("project.git").to_str().unwrap()],
    ))
    .done();
    folder
}

fn install(terminal: &Terminal, url: &str, more: &[&str]) {
    run(&mut terminal.at_home(&[&["credential", "git", "install", url], more].concat())).done();
}

/// `gatepass credential git ACTION` with this on stdin.
fn ask(terminal: &Terminal, action: &str, input: &str) -> crate::support::Said {
    run_from(&mut terminal.at_home(&["credential", "git", action]), input)
}

fn description(site: &Site) -> String {
    format!("protocol=http\nhost={}\n", site.address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn git_clones_and_pulls_with_a_token_and_no_other_host_gets_one() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let host = Host::start(&server, repositories(&terminal), "Basic realm=\"git\"");
    let stranger = Site::start(|_| Told::challenge("Basic realm=\"git\""));

    let said = run(&mut git(&terminal, &["clone", "-q", &host.repository(), "before"]));
    assert_ne!(said.code, Some(0), "nothing is installed yet");
    install(&terminal, &host.site.url, &[]);
    run(&mut git(&terminal, &["clone", "-q", &host.repository(), "after"])).done();
    assert_eq!(fs::read_to_string(terminal.user_home().join("after/file")).unwrap(), "one\n");
    run(&mut git(&terminal, &["-C", "after", "pull", "-q"])).done();

    let said = run(&mut git(&terminal, &["clone", "-q", &format!("{}/project.git", stranger.url), "stranger"]));
    assert_ne!(said.code, Some(0));
    assert!(!stranger.asked().is_empty() && !stranger.was_shown_a_credential(), "{:?}", stranger.asked());
    let (access, _) = terminal.tokens().unwrap();
    for (path, bytes) in crate::support::tree(&terminal.user_home()) {
        assert!(!String::from_utf8_lossy(&bytes).contains(&access), "the token is in {}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_refused_token_is_replaced_once_and_git_goes_on() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let host = Host::start(&server, repositories(&terminal), "Basic realm=\"git\"");
    install(&terminal, &host.site.url, &[]);
    run(&mut git(&terminal, &["clone", "-q", &host.repository(), "x"])).done();

    let (first, _) = terminal.tokens().unwrap();
    host.refuse(&first);
    let said = run(&mut git(&terminal, &["-C", "x", "fetch"]));
    // A git that knows no state (before 2.46) erases and fails; its next command gets a new token.
    if said.code != Some(0) {
        let version = run(&mut git(&terminal, &["credential", "capability"]));
        assert!(!version.out.contains("capability state"), "{said:?}");
        run(&mut git(&terminal, &["-C", "x", "fetch"])).done();
    }
    let (second, _) = terminal.tokens().unwrap();
    assert_ne!(first, second);
    assert_eq!(server.logged(ROTATED), 1);

    // A host that refuses everything does not make us fetch tokens without end, and signs nobody out.
    host.refuse(&second);
    for _ in 0..3 {
        assert_ne!(run(&mut git(&terminal, &["-C", "x", "fetch"])).code, Some(0));
    }
    assert_eq!(server.logged(ROTATED), 1);
    assert!(server.accepts(terminal.run(&["token"]).done().trim()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn erase_lets_the_next_get_refresh() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let site = Site::start(|_| Told::challenge("Basic"));
    install(&terminal, &site.url, &[]);
    let password = |out: &str| out.lines().find_map(|line| line.strip_prefix("password=")).unwrap().to_owned();
    let first = password(&ask(&terminal, "get", &description(&site)).done());
    let with = |token: &str| format!("{}username=oauth2\npassword={token}\n", description(&site));

    // What is stored, and what is erased of others, changes nothing.
    assert_eq!(ask(&terminal, "store", &with(&first)).done(), "");
    ask(&terminal, "erase", &with("somebody else's")).done();
    assert_eq!(password(&ask(&terminal, "get", &description(&site)).done()), first);

    assert_eq!(ask(&terminal, "erase", &with(&first)).done(), "");
    let second = password(&ask(&terminal, "get", &description(&site)).done());
    assert_ne!(first, second);
    assert!(server.accepts(&second));
    assert_eq!(server.logged(ROTATED), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn only_the_host_that_was_named_is_answered() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    install(&terminal, "https://git.example.com", &["--username", "ada"]);
    let get = |input: &str| ask(&terminal, "get", input);
    let out = get("protocol=https\nhost=git.example.com\n\n").done();
    assert!(out.starts_with("username=ada\npassword=gpa_") && out.contains("\npassword_expiry_utc="), "{out}");
    assert_eq!(get("protocol=https\nhost=git.example.com\nusername=ada\n").done(), out);
    let newer = "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=git.example.com\nwwwauth[]=Bearer\n";
    let out = get(newer).done();
    assert!(
        out.contains("\nauthtype=Bearer\n") && out.contains("\ncredential=gpa_") && !out.contains("password="),
        "{out}"
    );

    for other in [
        "protocol=https\nhost=example.com\n",
        "protocol=https\nhost=git.example.com:8443\n",
        "protocol=http\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com.evil.example\n",
        "protocol=https\nhost=git.example.com@evil.example\n",
        "protocol=https\nhost=ada:x@git.example.com\n",
        "protocol=https\nhost=evil.example/git.example.com\n",
        "protocol=https\nhost=evil.example\npath=x\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com\r\n",
        "protocol=https\nhost=git.example.com\nusername=eve\n",
        "protocol=https\nhost=evil.example%0ahost=git.example.com\n",
        "url=https://git.example.com/\n",
        "\nprotocol=https\nhost=git.example.com\n",
        "",
    ] {
        let said = get(other);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""), "{other:?}");
    }
    for odd in ["host", &"a=b\n".repeat(20_000), "\u{0}"] {
        let said = get(odd);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    }
    assert_eq!(ask(&terminal, "a-word-of-tomorrow", "protocol=https\nhost=git.example.com\n").done(), "");
    // A token of the environment says not where it may go.
    let mut command = terminal.at_home(&["credential", "git", "get"]);
    let out = run_from(command.env("GATEPASS_TOKEN", "raw"), "protocol=https\nhost=git.example.com\n").done();
    assert!(out.contains("password=gpa_") && !out.contains("raw"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn who_is_signed_out_is_told_the_command_and_is_not_asked_for_a_password() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let host = Host::start(&server, repositories(&terminal), "Basic realm=\"git\"");
    install(&terminal, &host.site.url, &[]);
    terminal.run(&["logout"]).done();
    let said = ask(&terminal, "get", &description(&host.site));
    assert_eq!((said.code, said.out.as_str()), (Some(3), "quit=true\n"), "{}", said.err);
    assert!(said.err.contains(&format!("  gatepass login --server {}\n", server.url)), "{}", said.err);
    let said = run(&mut git(&terminal, &["clone", "-q", &host.repository(), "x"]));
    assert!(said.err.contains("gatepass login --server") && said.err.contains("told us to quit"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn gits_configuration_is_changed_once_and_given_back_to_the_letter() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    assert!(tool_is_here("git"), "git is not installed\nhint: run ./test, which installs it");
    let config = terminal.user_home().join(".gitconfig");
    let before = "# mine\n[user]\n\tname = Ada ; here too\n[credential]\n\thelper = store\n\
                  [credential \"https://git.example.com\"]\n\thelper = theirs\n\t# between\n";
    fs::write(&config, before).unwrap();
    let call = |arguments: &[&str]| run(&mut terminal.at_home(&[&["credential", "git"], arguments].concat()));

    let said = call(&["install", "git.example.com", "--dry-run"]).done();
    assert!(said.starts_with("git config --global\n+ credential.https://git.example.com.helper ="), "{said}");
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    assert_eq!(run(&mut terminal.at_home(&["credential", "list"])).done(), "");

    call(&["install", "git.example.com"]).done();
    let after = fs::read_to_string(&config).unwrap();
    let helpers =
        run(&mut git(&terminal, &["config", "--get-all", "credential.https://git.example.com.helper"])).done();
    let lines: Vec<&str> = helpers.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (3, "theirs", ""), "{helpers}");
    assert!(lines[2].starts_with("!/") && lines[2].ends_with(" credential git"), "{helpers}");
    let said = call(&["install", "git.example.com", "--json"]).json();
    assert_eq!((&said["event"], &said["changes"]), (&"done".into(), &serde_json::json!([])));
    assert_eq!(fs::read_to_string(&config).unwrap(), after, "once is enough");
    let list = run(&mut terminal.at_home(&["credential", "list"])).done();
    assert!(list.contains("git      https://git.example.com") && list.contains(gatepass_testkit::USER), "{list}");

    let said = call(&["uninstall", "https://git.example.com/"]).done();
    assert!(said.contains("\n- credential.https://git.example.com.helper ="), "{said}");
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    assert_eq!(call(&["uninstall", "git.example.com"]).done(), "");
    for bad in
        ["https://git.example.com/team", "http://git.example.com", "https://a@git.example.com", "git.example.com\nx"]
    {
        call(&["install", bad]).failed(2);
    }
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
}
