//! A program that registers itself (RFC 7591), and a server that forgets it.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A server at which programs register themselves as `client-1`, `client-2`, …; it has forgotten the first `forgotten`.
fn registering(forgotten: &Arc<AtomicUsize>, manages: bool) -> Fake {
    let forgotten = Arc::clone(forgotten);
    Fake::start_raw(move |asked, issuer, count| {
        let number = |text: &str| text.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        let named = asked.form.get("client_id").and_then(|id| number(id)).or_else(|| number(&asked.path));
        if named.is_some_and(|number| number <= forgotten.load(Ordering::SeqCst)) {
            return Answer::Json(401, json!({"error": "invalid_client"}));
        }
        match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                Answer::Json(200, metadata(issuer, &json!({"registration_endpoint": format!("{issuer}/register")})))
            }
            "/register" => {
                let id = format!("client-{}", count + 1);
                let mut answer: Value = serde_json::from_str(&asked.body).unwrap();
                answer["client_id"] = json!(id);
                if manages {
                    answer["registration_client_uri"] = json!(format!("{issuer}/register/{id}"));
                    answer["registration_access_token"] = json!("manage-me");
                }
                Answer::Json(201, answer)
            }
            "/device" => Answer::Json(200, device_codes()),
            "/token" => fake::granted(&format!("{}", count + 1)),
            path if path.starts_with("/register/") => Answer::Json(200, json!({})),
            "/revoke" => Answer::Json(200, json!({})),
            _ => Answer::Json(404, json!({})),
        }
    })
}

#[test]
fn a_program_registers_once_for_an_issuer_and_again_when_it_was_forgotten() {
    for manages in [true, false] {
        let (terminal, forgotten) = (Terminal::new(), Arc::new(AtomicUsize::new(0)));
        let fake = registering(&forgotten, manages);
        let clients = || -> Vec<String> { fake.asked("/device").iter().map(|a| a.form["client_id"].clone()).collect() };
        device_login(&terminal, &fake, &[]).done();
        device_login(&terminal, &fake, &[]).done();
        assert_eq!(clients(), ["client-1", "client-1"]);
        let document: Value = serde_json::from_str(&fake.asked("/register")[0].body).unwrap();
        assert_eq!(
            document,
            json!({
                "client_name": "gatepass",
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            })
        );
        if manages {
            assert_eq!(fake.asked("/register/client-1")[0].bearer.as_deref(), Some("manage-me"));
        }
        forgotten.store(1, Ordering::SeqCst);
        device_login(&terminal, &fake, &[]).done();
        assert_eq!(clients(), ["client-1", "client-1", "client-2"]);
    }
}

#[test]
fn a_token_and_a_secret_that_a_server_gives_anew_take_the_place_of_the_old_ones() {
    // As Keycloak has it: the token that reads a registration is good once, and the answer has the next one.
    let fake = Fake::start_raw(move |asked, issuer, count| {
        let registration = |nth: usize| {
            json!({"client_id": "client-1", "client_secret": format!("secret-{nth}"), "client_secret_expires_at": 0,
                   "registration_client_uri": format!("{issuer}/register/client-1"),
                   "token_endpoint_auth_method": "client_secret_post",
                   "registration_access_token": format!("manage-{nth}")})
        };
        match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                let more = json!({"registration_endpoint": format!("{issuer}/register"),
                                  "token_endpoint_auth_methods_supported": ["client_secret_post"]});
                Answer::Json(200, metadata(issuer, &more))
            }
            "/register" => Answer::Json(201, registration(0)),
            "/register/client-1" if asked.bearer.as_deref() == Some(&format!("manage-{count}")) => {
                Answer::Json(200, registration(count + 1))
            }
            "/device" => Answer::Json(200, device_codes()),
            "/token" => fake::granted(&format!("{}", count + 1)),
            "/revoke" => Answer::Json(200, json!({})),
            _ => Answer::Json(401, json!({})),
        }
    });
    let terminal = Terminal::new();
    for _ in 0..3 {
        device_login(&terminal, &fake, &[]).done();
    }
    assert_eq!(fake.asked("/register").len(), 1);
    let secrets: Vec<_> = fake.asked("/token").iter().map(|asked| asked.form["client_secret"].clone()).collect();
    assert_eq!(secrets, ["secret-0", "secret-1", "secret-2"]);
}

#[test]
fn where_answers_do_not_say_whose_they_are_each_server_has_a_place_of_its_own() {
    let registered_at = |says_iss: bool| {
        let more = json!({"authorization_response_iss_parameter_supported": says_iss});
        let fake = Fake::start_raw(move |asked, issuer, _| match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                let mut document = metadata(issuer, &more);
                document["registration_endpoint"] = json!(format!("{issuer}/register"));
                Answer::Json(200, document)
            }
            "/register" => Answer::Json(201, json!({"client_id": "client-1"})),
            "/token" => fake::granted("1"),
            _ => Answer::Json(404, json!({})),
        });
        let terminal = Terminal::new();
        let (said, page) = browser_login(&terminal, &fake, &[]);
        said.done();
        let document: Value = serde_json::from_str(&fake.asked("/register")[0].body).unwrap();
        let path = |uri: &str| url::Url::parse(uri).unwrap().path().to_owned();
        let registered = path(document["redirect_uris"][0].as_str().unwrap());
        assert_eq!(path(&page["redirect_uri"]), registered);
        registered
    };
    let (one, other) = (registered_at(false), registered_at(false));
    assert!(one.starts_with("/callback/") && other.starts_with("/callback/") && one != other, "{one} {other}");
    assert_eq!(registered_at(true), "/callback");
}

#[test]
fn what_is_forgotten_only_in_the_middle_is_registered_anew_once() {
    let (terminal, forgotten) = (Terminal::new(), Arc::new(AtomicUsize::new(0)));
    // Without a revocation endpoint nothing tells beforehand.
    let forgets = Arc::clone(&forgotten);
    let fake = Fake::start_raw(move |asked, issuer, count| match asked.path.as_str() {
        "/.well-known/openid-configuration" => {
            let more = json!({"registration_endpoint": format!("{issuer}/register"), "revocation_endpoint": null});
            Answer::Json(200, metadata(issuer, &more))
        }
        "/register" => Answer::Json(201, json!({"client_id": format!("client-{}", count + 1)})),
        "/device" if asked.form["client_id"] == "client-1" && forgets.load(Ordering::SeqCst) == 1 => {
            fake::refused("invalid_client")
        }
        "/device" if forgets.load(Ordering::SeqCst) == 2 => fake::refused("unauthorized_client"),
        "/device" => Answer::Json(200, device_codes()),
        "/token" => fake::granted("1"),
        _ => Answer::Json(404, json!({})),
    });
    device_login(&terminal, &fake, &[]).done();
    forgotten.store(1, Ordering::SeqCst);
    device_login(&terminal, &fake, &[]).done();
    assert_eq!(fake.asked("/register").len(), 2);
    forgotten.store(2, Ordering::SeqCst);
    let err = device_login(&terminal, &fake, &[]).failed(5);
    assert!(err.contains("does not take the client client-3"), "{err}");
    assert_eq!(fake.asked("/register").len(), 3, "once, and no more");
}

#[test]
fn a_kept_sign_in_is_never_moved_to_another_client() {
    let (terminal, forgotten) = (Terminal::new(), Arc::new(AtomicUsize::new(0)));
    let fake = registering(&forgotten, true);
    device_login(&terminal, &fake, &[]).done();
    forgotten.store(1, Ordering::SeqCst);
    renew(&terminal).failed(3);
    assert_eq!(fake.asked("/register").len(), 1);
}

#[test]
fn a_registration_that_makes_no_sense_is_refused_in_one_sentence() {
    for (status, answer) in [
        (200, json!({})),
        (201, json!({"client_id": ""})),
        (201, json!({"client_id": "x", "token_endpoint_auth_method": "client_secret_basic"})),
        (201, json!({"client_id": "x", "token_endpoint_auth_method": "magic", "client_secret": "s"})),
        (400, json!({"error": "invalid_redirect_uri", "error_description": "no \u{1b}[2Jloopback"})),
        (403, json!({"message": "no"})),
    ] {
        let reply = answer.clone();
        let fake = Fake::start_raw(move |asked, issuer, _| match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                Answer::Json(200, metadata(issuer, &json!({"registration_endpoint": format!("{issuer}/register")})))
            }
            "/register" => Answer::Json(status, reply.clone()),
            _ => Answer::Json(404, json!({})),
        });
        let terminal = Terminal::new();
        let said = device_login(&terminal, &fake, &[]);
        assert_eq!(said.code, Some(2), "{answer} {said:?}");
        assert!(!said.err.contains('\u{1b}') && fake.asked("/device").is_empty(), "{answer}: {}", said.err);
    }
}
