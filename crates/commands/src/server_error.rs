//! How a server of whatever vendor refuses us, as a sentence and a next step.

use crate::error::{Error, Kind};
use gatepass_client::{
    DiscoveryError,
    oauth::{ErrorCode, Issuer},
    providers,
    which_client::ClientError,
    who::WhoError,
};
use url::Url;

/// What to do when the notes on the vendor say nothing better.
const MAKE_A_CLIENT: &str = "make a public client for a native application there, with the redirect URI \
                             http://127.0.0.1/callback, and give its ID with --client-id";

/// What to do when it does not like where the answer goes.
const ANOTHER_URI: &str = "name the redirect URI that it allows, perhaps --redirect-uri http://127.0.0.1/callback";

impl From<DiscoveryError> for Error {
    fn from(error: DiscoveryError) -> Self {
        let failed = Self::new(Kind::Failed, &error);
        match error {
            DiscoveryError::Failed(failure) => failure.into(),
            DiscoveryError::WrongIssuer { asked, said } => {
                match providers::of(&asked).and_then(|p| p.issuer_hint.as_ref()) {
                    Some(hint) => failed.hint(hint),
                    None if is_neighbour(&asked, &said) => failed.hint_command(
                        "if that is the server you mean, name it as it does",
                        format!("gatepass login --issuer {said}"),
                    ),
                    None => failed.hint("check the server's address"),
                }
            }
            DiscoveryError::NoMetadata(_) => failed.hint(
                "check the server's address; for one that publishes no metadata name --token-endpoint and \
                 --authorization-endpoint or --device-authorization-endpoint",
            ),
            DiscoveryError::NoS256(_) => failed.hint("the server's operator must allow the PKCE method S256"),
            DiscoveryError::BadEndpoint { .. } => failed.hint("check the server's address"),
        }
    }
}

/// Whether the other issuer is on the same host and can be typed as it is.
fn is_neighbour(asked: &Issuer, said: &str) -> bool {
    let host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
    let plain = said.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/".contains(&b));
    plain && said.parse::<Issuer>().is_ok() && host(said) == host(asked.as_str())
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::None { hint, refused, .. } => {
                let is_of_the_uri = refused.is_some_and(|failure| failure.is(ErrorCode::InvalidRedirectUri));
                let usual = if is_of_the_uri { ANOTHER_URI } else { MAKE_A_CLIENT };
                Self::new(Kind::Usage, message).hint(hint.unwrap_or(usual))
            }
            ClientError::Refused { hint, .. } => Self::new(Kind::Refused, message).hint(hint.map_or_else(
                || format!("check the client's ID and secret, and what it may do; or {MAKE_A_CLIENT}"),
                |hint| format!("check the client's ID and secret, and what it may do; or {hint}"),
            )),
            ClientError::SecretNeeded { hint, .. } => Self::new(Kind::Usage, message).hint(hint),
            ClientError::NoKey(_) => Self::new(Kind::Usage, message).hint("use a key of a kind that the server takes"),
            ClientError::NoSecrets(_) => {
                Self::new(Kind::Usage, message).hint("if it takes one all the same, say how with --client-auth-method")
            }
        }
    }
}

impl From<WhoError> for Error {
    fn from(error: WhoError) -> Self {
        match error {
            WhoError::SignedOut | WhoError::NotAccepted(_) => Self::sign_in_needed(&error, None),
            WhoError::SomebodyElse(_) => Self::new(Kind::Failed, &error).hint("sign out, and sign in again"),
            WhoError::Call(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_stands_for_many_is_answered_with_how_to_name_one() {
        let asked: Issuer = "https://login.microsoftonline.com/common/v2.0".parse().unwrap();
        let said = "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned();
        let error = Error::from(DiscoveryError::WrongIssuer { asked, said });
        assert!(error.hint.unwrap().text.contains("TENANT-ID"));
    }

    #[test]
    fn no_command_is_made_of_what_a_stranger_says() {
        let asked: Issuer = "https://a.example/t".parse().unwrap();
        for said in
            ["https://b.example", "https://a.example/$(id)", "https://a.example/x y", "--help", "https://a.example/;ls"]
        {
            assert!(!is_neighbour(&asked, said), "{said}");
        }
        assert!(is_neighbour(&asked, "https://a.example/t/v2.0"));
    }
}
