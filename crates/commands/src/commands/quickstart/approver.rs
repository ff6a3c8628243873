//! The approver of an unattended tour: goes through the web pages as a browser without scripts would.

use crate::error::{Error, Kind};
use gatepass_client::Secret;
use gatepass_oauth::Issuer;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HeaderValue, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use std::{sync::Mutex, time::Duration};
use url::form_urlencoded::Serializer;

pub(super) struct Approver {
    http: Client,
    origin: String,
    cookie: Mutex<Option<HeaderValue>>,
}

impl Approver {
    pub(super) fn new(issuer: &Issuer) -> Result<Self, Error> {
        let http = Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(20)).build();
        Ok(Self { http: http.map_err(failed)?, origin: issuer.origin(), cookie: Mutex::new(None) })
    }

    /// Opens the sign-in page and sends its form.
    pub(super) async fn sign_in(&self, email: &str, password: &Secret) -> Result<(), Error> {
        let url = format!("{}/login", self.origin);
        expect(&self.send(self.http.get(&url)).await?, StatusCode::OK, "the sign-in page")?;
        let signed_in =
            self.post(&url, &[("email", email), ("password", password.expose()), ("next", "/device")]).await?;
        expect(&signed_in, StatusCode::SEE_OTHER, "signing in")
    }

    /// Opens the device page and answers it.
    pub(super) async fn approve(&self, url: &str, number: Option<&str>) -> Result<(), Error> {
        let page = self.send(self.http.get(url)).await?;
        expect(&page, StatusCode::OK, "the device page")?;
        let page = page.text().await.map_err(failed)?;
        let fields = [("user", hidden(&page, "user")), ("answer", "approve"), ("number", number.unwrap_or_default())];
        let approved = self.post(url, &fields).await?;
        expect(&approved, StatusCode::OK, "approving the device")
    }

    async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Result<Response, Error> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(form.header(ORIGIN, &self.origin).body(body)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let cookie = self.cookie.lock().ok().and_then(|cookie| cookie.clone());
        let request = if let Some(cookie) = cookie { request.header(COOKIE, cookie) } else { request };
        let response = request.send().await.map_err(failed)?;
        let set = response
            .headers()
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next());
        if let (Some(pair), Ok(mut cookie)) = (set, self.cookie.lock()) {
            *cookie = HeaderValue::from_str(pair).ok();
        }
        Ok(response)
    }
}

/// The value of a hidden field of our own page; ours need no unescaping.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let value = page.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, after)| after);
    value.and_then(|after| after.split('"').next()).unwrap_or_default()
}

fn failed(error: reqwest::Error) -> Error {
    Error::new(Kind::Failed, error.without_url())
}

fn expect(response: &Response, status: StatusCode, what: &str) -> Result<(), Error> {
    if response.status() == status {
        Ok(())
    } else {
        Err(Error::new(Kind::Failed, format!("{what} was answered with {}", response.status())))
    }
}
