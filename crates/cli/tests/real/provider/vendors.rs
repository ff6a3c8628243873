//! The notes on vendors, each switch of them against a mock that answers as the vendor documents it (the sources stand in
//! `providers.toml`).

use super::*;

const GITHUB: [&str; 4] = ["--provider", "github-enterprise", "--client-id", "Iv1.0123"];

/// The vendor's default: answers as forms, errors under status 200 with names of its own, a person by a number.
fn github() -> Fake {
    let form = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
        Answer::Raw(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    };
    Fake::start_raw(move |asked, _, count| match (asked.path.as_str(), count) {
        ("/login/device/code", _) => form(
            "device_code=3584d83530557fdd1f46af8289938c8ef79f9dc5&expires_in=900&interval=1&user_code=WDJB-MJHT\
             &verification_uri=https%3A%2F%2Fgithub.com%2Flogin%2Fdevice",
        ),
        ("/login/oauth/access_token", 0) if asked.form["grant_type"] != "authorization_code" => {
            form("error=authorization_pending&error_description=The+authorization+request+is+still+pending.")
        }
        ("/login/oauth/access_token", _) if asked.form["grant_type"] == "refresh_token" => {
            form("error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect+or+expired.")
        }
        ("/login/oauth/access_token", _) => form(
            "access_token=ghu_16C7e42F292c6912E7710c838347Ae178B4a&expires_in=28800&refresh_token=ghr_1B4a\
             &scope=repo%2Cgist&token_type=bearer",
        ),
        ("/api/v3/user", _) => Answer::Json(200, json!({"id": 583_231, "login": "octocat", "email": null})),
        _ => Answer::Json(404, json!({"message": "Not Found"})),
    })
}

#[test]
fn github_without_metadata_answers_in_forms_and_names_errors_in_its_own_way() {
    let (terminal, fake) = (Terminal::new(), github());
    device_login(&terminal, &fake, &GITHUB).done();
    let start = &fake.asked("/login/device/code")[0].form;
    assert_eq!((start["client_id"].as_str(), start["scope"].as_str()), ("Iv1.0123", "read:user"));
    assert!(fake.asked("/.well-known/openid-configuration").is_empty());
    let status = terminal.run(&["status", "--json"]).json();
    assert_eq!(status["accounts"][0]["subject"], "583231");
    assert_eq!(status["accounts"][0]["name"], "octocat");
    assert_eq!(status["accounts"][0]["scopes"], json!(["gist", "repo"]));
    assert_eq!(terminal.run(&["token"]).done(), "ghu_16C7e42F292c6912E7710c838347Ae178B4a\n");
    let who = terminal.run(&["whoami"]).done();
    assert!(who.contains("octocat") && who.contains("583231"), "{who}");
    assert!(
        terminal.run(&["token", "--min-ttl", "9h"]).failed(3).contains("gatepass login"),
        "bad_refresh_token ends it"
    );
    assert!(terminal.run(&["logout"]).done().is_empty());
}

#[test]
fn github_with_a_secret_signs_in_by_browser_and_without_it_offers_the_code_only() {
    let (terminal, fake) = (Terminal::new(), github());
    let secret = terminal.home().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let with = [&GITHUB[..], &["--client-secret-file", secret.to_str().unwrap()]].concat();
    let (said, page) = browser_login(&terminal, &fake, &with);
    said.done();
    assert_eq!(page["code_challenge_method"], "S256");
    let form = &fake.asked("/login/oauth/access_token")[0].form;
    assert_eq!(form["client_secret"], "s3cret");
    let err = run(terminal.command(&["login", "--issuer", &fake.issuer, "--loopback"]).args(GITHUB)).failed(2);
    assert!(err.contains("wants the client's secret for this way"), "{err}");
}

#[test]
fn google_wants_offline_access_in_its_own_words_and_a_secret() {
    let lists = json!({"token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]});
    let (terminal, fake) = (Terminal::new(), foreign(lists, |_, _| None));
    let base = ["--provider", "google", "--client-id", "1.apps.googleusercontent.com"];
    let err = run(terminal.command(&["login", "--issuer", &fake.issuer, "--loopback"]).args(base)).failed(2);
    assert!(err.contains("Google wants the client's secret") && err.contains("Desktop app"), "{err}");
    let secret = terminal.home().join("secret");
    std::fs::write(&secret, "GOCSPX-1").unwrap();
    let (said, page) =
        browser_login(&terminal, &fake, &[&base[..], &["--client-secret-file", secret.to_str().unwrap()]].concat());
    said.done();
    assert_eq!((page["access_type"].as_str(), page["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(page["scope"], "email openid profile", "offline_access is no scope there");
}

#[test]
fn google_codes_are_polled_through_428_and_come_with_a_verification_url() {
    let fake = foreign(json!({}), |asked, count| match (asked.path.as_str(), count) {
        ("/device", _) => {
            let mut codes = device_codes();
            codes["verification_url"] = codes.as_object_mut().unwrap().remove("verification_uri").unwrap();
            Some(Answer::Json(200, codes))
        }
        ("/token", 0) => Some(Answer::Json(428, json!({"error": "authorization_pending"}))),
        _ => None,
    });
    let terminal = Terminal::new();
    let secret = terminal.home().join("secret");
    std::fs::write(&secret, "GOCSPX-1").unwrap();
    let secret = secret.to_str().unwrap();
    device_login(&terminal, &fake, &["--provider", "google", "--client-id", "tv", "--client-secret-file", secret])
        .done();
}

#[test]
fn entra_comes_back_to_localhost_and_calls_a_no_by_another_name() {
    // It lists no PKCE methods, and takes S256.
    let silent = json!({"code_challenge_methods_supported": null, "revocation_endpoint": null});
    let fake = foreign(silent, |asked, _| {
        (asked.form.get("device_code").map(String::as_str) == Some("dev"))
            .then(|| Answer::Json(400, json!({"error": "authorization_declined"})))
    });
    let (terminal, base) = (Terminal::new(), ["--provider", "entra", "--client-id", "11111111-2222"]);
    let (said, page) = browser_login(&terminal, &fake, &base);
    said.done();
    assert!(page["redirect_uri"].starts_with("http://localhost:") && page["redirect_uri"].ends_with("/callback"));
    assert_eq!((page["code_challenge_method"].as_str(), page["scope"].contains("offline_access")), ("S256", true));
    assert!(terminal.run(&["logout"]).err.contains("no revocation"));
    let err = device_login(&terminal, &fake, &base).failed(5);
    assert!(err.contains("denied"), "{err}");
}

#[test]
fn auth0_is_told_the_audience_at_every_step() {
    let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
    let api = ["--provider", "auth0", "--client-id", "a0", "--audience", "https://API.example/v1/"];
    let (said, page) = browser_login(&terminal, &fake, &api);
    said.done();
    assert_eq!(page["audience"], "https://API.example/v1/");
    renew(&terminal);
    device_login(&terminal, &fake, &api).done();
    assert_eq!(fake.asked("/device")[0].form["audience"], "https://API.example/v1/");
    for asked in fake.asked("/token") {
        assert_eq!(asked.form["audience"], "https://API.example/v1/", "{}", asked.form["grant_type"]);
    }
}

#[test]
fn gitlab_has_a_device_endpoint_that_its_metadata_may_leave_out() {
    let without = json!({"device_authorization_endpoint": null, "grant_types_supported": ["authorization_code"]});
    let fake = foreign(without, |asked, _| {
        (asked.path == "/oauth/authorize_device").then(|| Answer::Json(200, device_codes()))
    });
    let terminal = Terminal::new();
    device_login(&terminal, &fake, &["--provider", "gitlab", "--client-id", "app"]).done();
    assert_eq!(fake.asked("/oauth/authorize_device")[0].form["scope"], "email openid profile");
}

#[test]
fn okta_is_not_asked_to_register_and_keycloak_may_refuse() {
    let refuse = |asked: &Asked, _: usize| {
        (asked.path == "/register").then(|| Answer::Json(403, json!({"error": "insufficient_scope"})))
    };
    for (provider, tried, hint) in [("okta", 0, "Native Application"), ("keycloak", 1, "Client authentication")] {
        let terminal = Terminal::new();
        // The endpoint is on the fake itself, whose address is known only once it runs.
        let fake = Fake::start_raw(move |asked, issuer, count| match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                Answer::Json(200, metadata(issuer, &json!({"registration_endpoint": format!("{issuer}/register")})))
            }
            _ => refuse(asked, count).unwrap_or(Answer::Json(404, json!({}))),
        });
        let err = device_login(&terminal, &fake, &["--provider", provider]).failed(2);
        assert!(err.contains("knows no client of ours") && err.contains(hint), "{err}");
        assert_eq!(fake.asked("/register").len(), tried, "{provider}");
    }
}
