//! Which client signs in, and how it proves itself.

use super::*;

#[test]
fn a_secret_is_sent_as_the_server_lists_it_or_as_was_said() {
    let basic = Some("Basic Y2xpOnMlM0FlY3JldA==");
    for (methods, said, header) in [
        (json!(null), None, basic),
        (json!(["client_secret_post", "client_secret_basic"]), None, basic),
        (json!(["private_key_jwt", "client_secret_post"]), None, None),
        (json!(["client_secret_basic"]), Some("client_secret_post"), None),
    ] {
        let fake = foreign(json!({"token_endpoint_auth_methods_supported": methods}), |_, _| None);
        let terminal = Terminal::new();
        let mut login = terminal.command(&["login", "--issuer", &fake.issuer, "--device", "--client-id", "cli"]);
        login.args(["--client-secret-file", "-"]);
        if let Some(method) = said {
            login.args(["--client-auth-method", method]);
        }
        crate::support::run_with(&mut login, "s:ecret\n").done();
        let asked = &fake.asked("/token")[0];
        assert_eq!(asked.authorization.as_deref(), header, "{methods}");
        assert_eq!(asked.form.get("client_secret").map(String::as_str), header.is_none().then_some("s:ecret"));
        // It is kept, and proves the refresh as well.
        renew(&terminal).done();
        assert_eq!(fake.asked("/token")[1].authorization.as_deref(), header);
        terminal.run(&["logout"]).done();
        assert_eq!(fake.asked("/revoke")[0].authorization.as_deref(), header);
    }
}

#[test]
fn a_secret_that_cannot_be_read_or_sent_is_said_before_anything_is_asked() {
    let lists = json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]});
    let (terminal, fake) = (Terminal::new(), foreign(lists, |_, _| None));
    let file = terminal.home().join("secret");
    let path = file.to_str().unwrap();
    let login = |options: &[&str]| device_login(&terminal, &fake, options).failed(2);
    assert!(login(&["--client-id", "cli", "--client-secret-file", path]).contains(path), "no such file");
    for wrong in ["", "\n", "two\nlines\n", "gr\u{fc}n\n"] {
        std::fs::write(&file, wrong).unwrap();
        let err = login(&["--client-id", "cli", "--client-secret-file", path]);
        assert!(err.contains("one line") && !err.contains("lines\n"), "{err}");
    }
    assert!(login(&["--client-secret-file", path]).contains("--client-id"));
    assert!(fake.asked("/.well-known/openid-configuration").is_empty());
    std::fs::write(&file, "hunter2").unwrap();
    let err = login(&["--client-id", "cli", "--client-secret-file", path]);
    assert!(err.contains("takes no client secrets") && !err.contains("hunter2"), "{err}");
    let paste = ["login", "--issuer", &fake.issuer, "--paste", "--client-id", "cli", "--client-secret-file", "-"];
    assert!(terminal.run(&paste).failed(2).contains("stdin cannot bring both"));
    assert!(fake.asked("/device").is_empty());
}

#[test]
fn an_unknown_client_is_told_with_what_to_do() {
    for code in ["invalid_client", "unauthorized_client"] {
        let fake = foreign(json!({}), move |asked, _| (asked.path == "/device").then(|| fake::refused(code)));
        let terminal = Terminal::new();
        let err = device_login(&terminal, &fake, &["--client-id", "nobody"]).failed(5);
        assert!(err.contains("does not take the client nobody"), "{err}");
        assert!(err.contains("hint: check the client's ID") && err.contains("http://127.0.0.1/callback"), "{err}");
    }
    let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
    let err = device_login(&terminal, &fake, &[]).failed(2);
    assert!(err.contains("knows no client of ours") && err.contains("--client-id"), "{err}");
}

#[test]
fn the_url_of_a_document_is_the_client_where_the_server_takes_such() {
    let url = "https://app.example/client.json";
    for (takes, expected) in [(true, Some(url)), (false, None)] {
        let fake = foreign(json!({"client_id_metadata_document_supported": takes}), |_, _| None);
        let terminal = Terminal::new();
        std::fs::write(terminal.home().join("config.toml"), format!("client_url = '{url}'\n")).unwrap();
        let said = device_login(&terminal, &fake, &[]);
        assert_eq!(said.code, Some(if takes { 0 } else { 2 }), "{said:?}");
        let asked = fake.asked("/device");
        assert_eq!(asked.first().map(|asked| asked.form["client_id"].as_str()), expected);
    }
    let (fake, terminal) =
        (foreign(json!({"client_id_metadata_document_supported": true}), |_, _| None), Terminal::new());
    for wrong in ["http://app.example/c", "https://app.example/a/../c", "https://u@app.example/c", "gatepass"] {
        std::fs::write(terminal.home().join("config.toml"), format!("client_url = '{wrong}'\n")).unwrap();
        assert!(device_login(&terminal, &fake, &[]).failed(2).contains("client_url"), "{wrong}");
    }
    assert!(fake.asked("/device").is_empty());
}

#[test]
fn a_redirect_uri_is_used_as_it_is_registered() {
    let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://localhost:{port}/auth/back");
    let (said, page) = browser_login(&terminal, &fake, &["--client-id", "cli", "--redirect-uri", &uri]);
    said.done();
    assert_eq!((page["redirect_uri"].as_str(), fake.asked("/token")[0].form["redirect_uri"].as_str()), (&*uri, &*uri));
    for wrong in ["https://localhost/x", "http://evil.example/x", "callback"] {
        let err = device_login(&terminal, &fake, &["--client-id", "cli", "--redirect-uri", wrong]).failed(2);
        assert!(err.contains("--redirect-uri"), "{err}");
    }
}

#[test]
fn who_signs_in_again_need_not_name_the_client_again() {
    let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
    let mut login = terminal.command(&["login", "--issuer", &fake.issuer, "--device", "--client-id", "cli"]);
    crate::support::run_with(login.args(["--client-secret-file", "-"]), "s:ecret").done();
    device_login(&terminal, &fake, &[]).done();
    let proofs: Vec<Option<String>> = fake.asked("/token").into_iter().map(|asked| asked.authorization).collect();
    assert!(proofs.len() == 2 && proofs[0].is_some() && proofs[0] == proofs[1]);
}
