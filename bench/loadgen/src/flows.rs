//! The flows that workloads consist of or start from.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    Result,
    answer::{describe, status, success_with, text},
    http::{Connection, request},
    profile::{Server, needed},
    url::{Url, encode, query_parameter},
};

/// What a whole sign-in gave.
pub struct SignIn {
    pub tokens: Value,
    /// How long the authorization request alone took.
    pub authorize: Duration,
}

fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The authorization code flow with PKCE, consent already given: authorize → code → tokens.
pub async fn sign_in(server: &Server, connection: &mut Connection, scope: &str) -> Result<SignIn> {
    let profile = &server.profile;
    let (authorize, token) =
        (needed(&server.authorize, "authorization_endpoint")?, needed(&server.token, "token_endpoint")?);
    let verifier = random();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let state = &verifier[..12];
    let (separator, redirect_uri) =
        (if authorize.path.contains('?') { '&' } else { '?' }, encode(&profile.redirect_uri));
    let extra = profile.authorize_extra.as_ref().map(|extra| format!("&{extra}")).unwrap_or_default();
    let path = format!(
        "{}{separator}response_type=code&client_id={}&redirect_uri={redirect_uri}&scope={}&state={state}\
         &code_challenge={challenge}&code_challenge_method=S256{extra}",
        authorize.path,
        encode(&profile.client_id),
        encode(scope),
    );
    let start = Instant::now();
    let url = Url { path, ..authorize.clone() };
    connection.send(&request("GET", &url, &[("cookie", &profile.cookie)], None)).await?;
    let took = start.elapsed();
    let code = code_of(connection, &profile.redirect_uri, state)?;
    let form = format!(
        "grant_type=authorization_code&code={}&redirect_uri={redirect_uri}&code_verifier={verifier}",
        encode(&code)
    );
    connection.send(&server.token_form(token, form)).await?;
    let tokens = success_with(connection, "access_token").map_err(|error| format!("token: {error}"))?;
    Ok(SignIn { tokens, authorize: took })
}

/// The code, if the answer redirects to where it must, with the same state.
fn code_of(connection: &Connection, redirect_uri: &str, state: &str) -> Result<String> {
    let location = match (&connection.response.location, connection.response.status) {
        (Some(location), 302 | 303 | 307) => location,
        _ => return Err(format!("authorize: {}", describe(connection))),
    };
    if !location.starts_with(redirect_uri) {
        return Err(format!("authorize went to {location}"));
    }
    if query_parameter(location, "state").as_deref() != Some(state) {
        return Err(format!("another state in {location}"));
    }
    query_parameter(location, "code").ok_or_else(|| format!("no code in {location}"))
}

/// The form of a client credentials request.
pub fn client_credentials(server: &Server) -> Result<Vec<u8>> {
    let scope = server.profile.cc_scope.as_ref().map(|scope| format!("&scope={}", encode(scope)));
    let form = format!("grant_type=client_credentials{}", scope.unwrap_or_default());
    Ok(server.token_form(needed(&server.token, "token_endpoint")?, form))
}

/// The same, for a resource that the profile names.
pub fn client_credentials_with(server: &Server, extra: &str) -> Result<Vec<u8>> {
    let scope = server.profile.cc_scope.as_ref().map(|scope| format!("&scope={}", encode(scope)));
    let form = format!("grant_type=client_credentials{}&{extra}", scope.unwrap_or_default());
    Ok(server.token_form(needed(&server.token, "token_endpoint")?, form))
}

/// Access tokens of the client's own, for introspection.
pub async fn own_tokens(server: &Server, extra: &str, count: usize) -> Result<Vec<String>> {
    let mut connection = Connection::new(&needed(&server.token, "token_endpoint")?.address);
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        connection.send(&client_credentials_with(server, extra)?).await?;
        let answer = success_with(&connection, "access_token")?;
        tokens.push(text(&answer, "access_token").ok_or("no access_token")?);
    }
    Ok(tokens)
}

/// The form of a refresh.
pub fn refresh(server: &Server, token: &str) -> Result<Vec<u8>> {
    let form = format!("grant_type=refresh_token&refresh_token={}", encode(token));
    Ok(server.token_form(needed(&server.token, "token_endpoint")?, form))
}

/// The form that starts a device sign-in.
pub fn start_device(server: &Server) -> Result<Vec<u8>> {
    let scope = server.profile.device_scope.as_deref().unwrap_or_default();
    Ok(server.device_form(needed(&server.device, "device_authorization_endpoint")?, &[("scope", scope)]))
}

/// The form of a device's poll.
pub fn poll_device(server: &Server, device_code: &str) -> Result<Vec<u8>> {
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let url = needed(&server.device_token, "token_endpoint")?;
    Ok(server.device_form(url, &[grant, ("device_code", device_code)]))
}

/// One member of the tokens of `count` sign-ins.
pub async fn tokens(server: &Server, member: &str, count: usize) -> Result<Vec<String>> {
    let mut connection = Connection::new(&needed(&server.token, "token_endpoint")?.address);
    let scope = server.profile.code_scope.as_deref().unwrap_or_default();
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        let signed_in = sign_in(server, &mut connection, scope).await?;
        tokens.push(text(&signed_in.tokens, member).ok_or_else(|| format!("the sign-in gave no {member}"))?);
    }
    Ok(tokens)
}

/// `count` device codes that nobody will approve.
pub async fn device_codes(server: &Server, count: usize) -> Result<Vec<String>> {
    let mut connection = Connection::new(&needed(&server.device, "device_authorization_endpoint")?.address);
    let form = start_device(server)?;
    let mut codes = Vec::with_capacity(count);
    for _ in 0..count {
        connection.send(&form).await?;
        codes.extend(text(&success_with(&connection, "device_code")?, "device_code"));
    }
    Ok(codes)
}

/// How many approve at once: fewer than a person may have guesses under way.
const APPROVERS: usize = 8;

/// `count` device codes that the person of the cookie has approved.
pub async fn approved_devices(server: &Server, count: usize) -> Result<Vec<String>> {
    let form = start_device(server)?;
    let host = &needed(&server.device, "device_authorization_endpoint")?.address;
    let mut approvers: Vec<_> = (0..APPROVERS).map(|_| Connection::new(host)).collect();
    let work = approvers.iter_mut().enumerate().map(|(nth, connection)| {
        let form = &form;
        async move {
            let mut codes = Vec::with_capacity(count / APPROVERS + 1);
            for _ in (nth..count).step_by(APPROVERS) {
                connection.send(form).await?;
                let started = success_with(connection, "device_code")?;
                let page = text(&started, "verification_uri_complete").ok_or("no verification_uri_complete")?;
                approve(server, connection, &Url::parse(&page)?).await?;
                codes.extend(text(&started, "device_code"));
            }
            Ok::<_, String>(codes)
        }
    });
    Ok(try_join_all(work).await?.concat())
}

/// Sends the form of a device's page as a person would who allows it.
async fn approve(server: &Server, connection: &mut Connection, page: &Url) -> Result<()> {
    let cookie = ("cookie", server.profile.cookie.as_str());
    connection.send(&request("GET", page, &[cookie], None)).await?;
    status(connection, 200)?;
    let form = hidden_fields(&String::from_utf8_lossy(&connection.response.body))
        .map(|(name, value)| format!("{}={}&", encode(name), encode(value)))
        .chain(["answer=approve".to_owned()])
        .collect::<String>();
    let origin = format!("http://{}", page.host);
    let body = Some(("application/x-www-form-urlencoded", form.as_bytes()));
    connection.send(&request("POST", page, &[cookie, ("origin", &origin)], body)).await?;
    status(connection, 200)
}

/// Names and values of hidden fields, which need no unescaping here.
fn hidden_fields(page: &str) -> impl Iterator<Item = (&str, &str)> {
    fn attribute<'a>(field: &'a str, name: &str) -> Option<&'a str> {
        field.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value)
    }
    page.split("<input ").skip(1).filter_map(|rest| {
        let field = rest.split('>').next()?;
        let is_hidden = attribute(field, "type") == Some("hidden");
        is_hidden.then_some((attribute(field, "name")?, attribute(field, "value")?))
    })
}
