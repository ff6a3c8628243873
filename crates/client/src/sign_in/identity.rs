//! Whose tokens they are: by the ID token, else by the userinfo endpoint, else unknown.

use super::SignInRequest;
use crate::{
    Account, Call, Prover, Server, Transport,
    bearer::present,
    id_token::{self, InvalidIdToken},
    text::tidy,
    who::text,
};
use gatepass_oauth::{TokenResponse, TokenType};
use serde_json::{Map, Value};

#[derive(Default)]
struct UserInfo {
    sub: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

impl UserInfo {
    /// Reads the members by the names of OpenID Connect, or by the vendor's own.
    fn of(claims: &Map<String, Value>, server: &Server) -> Self {
        let own = server.provider.and_then(|provider| provider.identity.as_ref());
        let [sub, email, name] = own
            .map_or(["sub", "email", "name"], |own| [&own.subject, &own.email, &own.name])
            .map(|name| claims.get(name));
        Self { sub: text(sub), email: text(email), name: text(name) }
    }
}

/// Names the account. The userinfo endpoint is asked only for what the ID token leaves out, believed
/// only for the same subject (OpenID Connect Core §5.3.2), and missed without harm.
///
/// # Errors
/// [`InvalidIdToken`] when there is an ID token and it is not for us.
pub async fn identify(
    transport: &Transport,
    prover: Option<Prover<'_>>,
    server: &Server,
    request: &SignInRequest,
    tokens: &TokenResponse,
    nonce: Option<&str>,
) -> Result<Account, InvalidIdToken> {
    let claims = match &tokens.id_token {
        Some(token) => Some(id_token::read(token, &server.iss, &request.client_id, nonce)?),
        None => None,
    };
    let known = claims.map_or_else(UserInfo::default, |claims| UserInfo {
        sub: Some(claims.sub),
        email: claims.email,
        name: claims.name,
    });
    let own_way = server.provider.is_some_and(|provider| provider.identity.is_some());
    let granted = own_way || tokens.scope.as_ref().unwrap_or(&request.scope).contains("openid");
    let more = match &server.userinfo_endpoint {
        Some(endpoint) if granted && known.email.is_none() => {
            let prover = prover.filter(|_| tokens.token_type == TokenType::Dpop);
            let call = Call::get(endpoint.clone());
            match present(transport, prover, &tokens.access_token, &call)
                .await
                .and_then(|reply| reply.read::<Map<_, _>>())
                .map(|claims| UserInfo::of(&claims, server))
            {
                Ok(info) if known.sub.is_none() || info.sub == known.sub => info,
                _ => UserInfo::default(),
            }
        }
        _ => UserInfo::default(),
    };
    let clean = |text: Option<String>| text.map(|text| tidy(&text, 320)).filter(|text| !text.is_empty());
    Ok(Account {
        issuer: server.issuer.clone(),
        client_id: request.client_id.clone(),
        subject: known.sub.or(more.sub).filter(|sub| !sub.is_empty() && sub.len() <= 512),
        email: clean(known.email.or(more.email)),
        name: clean(known.name.or(more.name)),
        space: request.space.clone(),
    })
}
