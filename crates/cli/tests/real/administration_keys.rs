//! `gatepass admin keys` while the server runs.

use crate::support::{Place, Said, Server};
use gatepass_testkit::Answer;
use serde_json::Value;

on_both_engines!(a_key_is_followed_by_the_next_ahead_or_at_once);

/// The keys of an algorithm that a command printed, the older first: name and state.
fn keys(said: Said, algorithm: &str) -> Vec<(String, String)> {
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let out = said.done();
    let mut keys: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    keys.retain(|key| key["alg"] == algorithm);
    keys.sort_by_key(|key| text(key, "signs_from"));
    keys.iter().map(|key| (text(key, "kid"), text(key, "state"))).collect()
}

/// The names in the published key set.
async fn published(server: &Server) -> Vec<String> {
    let set = Answer::of(Server::http().get(server.path("/jwks"))).await.json;
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn a_key_is_followed_by_the_next_ahead_or_at_once(place: Place) {
    let server = place.serve();
    let admin = |arguments: &[&str]| place.admin(&[&["keys"], arguments].concat());
    let first = keys(admin(&["list", "--json"]), "ES256");
    assert_eq!(published(&server).await, [first[0].0.as_str()]);

    let ahead = keys(admin(&["rotate", "--json"]), "ES256");
    let states: Vec<_> = ahead.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!((states.as_slice(), &ahead[0].0), (&["signing", "published"][..], &first[0].0));
    assert_eq!(keys(admin(&["rotate", "--json"]), "ES256"), ahead, "one that waits is enough");
    let added = keys(admin(&["rotate", "--alg", "EdDSA", "--json"]), "EdDSA");
    assert_eq!(added[0].1, "signing", "the first of its algorithm has nobody to wait for");
    let listed = admin(&["list"]).done();
    assert!(listed.contains(&format!("{}  ES256  signing  from ", first[0].0)), "{listed}");
    assert!(listed.contains(&format!("{}  ES256  published  from ", ahead[1].0)), "{listed}");
    // A server that runs reads them again within a minute; one that starts, at once.
    let server = server.restart(&place);
    let shown = published(&server).await;
    assert!(shown.len() == 3 && ahead.iter().chain(&added).all(|(kid, _)| shown.contains(kid)), "{shown:?}");

    let now = keys(admin(&["rotate", "--alg", "ES256", "--now", "--json"]), "ES256");
    assert!(now.len() == 1 && now[0].1 == "signing", "{now:?}");
    assert!(ahead.iter().all(|(kid, _)| *kid != now[0].0), "the old ones are gone, also the one that waited: {now:?}");
    assert_eq!(keys(admin(&["list", "--json"]), "EdDSA"), added, "the other algorithm's stay");
    let server = server.restart(&place);
    let shown = published(&server).await;
    assert!(shown.len() == 2 && shown.contains(&now[0].0) && shown.contains(&added[0].0), "{shown:?}");

    assert!(admin(&["rotate", "--alg", "HS256"]).failed(2).contains("ES256, EdDSA or RS256"));
    let told = place.admin(&["audit", "--kind", "key_made", "--kind", "key_removed"]).done();
    assert_eq!((told.matches("key_removed").count(), told.matches("operator").count()), (2, 3), "{told}");
}
