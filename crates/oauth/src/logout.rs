//! Signing out: the request that a client sends the browser with (OpenID Connect RP-Initiated Logout 1.0 §2), and the
//! token by which other clients learn of it (OpenID Connect Back-Channel Logout 1.0 §2.4).

use crate::{ClientId, Error, Params, RedirectUri, Secret, authorization::opaque, authorization::with_query};
use serde::{Deserialize, Serialize};

/// The event of a logout token.
pub const BACKCHANNEL_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The `typ` of a logout token.
pub const LOGOUT_TOKEN_TYPE: &str = "logout+jwt";

/// What a client says. `logout_hint` and `ui_locales` are taken and change nothing.
#[derive(Clone, Debug, Default)]
pub struct LogoutRequest {
    /// An ID token of the session that shall end.
    pub id_token_hint: Option<Secret>,
    /// The client.
    pub client_id: Option<ClientId>,
    /// Where to go on.
    pub post_logout_redirect_uri: Option<RedirectUri>,
    /// The client's own value, returned untouched.
    pub state: Option<String>,
}

/// The parameters of which one makes a request a client's, and not our own page's.
const NAMES: &[&str] = &["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint"];

impl LogoutRequest {
    /// Whether a client speaks, and not our own page.
    #[must_use]
    pub fn is_meant(params: &Params<'_>) -> bool {
        NAMES.iter().any(|name| params.get(name).is_some())
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `invalid_request` for a malformed parameter; it must be shown as a page.
    pub fn read(params: &Params<'_>) -> Result<Self, Error> {
        let malformed = |error: &dyn std::fmt::Display| Error::invalid_request(error.to_string());
        Ok(Self {
            id_token_hint: params.get("id_token_hint").map(Secret::from),
            client_id: params
                .get("client_id")
                .map(str::parse)
                .transpose()
                .map_err(|error: <ClientId as std::str::FromStr>::Err| malformed(&error))?,
            post_logout_redirect_uri: params.get("post_logout_redirect_uri").map(str::parse).transpose().map_err(
                |_: crate::redirect_uri::InvalidRedirectUri| {
                    Error::invalid_request("the post_logout_redirect_uri is not one that can be registered")
                },
            )?,
            state: opaque(params, "state")?,
        })
    }
}

/// Where the browser goes on after the person has signed out.
#[must_use]
pub fn location(uri: &RedirectUri, state: Option<&str>) -> String {
    match state {
        Some(state) => with_query(uri, &[("state", state.into())]),
        None => uri.as_str().to_owned(),
    }
}

/// The claims of a logout token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogoutToken {
    /// Who says it.
    pub iss: String,
    /// Who signed out.
    pub sub: String,
    /// To whom it is said.
    pub aud: String,
    /// When.
    pub iat: i64,
    /// Until when it may be believed.
    pub exp: i64,
    /// Its name, so that it is heard once.
    pub jti: String,
    /// What has happened.
    pub events: serde_json::Value,
    /// In which session; without it, in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_its_state_is_joined_to_the_uri() {
        let params =
            Params::parse(b"post_logout_redirect_uri=https%3A%2F%2Fa.example%2Fout%3Fx%3D1&state=s+1").unwrap();
        let request = LogoutRequest::read(&params).unwrap();
        let uri = request.post_logout_redirect_uri.unwrap();
        assert_eq!(location(&uri, request.state.as_deref()), "https://a.example/out?x=1&state=s+1");
        assert_eq!(location(&uri, None), "https://a.example/out?x=1");
        assert!(LogoutRequest::is_meant(&params));
        assert!(!LogoutRequest::is_meant(&Params::parse(b"email=x").unwrap()));
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for bad in
            ["post_logout_redirect_uri=javascript:x", "post_logout_redirect_uri=%2Frelative", "client_id=a%C2%A0b"]
        {
            assert!(LogoutRequest::read(&Params::parse(bad.as_bytes()).unwrap()).is_err(), "{bad}");
        }
    }
}
