//! `gatepass admin audit` for who looks for an address, or looks on.

use crate::support::{Person, Place, Program};
use gatepass_testkit::USER;
use serde_json::Value;

on_both_engines!(what_comes_is_shown_once, what_came_from_an_address_is_found);

async fn what_comes_is_shown_once(place: Place) {
    let server = place.serve_with_user();
    let kinds = ["--kind", "user_added", "--kind", "signed_in"];
    let mut command = place.admin_command(&[&["audit", "--follow", "--json"], &kinds[..]].concat());
    let watch = Program::start(&mut command);
    watch.out.wait_for("\"user_added\"");
    Person::signed_in(&server).await;
    let id = |event: &str| serde_json::from_str::<Value>(event).unwrap()["user_id"].as_str().unwrap().to_owned();
    let ada = id(&watch.out.wait_for("\"signed_in\""));
    // By the look that finds him, all of this was passed over once more.
    place.add_user("bob@example.com");
    watch.out.find(|line| (id(line) != ada).then_some(()));
    watch.signal("-INT");
    let out = watch.end().done();
    let shown: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = shown.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user_added", "signed_in", "user_added"]);
    place.admin(&["audit", "--follow", "--until", "1h"]).failed(2);
}

async fn what_came_from_an_address_is_found(place: Place) {
    let server = place.serve_with_user();
    Person::signed_in(&server).await;
    let kinds = |address: &str| {
        let out = place.admin(&["audit", "--address", address, "--json"]).done();
        let events = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| (event["event"].as_str().unwrap().to_owned(), event["address"].clone())).collect::<Vec<_>>()
    };
    let here = kinds("127.0.0.1");
    assert!(here.iter().any(|(kind, _)| kind == "signed_in"), "{here:?}");
    assert!(here.iter().all(|(kind, address)| kind != "user_added" && address == "127.0.0.1"), "{here:?}");
    assert_eq!(kinds("127.0.0.2"), []);
    let said = place.admin(&["audit", "--address", "127.0.0.2"]);
    assert!(said.err.contains("Nothing of that kind happened"), "{said:?}");
    let both = place.admin(&["audit", "--address", "127.0.0.1", "--user", USER, "--kind", "signed_in"]).done();
    assert!(both.contains("127.0.0.1") && both.contains(USER), "{both}");
}
