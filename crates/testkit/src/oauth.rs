//! A client's side of the protocol, by hand: each step can be left out or done wrong.

use crate::{Browser, TestServer};
use gatepass_authority::add_client::NewClient;
use gatepass_keys::Entropy;
use gatepass_oauth::{ClientAuthMethod, CodeVerifier, GrantType};
use reqwest::{Client, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// Where test clients let answers be sent.
pub const REDIRECT_URI: &str = "https://app.example/cb";

/// A verifier and its challenge.
pub struct Pkce {
    pub verifier: String,
    pub challenge: String,
}

impl Pkce {
    pub fn new() -> Self {
        let verifier = CodeVerifier::from_random(Entropy::system().bytes().unwrap());
        Self { verifier: verifier.expose().to_owned(), challenge: verifier.challenge().as_str().to_owned() }
    }
}

impl Default for Pkce {
    fn default() -> Self {
        Self::new()
    }
}

/// A client that was registered for a test.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    pub id: String,
    pub secret: String,
}

/// An answer in JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {status} {text}"))
        };
        Self { status, headers, json }
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name} in {} {}", self.status, self.json)).to_owned()
    }

    /// The error's code; panics on success.
    pub fn error(&self) -> String {
        self.text("error")
    }
}

impl TestServer {
    /// Registers a confidential client (`client_secret_basic`) for every grant type.
    pub async fn client(&self) -> RegisteredClient {
        self.client_with(|_| {}).await
    }

    pub async fn client_with(&self, change: impl FnOnce(&mut NewClient)) -> RegisteredClient {
        let mut new = NewClient {
            name: "Test app".into(),
            auth_method: ClientAuthMethod::ClientSecretBasic,
            jwks: None,
            redirect_uris: vec![REDIRECT_URI.parse().unwrap()],
            grant_types: GrantType::ALL.to_vec(),
            scope: "openid profile email offline_access account api:read".parse().unwrap(),
            resources: vec!["https://api.example".parse().unwrap()],
            metadata: gatepass_oauth::ClientMetadata::default(),
        };
        change(&mut new);
        let registered = self.authority().add_client(new).await.unwrap();
        RegisteredClient {
            id: registered.client.id.to_string(),
            secret: registered.secret.map(|secret| secret.expose().to_owned()).unwrap_or_default(),
        }
    }

    pub fn http(&self) -> Client {
        Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
    }

    /// Posts a form to one of the server's endpoints, with the client's secret in the header.
    pub async fn post(&self, path: &str, client: &RegisteredClient, form: &[(&str, &str)]) -> Answer {
        let request = self.http().post(self.path(path)).form(form);
        Answer::of(request.basic_auth(&client.id, Some(&client.secret))).await
    }

    /// Posts a form as gatepass's own command line.
    pub async fn post_public(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let named: Vec<(&str, &str)> = form.iter().copied().chain([("client_id", "gatepass-cli")]).collect();
        Answer::of(self.http().post(self.path(path)).form(&named)).await
    }

    pub async fn refresh(&self, client: &RegisteredClient, token: &str) -> Answer {
        self.post("/token", client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The authorization request of a client, as the path of a link.
    pub fn authorize_path(&self, client: &RegisteredClient, pkce: &Pkce, extra: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", REDIRECT_URI);
        query
            .append_pair("state", "xyz")
            .append_pair("code_challenge", &pkce.challenge)
            .append_pair("code_challenge_method", "S256");
        for (name, value) in extra {
            query.append_pair(name, value);
        }
        format!("/authorize?{}", query.finish())
    }

    /// Lets a signed-in person allow the client; the code.
    pub async fn code(
        &self,
        browser: &Browser,
        client: &RegisteredClient,
        pkce: &Pkce,
        extra: &[(&str, &str)],
    ) -> String {
        let mut page = browser.open(&self.authorize_path(client, pkce, extra)).await;
        if page.left_for.is_none() {
            page = browser.submit(&page.form(), &[("answer", "allow")]).await;
        }
        page.answer("code").unwrap_or_else(|| panic!("no code: {:?}", page.left_for))
    }

    /// The token request with a code.
    pub async fn redeem(&self, client: &RegisteredClient, code: &str, pkce: &Pkce) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", &pkce.verifier),
        ];
        self.post("/token", client, &form).await
    }

    /// A whole sign-in of the test's person; the token answer.
    pub async fn tokens(&self, client: &RegisteredClient, extra: &[(&str, &str)]) -> Answer {
        let browser = Browser::at(self);
        browser.sign_in(crate::USER).await;
        let pkce = Pkce::new();
        let code = self.code(&browser, client, &pkce, extra).await;
        self.redeem(client, &code, &pkce).await
    }

    /// Calls `whoami` with a bearer token.
    pub async fn whoami(&self, token: &str) -> Answer {
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        Answer::of(self.http().post(self.path("/api/v1/user/rpc")).bearer_auth(token).json(&body)).await
    }

    /// Asks the userinfo endpoint with this access token.
    pub async fn userinfo(&self, token: &str) -> Answer {
        Answer::of(self.http().get(self.path("/userinfo")).bearer_auth(token)).await
    }
}
