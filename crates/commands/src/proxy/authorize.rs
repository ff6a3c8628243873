//! How a token gets into a request: the only place.

use super::problem::Problem;
use crate::error::Error;
use gatepass_client::{Bearer, Secret, SignIns, bearer::Authorization, dpop::lesson::Lesson};
use hyper::{
    Method, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

/// What opens the upstream.
#[derive(Debug)]
pub(crate) struct Credential {
    opens: Opens,
    /// The header, where it is the same for every request; `None` when it is not, or when no header may hold the token.
    same: Option<HeaderValue>,
}

#[derive(Debug)]
enum Opens {
    /// The token of a sign-in, and what makes the proofs of its key.
    SignIn(Bearer, Box<SignIns>),
    /// A token of the environment, used as it is.
    Raw(Secret),
}

/// How a request was authorized; what its answer teaches is told here.
pub(super) struct Used(Option<(Authorization, Url)>);

impl Credential {
    /// The token of a sign-in.
    pub(super) fn of_sign_in(bearer: Bearer, sign_ins: SignIns) -> Self {
        let same = match bearer.key() {
            Some(_) => None,
            None => secret(&format!("{} {}", bearer.scheme(), bearer.token().expose())).ok(),
        };
        Self { opens: Opens::SignIn(bearer, Box::new(sign_ins)), same }
    }

    /// A token that is used as it is.
    pub(crate) fn raw(token: Secret) -> Self {
        Self { same: secret(&format!("Bearer {}", token.expose())).ok(), opens: Opens::Raw(token) }
    }

    /// The token of a sign-in, if it is one.
    pub(super) fn bearer(&self) -> Option<&Bearer> {
        match &self.opens {
            Opens::SignIn(bearer, _) => Some(bearer),
            Opens::Raw(_) => None,
        }
    }

    /// Authorizes one request (RFC 6750 §2.1, RFC 9449 §7.1). It is asked for each sending anew, with the method and the
    /// address as the upstream sees them, since a proof of a key is good for one request.
    pub(super) async fn authorize(&self, headers: &mut HeaderMap, method: &Method, uri: &Uri) -> Result<Used, Problem> {
        let (bearer, sign_ins) = match &self.opens {
            Opens::SignIn(bearer, sign_ins) if bearer.key().is_some() => (bearer, sign_ins),
            Opens::SignIn(..) | Opens::Raw(_) => {
                headers.insert(AUTHORIZATION, self.same.clone().ok_or_else(unfit)?);
                return Ok(Used(None));
            }
        };
        let url: Url = uri.to_string().parse().map_err(|_| unfit())?;
        let made = sign_ins.authorize(bearer, method.as_str(), &url).await;
        let made = made.map_err(|error| Problem::no_token(&Error::from(error)))?;
        for (name, text) in &made.headers {
            headers.insert(HeaderName::from_static(name), secret(text.expose())?);
        }
        Ok(Used(Some((made, url))))
    }

    /// Learns from an answer, and says why the same request may be answered otherwise (RFC 9449 §8.2, §9, §11.1).
    pub(super) fn learn(&self, used: &Used, answer: &Response<Incoming>) -> Option<Lesson> {
        let (Opens::SignIn(_, sign_ins), Used(Some((made, url)))) = (&self.opens, used) else { return None };
        sign_ins.learn(made, url, answer.status().as_u16(), answer.headers())
    }

    pub(super) fn token(&self) -> &Secret {
        match &self.opens {
            Opens::SignIn(bearer, _) => bearer.token(),
            Opens::Raw(token) => token,
        }
    }
}

fn unfit() -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "the token holds characters that no header may hold")
}

fn secret(text: &str) -> Result<HeaderValue, Problem> {
    let mut value = HeaderValue::try_from(text).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok(value)
}
