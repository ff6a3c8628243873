//! Each flow of a profile once, with what came back: for writing a profile.

use serde_json::Value;

use crate::{
    Result,
    answer::{describe, success_with, text},
    flows,
    http::{Connection, request},
    profile::{Server, needed},
};

pub async fn run(path: &str) -> Result<()> {
    let server = Server::load(path).await?;
    let mut connection = Connection::new(&needed(&server.token, "token_endpoint")?.address);
    connection.send(&flows::client_credentials(&server)?).await?;
    show("client credentials", &success_with(&connection, "access_token"));
    for scope in [&server.profile.code_scope, &server.profile.oidc_scope].into_iter().flatten() {
        let tokens = flows::sign_in(&server, &mut connection, scope).await.map(|signed_in| signed_in.tokens);
        show(&format!("code [{scope}]"), &tokens);
        let Ok(tokens) = tokens else { continue };
        if let Some(token) = text(&tokens, "refresh_token") {
            connection.send(&flows::refresh(&server, &token)?).await?;
            show("refresh", &success_with(&connection, "access_token"));
        }
        if let Some(token) = text(&tokens, "access_token") {
            use_token(&server, &mut connection, &token).await?;
        }
    }
    if server.device.is_some() {
        connection.send(&flows::start_device(&server)?).await?;
        let started = success_with(&connection, "device_code");
        show("device", &started);
        let code = started.ok().and_then(|answer| text(&answer, "device_code")).unwrap_or_default();
        for _ in 0..2 {
            connection.send(&flows::poll_device(&server, &code)?).await?;
            println!("device poll: {}", describe(&connection));
        }
    }
    Ok(())
}

/// The access token wherever the profile accepts one, and nonsense in its place.
async fn use_token(server: &Server, connection: &mut Connection, token: &str) -> Result<()> {
    for token in [token, "nonsense"] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        if let Some(url) = &server.bearer {
            connection.send(&request("GET", url, &headers, None)).await?;
            println!("bearer: {}", describe(connection));
        }
        if let Some(url) = &server.rpc {
            let body = Some(("application/json", crate::workload::WHOAMI));
            connection.send(&request("POST", url, &headers, body)).await?;
            println!("rpc: {}", describe(connection));
        }
        if let Some(url) = &server.introspect {
            connection.send(&server.form(url, format!("token={token}&token_type_hint=access_token"))).await?;
            println!("introspect: {}", describe(connection));
        }
    }
    Ok(())
}

fn show(what: &str, answer: &Result<Value>) {
    match answer {
        Ok(value) => println!("{what}: {value}"),
        Err(error) => println!("{what}: FAILED {error}"),
    }
}
