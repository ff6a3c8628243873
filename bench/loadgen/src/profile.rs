//! The server under test: a profile file, completed by the server's own metadata.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Result,
    http::{Connection, request},
    url::{Url, encode},
};

/// How the client proves itself at the token endpoint.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TokenAuth {
    #[default]
    Basic,
    Post,
    None,
}

/// How device requests are written.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DeviceBody {
    /// As RFC 8628 asks.
    #[default]
    Form,
    Json,
}

/// The profile file. Endpoints named here win over those of the metadata.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Profile {
    pub name: String,
    pub metadata_url: Option<String>,
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret: String,
    pub token_auth: TokenAuth,
    pub redirect_uri: String,
    /// The `Cookie` header of a signed-in web session.
    pub cookie: String,
    pub cc_scope: Option<String>,
    pub code_scope: Option<String>,
    pub oidc_scope: Option<String>,
    pub device_scope: Option<String>,
    pub device_body: DeviceBody,
    /// Appended to the authorization URL.
    pub authorize_extra: Option<String>,
    /// Appended to every token request.
    pub token_extra: Option<String>,
    /// Appended to requests for access tokens that are JWTs.
    pub jwt_extra: Option<String>,
    /// Appended to requests for the tokens that are introspected; without it they come from sign-ins.
    pub introspect_extra: Option<String>,
    /// Who introspects, unless the client itself.
    pub introspect_id: String,
    pub introspect_secret: String,
    pub bearer_url: Option<String>,
    pub rpc_url: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    device_token_endpoint: Option<String>,
}

/// The server and all its endpoints.
pub struct Server {
    pub profile: Profile,
    pub authorize: Option<Url>,
    pub token: Option<Url>,
    pub introspect: Option<Url>,
    pub device: Option<Url>,
    pub device_token: Option<Url>,
    pub bearer: Option<Url>,
    pub rpc: Option<Url>,
    basic: Option<String>,
}

/// An endpoint that a workload cannot do without.
pub fn needed<'a>(endpoint: &'a Option<Url>, name: &str) -> Result<&'a Url> {
    endpoint.as_ref().ok_or_else(|| format!("neither the metadata nor the profile names a {name}"))
}

impl Server {
    pub async fn load(path: &str) -> Result<Server> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let profile: Profile = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        let metadata = metadata(&profile).await?;
        let endpoint = |own: &Option<String>, member: &str| {
            let url = own.as_deref().or_else(|| metadata[member].as_str());
            url.map(Url::parse).transpose()
        };
        let token = endpoint(&profile.token_endpoint, "token_endpoint")?;
        let own_device_token = profile.device_token_endpoint.as_deref().map(Url::parse).transpose()?;
        let basic = (profile.token_auth == TokenAuth::Basic).then(|| {
            // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
            let pair = format!("{}:{}", encode(&profile.client_id), encode(&profile.client_secret));
            format!("Basic {}", STANDARD.encode(pair))
        });
        Ok(Server {
            authorize: endpoint(&profile.authorization_endpoint, "authorization_endpoint")?,
            introspect: endpoint(&profile.introspection_endpoint, "introspection_endpoint")?,
            device: endpoint(&profile.device_authorization_endpoint, "device_authorization_endpoint")?,
            device_token: own_device_token.or_else(|| token.clone()),
            bearer: profile.bearer_url.as_deref().map(Url::parse).transpose()?,
            rpc: profile.rpc_url.as_deref().map(Url::parse).transpose()?,
            token,
            basic,
            profile,
        })
    }

    /// A form with the client's authentication.
    pub fn form(&self, url: &Url, mut body: String) -> Vec<u8> {
        let (id, secret) = (encode(&self.profile.client_id), encode(&self.profile.client_secret));
        match self.profile.token_auth {
            TokenAuth::Basic => {}
            TokenAuth::Post => body.push_str(&format!("&client_id={id}&client_secret={secret}")),
            TokenAuth::None => body.push_str(&format!("&client_id={id}")),
        }
        let headers: Vec<_> = self.basic.iter().map(|basic| ("authorization", basic.as_str())).collect();
        request("POST", url, &headers, Some(("application/x-www-form-urlencoded", body.as_bytes())))
    }

    /// A form from whoever introspects.
    pub fn introspection_form(&self, url: &Url, body: String) -> Vec<u8> {
        let (id, secret) = (&self.profile.introspect_id, &self.profile.introspect_secret);
        if id.is_empty() {
            return self.form(url, body);
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))));
        let headers = [("authorization", basic.as_str())];
        request("POST", url, &headers, Some(("application/x-www-form-urlencoded", body.as_bytes())))
    }

    /// A token request.
    pub fn token_form(&self, url: &Url, mut body: String) -> Vec<u8> {
        if let Some(extra) = &self.profile.token_extra {
            body = format!("{body}&{extra}");
        }
        self.form(url, body)
    }

    /// A device request (RFC 8628).
    pub fn device_form(&self, url: &Url, pairs: &[(&str, &str)]) -> Vec<u8> {
        if self.profile.device_body == DeviceBody::Json {
            let mut body = json!({ "client_id": self.profile.client_id });
            for (name, value) in pairs {
                body[*name] = json!(value);
            }
            return request("POST", url, &[], Some(("application/json", body.to_string().as_bytes())));
        }
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        self.form(url, pairs.join("&"))
    }
}

/// The metadata document: RFC 8414's, else OpenID Connect's; nothing when the profile names all endpoints itself.
async fn metadata(profile: &Profile) -> Result<Value> {
    let urls = match (&profile.metadata_url, &profile.issuer) {
        (Some(url), _) => vec![url.clone()],
        (None, Some(issuer)) => {
            let issuer = issuer.trim_end_matches('/');
            let host_end = issuer.get(7..).and_then(|rest| rest.find('/')).map_or(issuer.len(), |slash| slash + 7);
            let (host, path) = issuer.split_at(host_end);
            vec![
                format!("{host}/.well-known/oauth-authorization-server{path}"),
                format!("{issuer}/.well-known/openid-configuration"),
            ]
        }
        (None, None) => return Ok(Value::Null),
    };
    let mut failure = String::new();
    for url in &urls {
        match get_json(url).await {
            Ok(value) => return Ok(value),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn get_json(url: &str) -> Result<Value> {
    let target = Url::parse(url)?;
    let mut connection = Connection::new(&target.address);
    connection.send(&request("GET", &target, &[], None)).await.map_err(|error| format!("{url}: {error}"))?;
    crate::answer::status(&connection, 200).map_err(|error| format!("{url}: {error}"))?;
    serde_json::from_slice(&connection.response.body).map_err(|error| format!("{url}: {error}"))
}
