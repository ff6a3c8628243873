//! `gatepass credential aws`, with the real aws, and an STS that answers as its documentation says.

use crate::support::{Asked, Place, Said, Server, Site, Terminal, Told, run, tool_is_here};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::fs;

const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

/// An STS that gives credentials for tokens of this server, and says who shows them.
fn sts(issuer: String) -> Site {
    Site::start(move |asked| match asked.form("Action").as_deref() {
        Some("AssumeRoleWithWebIdentity") => assume(asked, &issuer),
        Some("GetCallerIdentity") => {
            let signed = asked.header("authorization").is_some_and(|value| value.contains("Credential=ASIAEXAMPLE/"));
            let session = asked.header("x-amz-security-token") == Some("session&token");
            if signed && session { caller() } else { refuse("InvalidClientTokenId", "The security token is invalid.") }
        }
        _ => refuse("InvalidAction", "Could not find operation"),
    })
}

fn assume(asked: &Asked, issuer: &str) -> Told {
    let field = |name: &str| asked.form(name).unwrap_or_default();
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("POST", None), "the request is not signed");
    assert_eq!((field("Version").as_str(), field("DurationSeconds").as_str()), ("2011-06-15", "3600"));
    let token = field("WebIdentityToken");
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    if claims["iss"] != issuer || claims["aud"] != "gatepass-cli" {
        return refuse("InvalidIdentityToken", "No OpenIDConnect provider found in your account for \u{1b}[2Jx");
    }
    if field("RoleArn") != ROLE {
        return refuse("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    }
    let name = field("RoleSessionName");
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
         <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>x</SubjectFromWebIdentityToken>\n\
         <AssumedRoleUser><Arn>{ROLE}/{name}</Arn><AssumedRoleId>AROA:{name}</AssumedRoleId></AssumedRoleUser>\n\
         <Credentials><SessionToken>session&amp;token</SessionToken><SecretAccessKey>secret/key</SecretAccessKey>\n\
         <Expiration>2099-10-24T23:00:23Z</Expiration><AccessKeyId>ASIAEXAMPLE</AccessKeyId></Credentials>\n\
         </AssumeRoleWithWebIdentityResult>\n\
         <ResponseMetadata><RequestId>ad4156e9</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
    );
    Told::new(200, "text/xml", body)
}

fn caller() -> Told {
    let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:aws:sts::123456789012:assumed-role/deploy/x</Arn><UserId>AROA:x</UserId><Account>123456789012</Account>\
                </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
    Told::new(200, "text/xml", body)
}

fn refuse(code: &str, message: &str) -> Told {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Told::new(if code == "AccessDenied" { 403 } else { 400 }, "text/xml", body)
}

async fn signed_in(place: &Place) -> (Server, Terminal) {
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (server, terminal)
}

fn process(terminal: &Terminal, sts: &Site, more: &[&str]) -> Said {
    let words = [&["credential", "aws", "--sts-endpoint", &sts.url, "--role-arn"], more].concat();
    run(&mut terminal.at_home(&words))
}

fn assumed(sts: &Site) -> Vec<Asked> {
    let is_it = |asked: &Asked| asked.form("Action").as_deref() == Some("AssumeRoleWithWebIdentity");
    sts.asked().into_iter().filter(is_it).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_id_token_becomes_credentials_which_are_kept_encrypted() {
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    let sts = sts(server.url.clone());
    let expected = json!({
        "Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret/key", "SessionToken": "session&token",
        "Expiration": "2099-10-24T23:00:23Z",
    });
    assert_eq!(process(&terminal, &sts, &[ROLE]).json(), expected);
    assert_eq!(process(&terminal, &sts, &[ROLE]).json(), expected);
    assert_eq!(assumed(&sts).len(), 1, "kept until shortly before their end");
    assert_eq!(assumed(&sts)[0].form("RoleSessionName").as_deref(), Some(gatepass_testkit::USER));
    process(&terminal, &sts, &[ROLE, "--session-name", "another"]).done();
    assert_eq!(assumed(&sts).len(), 2);
    // What the ID token got is not what the access token gets.
    process(&terminal, &sts, &[ROLE, "--access-token"]).failed(5);
    assert_eq!(assumed(&sts).len(), 3);
    for (path, bytes) in crate::support::files(terminal.home()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("secret/key"), "{}", path.display());
    }
    terminal.run(&["logout"]).done();
    assert_eq!(process(&terminal, &sts, &[ROLE]).failed(3).matches("gatepass login").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn what_aws_refuses_is_said_in_its_words_and_nothing_else_is_believed() {
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    let there = sts(server.url.clone());
    let other = ROLE.replace("deploy", "other");
    let said = process(&terminal, &there, &[&other]);
    assert_eq!(said.out, "");
    assert!(said.failed(5).contains("Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied)"));
    let said = process(&terminal, &sts("https://elsewhere.example".into()), &[ROLE]).failed(5);
    assert!(said.contains("InvalidIdentityToken") && !said.contains('\u{1b}'), "{said}");
    let echo = Site::start(|asked| {
        refuse("InvalidIdentityToken", &format!("Cannot read {}", asked.form("WebIdentityToken").unwrap()))
    });
    let said = process(&terminal, &echo, &[ROLE]).failed(5);
    assert!(said.contains("Cannot read <secret>"), "{said}");
    // An access token of this server is no JWT.
    process(&terminal, &there, &[ROLE, "--access-token"]).failed(5);
    for (status, body, code) in [
        (200, "<html>", 1),
        (200, "", 1),
        (200, "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", 1),
        (302, "", 1),
        (403, "<html>", 1),
        (503, "", 4),
    ] {
        let odd = Site::start(move |_| Told::new(status, "text/xml", body));
        let said = process(&terminal, &odd, &[ROLE]);
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{status} {body}: {}", said.err);
    }
    for bad in [&["not-an-arn"][..], &[ROLE, "--duration", "1m"], &[ROLE, "--session-name", "a b"]] {
        process(&terminal, &there, bad).failed(2);
    }
    let region =
        |region: &str| run(&mut terminal.at_home(&["credential", "aws", "--role-arn", ROLE, "--region", region]));
    region("evil.example/").failed(2);
    run(&mut terminal.at_home(&["credential", "aws"])).failed(2);
    terminal.run(&["whoami"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_configuration_of_aws_is_changed_once_and_given_back_to_the_letter() {
    let place = Place::sqlite().await;
    let (_server, terminal) = signed_in(&place).await;
    let config = terminal.user_home().join(".aws/config");
    fs::create_dir(config.parent().unwrap()).unwrap();
    let before = "# mine\n[default]\nregion = eu-west-1\n\n[profile other]\ncredential_process = theirs\n";
    fs::write(&config, before).unwrap();
    let call = |arguments: &[&str]| run(&mut terminal.at_home(&[&["credential", "aws"], arguments].concat()));
    let read = || fs::read_to_string(&config).unwrap();
    let install = ["install", "--profile", "work", "--role-arn", ROLE, "--region", "eu-west-1"];

    let dry = call(&[&install[..], &["--dry-run"]].concat()).done();
    assert!(dry.contains("+ [profile work]\n+ credential_process = /"), "{dry}");
    assert_eq!(read(), before);
    call(&install).done();
    let after = read();
    assert!(after.starts_with(before) && after.contains(&format!("--role-arn {ROLE} --region eu-west-1\n")), "{after}");
    assert_eq!(call(&install).done(), "");
    assert_eq!(read(), after, "once is enough");
    assert!(run(&mut terminal.at_home(&["credential", "list"])).done().contains(&format!("work as {ROLE}")));
    call(&["install", "--profile", "other", "--role-arn", ROLE]).failed(2);
    call(&["install", "--profile", "a]b", "--role-arn", ROLE]).failed(2);
    assert_eq!(read(), after);
    call(&["uninstall", "--profile", "work"]).done();
    assert_eq!(read(), before);
    assert_eq!(call(&["uninstall", "--profile", "other"]).done(), "");
    assert_eq!(read(), before, "what others wrote stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_real_aws_signs_its_requests_with_the_roles_credentials() {
    let aws = std::env::var("GATEPASS_TEST_AWS").unwrap_or_else(|_| "aws".into());
    assert!(
        tool_is_here(&aws),
        "aws is not installed\nhint: run ./test, which installs it, or name it in GATEPASS_TEST_AWS"
    );
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    let sts = sts(server.url.clone());
    let install = ["credential", "aws", "install", "--profile", "work", "--role-arn", ROLE, "--sts-endpoint", &sts.url];
    run(&mut terminal.at_home(&install)).done();
    let call = |arguments: &[&str]| {
        run(terminal.tool(&aws).args(["--profile", "work", "--region", "eu-west-1"]).args(arguments)).done()
    };
    let identity: Value =
        serde_json::from_str(&call(&["sts", "get-caller-identity", "--endpoint-url", &sts.url])).unwrap();
    assert_eq!(identity["Account"], "123456789012");
    assert_eq!(assumed(&sts).len(), 1);
}
