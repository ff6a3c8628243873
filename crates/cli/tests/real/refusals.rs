//! What `gatepass serve` refuses to start with: exit code 2 (1 where the machine fails), one sentence, perhaps a hint.

use crate::support::{Said, Server, gatepass, run};
use std::{fs, net::TcpListener, path::Path};
use tempfile::TempDir;

/// A folder in which nothing is.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn serve(data: &Path, arguments: &[&str]) -> Said {
    run(gatepass().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(arguments))
}

/// The one sentence of a refusal.
#[track_caller]
fn refusal(said: Said) -> String {
    assert_eq!(said.out, "");
    let err = said.failed(2);
    let mut lines = err.lines();
    let sentence = lines.next().and_then(|line| line.strip_prefix("error: ")).unwrap_or_else(|| panic!("{err}"));
    if let Some(hint) = lines.next() {
        assert!(hint.starts_with("hint: "), "{err}");
    }
    assert!(lines.all(|line| line.starts_with("  ")), "{err}");
    sentence.to_owned()
}

#[test]
fn a_file_that_is_not_right_is_named_with_the_line() {
    let data = folder();
    let file = data.path().join("gatepass.toml");
    let path = file.to_str().unwrap();
    for (toml, part) in [
        ("listen = \"127.0.0.1:0\"\nlissten = 1\n", "line 2: unknown field `lissten`"),
        ("[lifetimes]\nacces_token = \"1h\"\n", "acces_token"),
        ("[lifetimes]\naccess_token = \"soon\"\n", "lifetimes.access_token is 'soon'"),
        ("listen = [", "line 1"),
        ("trusted_proxies = [\"ten\"]\n", "10.0.0.0/8"),
    ] {
        fs::write(&file, toml).unwrap();
        let sentence = refusal(serve(data.path(), &["--config", path]));
        assert!(sentence.contains(part), "{part} in {sentence}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let data = folder();
    for path in [data.path().join("missing.toml"), data.path().to_owned()] {
        let sentence = refusal(serve(data.path(), &["--config", path.to_str().unwrap()]));
        assert!(sentence.contains(path.to_str().unwrap()) && sentence.contains("cannot be read"), "{sentence}");
    }
}

#[test]
fn an_address_that_will_not_do_is_named() {
    let data = folder();
    for (arguments, part) in [
        (["--public-url", "nonsense"], "public-url is 'nonsense'"),
        (["--public-url", "http://auth.example"], "https"),
        (["--public-url", "https://auth.example/path"], "no path"),
        (["--database-url", "mysql://u:hunter2hunter2@h/db"], "sqlite:///"),
        (["--trusted-proxy", "ten"], "trusted-proxy is 'ten'"),
    ] {
        let sentence = refusal(serve(data.path(), &arguments));
        assert!(sentence.contains(part) && !sentence.contains("hunter2"), "{part} in {sentence}");
    }
    let on = |listen: &str| refusal(run(gatepass().args(["serve", "--listen", listen, "--data-dir"]).arg(data.path())));
    assert!(on("here").starts_with("listen is 'here'"));
    assert!(on("0.0.0.0:0").contains("--public-url"), "a server on the network must be told its name");
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "and nothing was made");
}

#[test]
fn an_address_in_use_is_named() {
    let (data, taken) = (folder(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let said = run(gatepass().args(["serve", "--listen", &address, "--data-dir"]).arg(data.path()));
    let sentence = refusal(said);
    assert!(sentence.contains(&format!("{address} is in use")), "{sentence}");
}

#[test]
fn a_database_without_a_folder_is_named_once_with_the_remedy() {
    let data = folder();
    let missing = data.path().join("none/gate.db");
    let err = serve(data.path(), &["--database-url", &format!("sqlite://{}", missing.display())]).failed(1);
    assert_eq!(err.matches("cannot be used").count(), 1, "{err}");
    let remedy = format!("make the folder {} first", data.path().join("none").display());
    assert!(err.contains(missing.to_str().unwrap()) && err.contains(&remedy), "{err}");
}

#[test]
fn a_secret_or_a_filter_that_is_none_is_refused_and_the_secret_not_shown() {
    let data = folder();
    let serve = |name: &str, value: &str| {
        let mut command = gatepass();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path()).env(name, value);
        refusal(run(&mut command))
    };
    let sentence = serve("GATEPASS_SECRET", "short-and-wrong");
    assert!(sentence.contains("64 hexadecimal digits") && !sentence.contains("short-and-wrong"), "{sentence}");
    assert!(serve("GATEPASS_LOG", "gatepass=loud").contains("GATEPASS_LOG"));
}

#[test]
fn with_json_a_refusal_is_an_object() {
    let data = folder();
    let said = serve(data.path(), &["--public-url", "nonsense", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((object["kind"].as_str(), object["exit_code"].as_i64()), (Some("usage"), Some(2)));
    assert_eq!((said.code, said.err.as_str()), (Some(2), ""));
}

#[test]
fn a_flag_beats_the_environment_and_the_environment_beats_the_file() {
    let place = folder();
    let (file, named) = (place.path().join("gatepass.toml"), |name: &str| place.path().join(name));
    fs::write(&file, format!("data_dir = {:?}\nlisten = \"127.0.0.1:0\"\n", named("file"))).unwrap();
    let mut used = Vec::new();
    for (environment, flag) in [(false, false), (true, false), (true, true)] {
        let mut command = gatepass();
        command.arg("serve").env("GATEPASS_CONFIG", &file);
        if environment {
            command.env("GATEPASS_DATA_DIR", named("environment"));
        }
        if flag {
            command.arg("--data-dir").arg(named("flag"));
        }
        drop(Server::start(&mut command));
        used.push(["file", "environment", "flag"].map(|name| named(name).join("secret").exists()));
    }
    assert_eq!(used, [[true, false, false], [true, true, false], [true, true, true]]);
}
