//! The server's JSON-RPC 2.0, as the command line speaks it.

use crate::error::{Error, Kind};
use gatepass_client::{AccountId, Bearer, Call, Reply, SignIns, WebUrl, oauth::Issuer, text::tidy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Whose credential a call carries.
pub(crate) enum As<'a> {
    /// An account's token, refreshed before its end and once on 401.
    Account(&'a AccountId),
    /// A token of the environment or an agent, used as it is.
    Token(&'a Bearer),
}

#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

/// Calls a method of the user RPC.
pub(crate) async fn user<T: DeserializeOwned>(
    sign_ins: &SignIns,
    issuer: &Issuer,
    who: As<'_>,
    method: &str,
) -> Result<T, Error> {
    let url: WebUrl = issuer
        .endpoint("/api/v1/user/rpc")
        .parse()
        .map_err(|error| Error::new(Kind::Usage, format!("the server {issuer}: {error}")))?;
    let call = Call::json(url, &json!({"jsonrpc": "2.0", "id": 1, "method": method}));
    let reply = match who {
        As::Account(account) => sign_ins.call(account, call).await?,
        As::Token(bearer) => sign_ins.present(bearer, &call).await?,
    };
    read(&reply, issuer)
}

fn read<T: DeserializeOwned>(reply: &Reply, issuer: &Issuer) -> Result<T, Error> {
    let answer = serde_json::from_slice::<Answer<T>>(&reply.body).ok();
    match (reply.status, answer) {
        (401, _) => Err(Error::sign_in_needed(format!("{issuer} does not accept the token"), Some(issuer.as_str()))),
        (404, _) => Err(Error::new(Kind::Failed, format!("{issuer} has no gatepass API"))
            .hint("check that it is a gatepass server")),
        (_, Some(Answer { result: Some(result), .. })) => Ok(result),
        (_, Some(Answer { error: Some(error), .. })) => Err(refused(&error)),
        (403, _) => Err(Error::new(Kind::Refused, format!("{issuer} refuses this"))),
        _ => match reply.read::<Value>() {
            Err(failure) => Err(failure.into()),
            Ok(_) => Err(reply.nonsense("no JSON-RPC answer").into()),
        },
    }
}

fn refused(error: &RpcError) -> Error {
    let message = tidy(&error.message, 300);
    let detail = error.data.as_str().map(|text| format!(": {}", tidy(text, 300))).unwrap_or_default();
    Error::new(Kind::Refused, format!("the server refused: {message}{detail}"))
}
