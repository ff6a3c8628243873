//! What a server says of itself: where it is looked for, when it is believed, and what is said when it is not.

use super::*;

/// A server whose only document lies at `place`, seen from an issuer with this path.
fn document_at(place: &'static str, issuer_path: &'static str, change: Value) -> Fake {
    Fake::start_raw(move |asked, base, _| {
        let issuer = format!("{base}{issuer_path}");
        match asked.path.as_str() {
            path if path == place => {
                let mut document = metadata(&issuer, &change);
                if document["issuer"] == "MALFORMED" {
                    document["issuer"] = json!(7);
                }
                Answer::Json(200, document)
            }
            path if path.ends_with("/device") => Answer::Json(200, device_codes()),
            path if path.ends_with("/token") => fake::granted("1"),
            _ => Answer::Json(404, json!({})),
        }
    })
}

fn login(terminal: &Terminal, fake: &Fake, path: &str, more: &[&str]) -> Said {
    let issuer = format!("{}{path}", fake.issuer);
    run(terminal.command(&["login", "--issuer", &issuer, "--device", "--client-id", "cli"]).args(more))
}

#[test]
fn a_document_is_found_wherever_the_standards_put_it() {
    let places = [
        ("/.well-known/oauth-authorization-server", ""),
        ("/.well-known/openid-configuration", ""),
        ("/.well-known/oauth-authorization-server/t/1", "/t/1"),
        ("/t/1/.well-known/openid-configuration", "/t/1"),
        ("/.well-known/openid-configuration/t/1", "/t/1"),
        ("/t/1/.well-known/oauth-authorization-server", "/t/1"),
    ];
    std::thread::scope(|scope| {
        for (place, path) in places {
            scope.spawn(move || {
                let (terminal, fake) = (Terminal::new(), document_at(place, path, json!({})));
                login(&terminal, &fake, path, &[]).done();
                login(&terminal, &fake, &format!("{path}/"), &[]).done();
            });
        }
    });
}

#[test]
fn only_a_server_that_names_itself_and_takes_s256_is_believed() {
    let place = "/.well-known/openid-configuration";
    for (change, part) in [
        (json!({"issuer": "https://evil.example"}), "must name itself exactly"),
        (json!({"issuer": "MALFORMED"}), "no metadata"),
        (json!({"code_challenge_methods_supported": ["plain"]}), "PKCE with S256"),
        (json!({"token_endpoint": "javascript:alert(1)"}), "no usable token_endpoint"),
        (json!({"registration_endpoint": "file:///etc/passwd"}), "no usable registration_endpoint"),
    ] {
        let (terminal, fake) = (Terminal::new(), document_at(place, "", change));
        let err = login(&terminal, &fake, "", &[]).failed(1);
        assert!(err.contains(part) && err.contains("hint: "), "{part} in {err}");
        assert!(!err.contains("login --issuer https://evil"), "no command leads to a stranger: {err}");
        assert!(fake.asked("/device").is_empty());
    }
    let silent = document_at(place, "", json!({"code_challenge_methods_supported": null}));
    login(&Terminal::new(), &silent, "", &[]).done();
}

#[test]
fn a_server_that_names_itself_otherwise_on_its_own_host_is_shown_as_it_does() {
    let (terminal, fake) = (Terminal::new(), document_at("/.well-known/openid-configuration", "/realm", json!({})));
    let err = login(&terminal, &fake, "", &[]).failed(1);
    assert!(err.ends_with(&format!("  gatepass login --issuer {}/realm\n", fake.issuer)), "{err}");
}

#[test]
fn named_endpoints_need_no_metadata() {
    let (terminal, fake) = (Terminal::new(), document_at("/none", "", json!({})));
    let url = |path: &str| format!("{}{path}", fake.issuer);
    let (token, device, userinfo) = (url("/x/token"), url("/x/device"), url("/x/me"));
    let named =
        ["--token-endpoint", &token, "--device-authorization-endpoint", &device, "--userinfo-endpoint", &userinfo];
    login(&terminal, &fake, "", &named).done();
    assert!(fake.asked("/.well-known/openid-configuration").is_empty());
    assert_eq!(fake.asked("/x/token").len(), 1);
    let err = login(&Terminal::new(), &fake, "", &[]).failed(1);
    assert!(err.contains("has no metadata") && err.contains("--token-endpoint"), "{err}");
    for wrong in ["http://evil.example/token", "file:///etc/passwd", "token"] {
        let err = login(&terminal, &fake, "", &["--token-endpoint", wrong]).failed(2);
        assert!(err.contains("--token-endpoint"), "{err}");
    }
}

#[test]
fn an_unknown_vendor_is_answered_with_those_that_are_known() {
    let (terminal, fake) = (Terminal::new(), document_at("/none", "", json!({})));
    let err = login(&terminal, &fake, "", &["--provider", "acme"]).failed(2);
    assert!(err.contains("github") && err.contains("keycloak"), "{err}");
}
