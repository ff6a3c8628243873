//! The server over HTTP, on both engines: a file per endpoint, a test per promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

/// Makes of each test that takes an engine one per engine; for tests that start their own server.
macro_rules! on_both {
    ($($name:ident),*) => { $( mod $name {
        use gatepass_testkit::{Engine, tokio};

        #[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
        async fn sqlite() {
            super::$name(Engine::Sqlite).await;
        }

        #[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
        async fn postgres() {
            super::$name(Engine::Postgres).await;
        }
    } )* };
}

mod alarms;
mod assertions;
mod audit;
mod authorize;
mod bad_input;
mod client_authentication;
mod client_documents;
mod client_keys;
mod device;
mod dpop;
mod end;
mod error_lists;
mod exchange;
mod health;
mod http2;
mod identity_assertion;
mod introspect;
mod jwt_access_token;
mod keys;
mod limits;
mod login;
mod logout;
mod metadata;
mod metrics;
mod mutual_tls;
mod pages;
mod par;
mod proxy;
mod refresh;
mod registration;
mod revoke;
mod rpc;
mod seats;
mod secrets;
mod service;
mod set_up;
mod signing_key;
mod site;
mod step_up;
mod sweep;
mod ticket;
mod token_code;
mod userinfo;
mod verifiers;
mod webhook;

/// What the tests of grants share.
mod grants {
    use gatepass_oauth::TokenFormat;
    use gatepass_testkit::{
        RegisteredClient, TestServer,
        authority::add_resource::{NewResource, Offered},
        keys::{Algorithm, Entropy, SealingKey, SigningKey},
    };

    /// The API that test clients are registered for.
    pub(crate) const API: &str = "https://api.example";

    pub(crate) fn key() -> SigningKey {
        let entropy = Entropy::system();
        SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap().0
    }

    pub(crate) fn resource(uri: &str, token_format: TokenFormat) -> NewResource {
        NewResource {
            uri: uri.parse().unwrap(),
            name: "An API".into(),
            token_format,
            signing_alg: Algorithm::Es256,
            scope: "api:read api:write".parse().unwrap(),
            offered: Offered::ToNamed,
            jwks: None,
            downstream: Vec::new(),
        }
    }

    /// Registers a resource; the credential of its server.
    pub(crate) async fn register(server: &TestServer, new: NewResource) -> RegisteredClient {
        let (_, registered) = server.authority().add_resource(new).await.unwrap();
        let secret = registered.secret.map(|secret| secret.expose().to_owned()).unwrap_or_default();
        RegisteredClient { id: registered.client.id.to_string(), secret }
    }
}
