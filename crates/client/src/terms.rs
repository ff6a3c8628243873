//! What a sign-in keeps of a server besides its endpoints: what must be said again at each refresh, and where to ask who
//! somebody is.

use crate::{
    Server, SignInRequest, WebUrl,
    providers::{self, Provider},
};
use serde::{Deserialize, Serialize};

/// What was agreed on with the server. The default is that of a server of gatepass's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Which API the tokens are for, at a vendor who calls that `audience`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Whose notes count ([`Provider::id`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The issuer as it spells itself, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Who tells whose token it is.
    pub told_by: ToldBy,
}

/// Who tells whose token it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldBy {
    /// The API of a gatepass server.
    #[default]
    Gatepass,
    /// The userinfo endpoint (OpenID Connect Core §5.3), or what a vendor has instead.
    UserInfo(WebUrl),
    /// Nobody but the ID token of the sign-in.
    IdToken,
}

impl Terms {
    /// The terms on which a request is made of a server.
    #[must_use]
    pub fn of(server: &Server, request: &SignInRequest) -> Self {
        let told_by = match (&server.gatepass_client_id, &server.userinfo_endpoint) {
            (Some(_), _) => ToldBy::Gatepass,
            (None, Some(endpoint)) => ToldBy::UserInfo(endpoint.clone()),
            (None, None) => ToldBy::IdToken,
        };
        let provider = server.provider.map(|provider| provider.id.clone());
        let iss = server.iss.spelt().map(str::to_owned);
        Self { audience: request.audience.clone(), provider, iss, told_by }
    }

    /// What is known of the vendor.
    #[must_use]
    pub fn provider(&self) -> Option<&'static Provider> {
        self.provider.as_deref().and_then(providers::named)
    }
}
