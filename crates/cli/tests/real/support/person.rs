//! A person with a browser.

use super::Server;
use gatepass_testkit::{Browser, Page, Pkce, REDIRECT_URI, RegisteredClient, USER};
use std::ops::Deref;

/// A browser without scripts, in somebody's hands.
pub(crate) struct Person(Browser);

impl Deref for Person {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.0
    }
}

impl Person {
    pub(crate) fn at(server: &Server) -> Self {
        Self(Browser::at_url(&server.url))
    }

    /// The test's person, signed in.
    pub(crate) async fn signed_in(server: &Server) -> Self {
        let person = Self::at(server);
        let page = person.sign_in(USER).await;
        assert_eq!(page.heading(), "You are signed in", "{}", page.html);
        person
    }

    /// Opens a client's address, and is led away from the server.
    pub(crate) async fn led_away_from(&self, url: &str) -> String {
        let page = self.open(url).await;
        page.left_for.clone().unwrap_or_else(|| panic!("still at {}:\n{}", page.path, page.html))
    }

    /// Answers a device's page with yes.
    pub(crate) async fn approve(&self, url: &str) -> Page {
        let page = self.open(url).await;
        let done = self.submit(&page.form(), &[("answer", "approve")]).await;
        assert_eq!(done.heading(), "The device is signed in", "{}", done.html);
        done
    }

    /// Allows a client; the code that its redirect URI gets.
    pub(crate) async fn allow(&self, client: &RegisteredClient, pkce: &Pkce, scope: &str) -> String {
        let redirect = if client.secret.is_empty() { "http://127.0.0.1:9/callback" } else { REDIRECT_URI };
        let mut query = url::form_urlencoded::Serializer::new(String::from("/authorize?"));
        query.append_pair("response_type", "code").append_pair("client_id", &client.id);
        query.append_pair("redirect_uri", redirect).append_pair("state", "xyz").append_pair("scope", scope);
        query.append_pair("code_challenge", &pkce.challenge).append_pair("code_challenge_method", "S256");
        let mut page = self.open(&query.finish()).await;
        if page.left_for.is_none() {
            page = self.submit(&page.form(), &[("answer", "allow")]).await;
        }
        page.answer("code").unwrap_or_else(|| panic!("no code: {:?}", page.left_for))
    }
}

impl Server {
    /// The token request with a code that [`Person::allow`] gave.
    pub(crate) async fn redeem(&self, client: &RegisteredClient, code: &str, pkce: &Pkce) -> gatepass_testkit::Answer {
        let redirect = if client.secret.is_empty() { "http://127.0.0.1:9/callback" } else { REDIRECT_URI };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", &pkce.verifier),
        ];
        self.post("/token", client, &form).await
    }
}
