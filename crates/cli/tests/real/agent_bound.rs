//! An agent whose sign-in is bound to a key: the key stays where the agent is, and its callers work all the same.

use crate::support::{Agent, Place, Proxy, Server, Terminal};
use gatepass_testkit::{Answer, USER, tokio};
use serde_json::{Value, json};

async fn signed_in() -> (Place, Server, Terminal) {
    let place = Place::sqlite().await;
    place.binds_access_tokens();
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (place, server, terminal)
}

/// Calls `whoami` with the headers that a command printed.
async fn whoami_with(server: &Server, headers: &Value) -> Answer {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let mut request = Server::http().post(server.path("/api/v1/user/rpc")).json(&body);
    for (name, value) in headers.as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_container_uses_a_bound_token_with_proofs_of_the_agent() {
    let (_place, server, terminal) = signed_in().await;
    let url = server.path("/api/v1/user/rpc");
    for arguments in [&[][..], &["--scope", "account", "--ttl", "5m"], &["--tcp", "127.0.0.1:0"]] {
        let agent = Agent::start(&terminal, arguments);
        let whoami = agent.run(&["whoami", "--json"]).json();
        assert_eq!(whoami["email"], USER, "{arguments:?}: {whoami}");
        assert_eq!(agent.run(&["token", "--json"]).json()["token_type"], "DPoP");
        let proof = ["token", "--dpop-proof", "POST", &url, "--json"];
        let told = whoami_with(&server, &agent.run(&proof).json()).await;
        assert_eq!(told.status, 401);
        let nonce = told.headers["dpop-nonce"].to_str().unwrap();
        let headers = agent.run(&[&proof[..], &["--dpop-nonce", nonce]].concat()).json();
        let answered = whoami_with(&server, &headers).await;
        assert_eq!(answered.json["result"]["email"], USER, "{arguments:?}: {}", answered.json);
        // Neither does the token work alone, nor is it given to what would send it alone.
        let token = agent.run(&["token"]).done();
        assert_eq!(server.whoami(token.trim()).await.status, 401);
        let said = agent.run(&["exec", "--", "sh", "-c", "echo it ran"]).failed(1);
        assert!(said.contains("gatepass proxy"), "{said}");
        agent.run(&["token", "--dpop-proof", "GET", "ftp://x"]).failed(2);
        agent.run(&["agent", "stop"]).done();
        agent.program.end().done();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_proxy_in_a_container_has_the_agent_as_its_source() {
    let (_place, server, terminal) = signed_in().await;
    let agent = Agent::start(&terminal, &["--account", USER]);
    let proxy = Proxy::start(&mut agent.container(&["proxy", &server.url]));
    proxy.program.err.wait_for("tokens of the agent at");
    let call = || async {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        let request = Server::http().post(proxy.path("/api/v1/user/rpc")).header("dpop", "a proof of my own");
        let response = request.json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    for _ in 0..3 {
        let (status, answer) = call().await;
        assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    }
    terminal.run(&["logout"]).done();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let (status, problem) = loop {
        let (status, answer) = call().await;
        if answer["command"].is_string() || std::time::Instant::now() > until {
            break (status, answer);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((status, &problem["command"]), (401, &json!(format!("gatepass login --server {}", server.url))));
    terminal.sign_in(&server).await;
    while call().await.0 != 200 {
        assert!(std::time::Instant::now() < until, "it does not go on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
