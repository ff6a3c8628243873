//! `gatepass credential docker`, by the protocol of docker's helpers, and with the real docker where there is one.

use crate::support::{Place, Said, Site, Terminal, Told, run, run_from, tool_is_here, tree};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

const NOT_FOUND: &str = "credentials not found in native keychain\n";

async fn signed_in(place: &Place) -> (crate::support::Server, Terminal) {
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (server, terminal)
}

fn install(terminal: &Terminal, registry: &str) -> Said {
    let folder = terminal.user_home().join("bin");
    run(&mut terminal.at_home(&["credential", "docker", "install", registry, "--folder", folder.to_str().unwrap()]))
}

/// The helper as docker runs it.
fn helper(terminal: &Terminal, action: &str, input: &str) -> Said {
    let program = terminal.user_home().join("bin/docker-credential-gatepass");
    run_from(terminal.tool(program.to_str().unwrap()).arg(action), input)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn docker_is_answered_for_the_registry_that_was_named_and_no_other() {
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    install(&terminal, "registry.example.com").done();
    let get = |server: &str| helper(&terminal, "get", server);
    for name in ["registry.example.com", "https://registry.example.com\n", "https://registry.example.com/v2/"] {
        let document = get(name).json();
        assert_eq!((&document["ServerURL"], &document["Username"]), (&json!(name.trim_end()), &json!("oauth2")));
        assert!(server.accepts(document["Secret"].as_str().unwrap()));
    }
    for other in [
        "registry.example.com:5000",
        "example.com",
        "http://registry.example.com",
        "registry.example.com@evil.example",
        "https://registry.example.com@evil.example/v2/",
        "evil.example/registry.example.com",
        "registry.example.com\nevil.example",
        "",
    ] {
        let said = get(other);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), NOT_FOUND, ""), "{other:?}");
    }
    assert_eq!(get(&"x".repeat(70_000)).code, Some(1));
    assert_eq!(helper(&terminal, "list", "").json(), json!({"registry.example.com": "oauth2"}));

    let token = get("registry.example.com").json()["Secret"].as_str().unwrap().to_owned();
    let store = |secret: &str| {
        let document = json!({"ServerURL": "registry.example.com", "Username": "oauth2", "Secret": secret});
        helper(&terminal, "store", &document.to_string())
    };
    store(&token).done();
    let said = store("hunter2");
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("keeps no passwords") && !said.out.contains("hunter2"), "{}", said.out);
    helper(&terminal, "erase", "registry.example.com").done();
    assert_ne!(get("registry.example.com").json()["Secret"], token, "what was erased is fetched anew");

    terminal.run(&["logout"]).done();
    let said = get("registry.example.com");
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains(&format!("gatepass login --server {}", server.url)) && said.out.lines().count() == 1,
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn dockers_configuration_is_changed_once_and_given_back_to_the_letter() {
    let place = Place::sqlite().await;
    let (_server, terminal) = signed_in(&place).await;
    let folder = terminal.user_home().join(".docker");
    let config = folder.join("config.json");
    fs::create_dir(&folder).unwrap();
    let before = "{\n\t\"zeta\": 1.0,\n\t\"auths\": {\n\t\t\"other.example\": {}\n\t},\n\t\"credsStore\": \"pass\"\n}";
    fs::write(&config, before).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let untouched = tree(&terminal.user_home());
    let call = |arguments: &[&str]| run(&mut terminal.at_home(&[&["credential", "docker"], arguments].concat()));

    let dry = call(&["install", "registry.example.com", "--dry-run"]).done();
    assert!(dry.contains("+ \t\"credHelpers\": {") && dry.contains("docker-credential-gatepass"), "{dry}");
    assert_eq!(tree(&terminal.user_home()), untouched);

    install(&terminal, "registry.example.com").done();
    install(&terminal, "second.example:5000").done();
    let after = tree(&terminal.user_home());
    assert_eq!(install(&terminal, "registry.example.com").done(), "");
    assert_eq!(tree(&terminal.user_home()), after, "once is enough");
    let document: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    assert_eq!(document["credHelpers"], json!({"registry.example.com": "gatepass", "second.example:5000": "gatepass"}));
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o640);

    call(&["uninstall", "registry.example.com"]).done();
    assert!(terminal.user_home().join("bin/docker-credential-gatepass").exists(), "the other one needs it");
    call(&["uninstall", "second.example:5000"]).done();
    assert_eq!(tree(&terminal.user_home()), untouched);

    let foreign = "{\n\t\"credHelpers\": {\n\t\t\"registry.example.com\": \"pass\"\n\t}\n}";
    for (text, code) in [(foreign, 2), ("not json", 1)] {
        fs::write(&config, text).unwrap();
        install(&terminal, "registry.example.com").failed(code);
        assert_eq!(fs::read_to_string(&config).unwrap(), text);
    }
}

/// A registry that has one image and wants a token for it.
fn registry(server: String) -> Site {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": DIGEST},
        "layers": [],
    });
    Site::start(move |asked| {
        let basic = asked.header("authorization").and_then(|value| value.strip_prefix("Basic "));
        let text = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
        match text.as_deref().and_then(|text| text.strip_prefix("oauth2:")) {
            Some(token) if crate::support::accepts(&server, token) => match asked.path() {
                path if path.contains("/manifests/") => {
                    Told::new(200, "application/vnd.docker.distribution.manifest.v2+json", manifest.to_string())
                }
                path if path.contains("/blobs/") => Told::new(200, "application/octet-stream", "{}"),
                _ => Told::new(200, "application/json", "{}"),
            },
            _ => Told::challenge("Basic realm=\"registry\""),
        }
    })
}

/// The digest of `{}`.
const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_real_docker_reads_an_image_with_a_token() {
    if !tool_is_here("docker") {
        // No package of Debian has docker's command line without its daemon; the protocol is tested above.
        eprintln!("docker is not installed: its helper protocol alone is tested");
        return;
    }
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    let registry = registry(server.address.clone());
    let image = format!("{}/project:latest", registry.address);
    // This command of docker asks the registry itself, without a daemon.
    let inspect = || run(terminal.tool("docker").args(["manifest", "inspect", "--insecure", &image]));
    assert_ne!(inspect().code, Some(0));
    assert!(!registry.was_shown_a_credential());
    install(&terminal, &registry.address).done();
    let said = inspect().done();
    assert!(said.contains(DIGEST), "{said}");
}
