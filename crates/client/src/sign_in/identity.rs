//! Whose tokens they are: by the ID token, else by the userinfo endpoint, else unknown.

use super::SignInRequest;
use crate::{
    Account, Call, Prover, Server, Transport,
    bearer::present,
    id_token::{self, InvalidIdToken},
    text::tidy,
};
use gatepass_oauth::{TokenResponse, TokenType};
use serde::Deserialize;

#[derive(Default, Deserialize)]
struct UserInfo {
    sub: Option<String>,
    email: Option<String>,
    name: Option<String>,
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
        Some(token) => Some(id_token::read(token, &server.issuer, &request.client_id, nonce)?),
        None => None,
    };
    let known = claims.map_or_else(UserInfo::default, |claims| UserInfo {
        sub: Some(claims.sub),
        email: claims.email,
        name: claims.name,
    });
    let granted = tokens.scope.as_ref().unwrap_or(&request.scope).contains("openid");
    let more = match &server.userinfo_endpoint {
        Some(endpoint) if granted && known.email.is_none() => {
            let prover = prover.filter(|_| tokens.token_type == TokenType::Dpop);
            let call = Call::get(endpoint.clone());
            match present(transport, prover, &tokens.access_token, &call)
                .await
                .and_then(|reply| reply.read::<UserInfo>())
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
