//! Is this the person, and did they prove themselves well and recently enough for this request? (OpenID Connect Core
//! §3.1.2.1, RFC 9470 §5)
//!
//! `acr_values` is taken as a requirement, as RFC 9470 §5 recommends: an answer that the resource would refuse again
//! sends client and person around in a circle.

use crate::LiveSession;
use gatepass_oauth::{AuthorizationRequest, Error, ErrorCode, Prompt, UtcMillis, sign_in_method::known_classes};
use std::time::Duration;

/// What is known of the request's way so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// When the request began, if it was pushed: a sign-in since then was made for it.
    pub(crate) began_at: Option<UtcMillis>,
    /// Whether the person was sent to sign in on its behalf before.
    pub(crate) was_sent: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Judged<'a> {
    /// Go on with this session.
    Enough(&'a LiveSession),
    /// Let the person sign in.
    SignIn,
}

/// The decision.
pub(crate) fn judge<'a>(
    session: Option<&'a LiveSession>,
    request: &AuthorizationRequest,
    expected: Option<&str>,
    way: Way,
    now: UtcMillis,
) -> Result<Judged<'a>, Error> {
    let unmet = || {
        Error::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "the person cannot prove themselves in a way that acr_values names",
        )
    };
    let wanted = &request.acr_values;
    if !wanted.is_empty() && !known_classes().iter().any(|class| wanted.iter().any(|wanted| wanted == class)) {
        return Err(unmet());
    }
    let login = || match request.prompt.has(Prompt::None) {
        true => Err(Error::new(ErrorCode::LoginRequired, "nobody is signed in, or not recently or well enough")),
        false => Ok(Judged::SignIn),
    };
    let Some(session) = session else { return login() };
    let is_renewed = way.began_at.is_some_and(|began_at| session.authenticated_at >= began_at);
    if !is_renewed && (request.prompt.demands_sign_in() || is_too_old(session, request.max_age, now)) {
        return login();
    }
    let was_sent = is_renewed || way.was_sent;
    if expected.is_some_and(|expected| expected != session.user_id.to_string()) {
        return match was_sent {
            true => Err(Error::new(ErrorCode::LoginRequired, "another person is signed in than id_token_hint names")),
            false => login(),
        };
    }
    if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == session.method.acr()) {
        return if was_sent { Err(unmet()) } else { login() };
    }
    Ok(Judged::Enough(session))
}

/// `max_age=0` is never satisfied by an earlier sign-in.
fn is_too_old(session: &LiveSession, max_age: Option<u64>, now: UtcMillis) -> bool {
    max_age.is_some_and(|most| most == 0 || session.authenticated_at.plus(Duration::from_secs(most)) < now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_keys::{HashedToken, TokenId};
    use gatepass_oauth::{Params, SignInMethod};
    use gatepass_store::UserId;

    const NOW: UtcMillis = UtcMillis(1_000_000);

    fn session(age: i64) -> LiveSession {
        LiveSession {
            id: TokenId([1; 16]),
            hash: HashedToken([0; 32]),
            user_id: UserId([0xa1; 16]),
            email: String::new(),
            name: String::new(),
            email_verified_at: None,
            authenticated_at: UtcMillis(NOW.0 - age),
            method: SignInMethod::Password,
            seen_at: NOW,
            origin_id: TokenId([1; 16]),
        }
    }

    fn judged(query: &str, age: Option<i64>, expected: Option<&str>, way: Way) -> &'static str {
        let base =
            "response_type=code&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        let text = format!("{base}&{query}");
        let request = AuthorizationRequest::read(&Params::parse(text.as_bytes()).unwrap()).unwrap();
        let session = age.map(session);
        match judge(session.as_ref(), &request, expected, way, NOW) {
            Ok(Judged::Enough(_)) => "enough",
            Ok(Judged::SignIn) => "sign in",
            Err(error) => error.code.as_str(),
        }
    }

    #[test]
    fn every_demand_is_weighed() {
        let me = "a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1";
        let (new, sent) = (Way::default(), Way { began_at: None, was_sent: true });
        let pushed = |ago: i64| Way { began_at: Some(UtcMillis(NOW.0 - ago)), was_sent: false };
        let one = SignInMethod::Password.acr();
        let table = [
            ("", None, None, new, "sign in"),
            ("prompt=none", None, None, new, "login_required"),
            ("", Some(5_000), None, new, "enough"),
            ("prompt=login", Some(0), None, new, "sign in"),
            ("prompt=select_account", Some(0), None, new, "sign in"),
            ("max_age=0", Some(0), None, new, "sign in"),
            ("max_age=5", Some(5_000), None, new, "enough"),
            ("max_age=5", Some(5_001), None, new, "sign in"),
            ("max_age=5&prompt=none", Some(5_001), None, new, "login_required"),
            ("prompt=login", Some(1_000), None, pushed(2_000), "enough"),
            ("prompt=login", Some(2_000), None, pushed(1_000), "sign in"),
            ("max_age=0", Some(1_000), None, pushed(2_000), "enough"),
            ("", Some(0), Some(me), new, "enough"),
            ("", Some(0), Some("other"), new, "sign in"),
            ("prompt=none", Some(0), Some("other"), new, "login_required"),
            ("", Some(0), Some("other"), sent, "login_required"),
            ("acr_values=unknown", Some(0), None, new, "unmet_authentication_requirements"),
            ("acr_values=unknown", None, None, new, "unmet_authentication_requirements"),
        ];
        for (query, age, expected, way, outcome) in table {
            assert_eq!(judged(query, age, expected, way), outcome, "{query} {age:?} {expected:?}");
        }
        assert_eq!(judged(&format!("acr_values=unknown+{one}"), Some(0), None, new), "enough");
    }
}
