//! A browser without scripts: it keeps cookies, follows redirects on its own server, reads forms and
//! sends them as a browser would, with the `Origin` of the page.

use crate::{PASSWORD, TestServer};
use reqwest::{
    Client, Response, StatusCode,
    header::{COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use std::{collections::BTreeMap, sync::Mutex};

/// A browser window at one server.
pub struct Browser {
    http: Client,
    origin: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What the browser shows, or where it was led away to.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub path: String,
    pub headers: HeaderMap,
    pub html: String,
    /// Set when a redirect leads to another server.
    pub left_for: Option<String>,
}

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Browser {
    pub fn at(server: &TestServer) -> Self {
        Self::at_url(&server.url)
    }

    pub fn at_url(url: &str) -> Self {
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { http, origin: url.to_owned(), cookies: Mutex::default() }
    }

    /// Opens a path or one of the server's own URLs.
    pub async fn open(&self, url: &str) -> Page {
        let path = url.strip_prefix(&self.origin).unwrap_or(url).to_owned();
        let request = self.http.get(format!("{}{path}", self.origin));
        self.follow(path, self.send(request).await).await
    }

    /// Sends a form with these fields filled in.
    pub async fn submit(&self, form: &Form, fill: &[(&str, &str)]) -> Page {
        let mut fields = form.fields.clone();
        for (name, value) in fill {
            fields.retain(|(known, _)| known != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let request =
            self.http.post(format!("{}{}", self.origin, form.action)).header(ORIGIN, &self.origin).form(&fields);
        self.follow(form.action.clone(), self.send(request).await).await
    }

    /// Signs the person in, with the test's password.
    pub async fn sign_in(&self, email: &str) -> Page {
        let page = self.open("/login").await;
        self.submit(&page.form(), &[("email", email), ("password", PASSWORD)]).await
    }

    /// The `Cookie` header as it stands.
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let cookies = self.cookie_header();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies) };
        let response = request.send().await.unwrap();
        let mut cookies = self.cookies.lock().unwrap();
        for value in response.headers().get_all(SET_COOKIE) {
            let (pair, attributes) = value.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn follow(&self, mut path: String, mut response: Response) -> Page {
        for _ in 0..10 {
            let Some(location) = response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
            else {
                let (status, headers) = (response.status(), response.headers().clone());
                return Page { status, path, headers, html: response.text().await.unwrap(), left_for: None };
            };
            path = location.strip_prefix(&self.origin).unwrap_or(&location).to_owned();
            if !path.starts_with('/') {
                return Page {
                    status: response.status(),
                    path,
                    headers: response.headers().clone(),
                    html: String::new(),
                    left_for: Some(location),
                };
            }
            response = self.send(self.http.get(format!("{}{path}", self.origin))).await;
        }
        panic!("redirected in a circle at {path}");
    }
}

impl Page {
    /// The page's form; the first one that posts.
    pub fn form(&self) -> Form {
        self.forms().into_iter().next().unwrap_or_else(|| panic!("no form at {}:\n{}", self.path, self.html))
    }

    pub fn forms(&self) -> Vec<Form> {
        let mut forms = Vec::new();
        for part in self.html.split("<form ").skip(1) {
            let body = part.split("</form>").next().unwrap();
            let (tag, inside) = body.split_once('>').unwrap();
            let own_path = self.path.split('?').next().unwrap().to_owned();
            let mut form = Form { action: attribute(tag, "action").unwrap_or(own_path), fields: Vec::new() };
            for input in inside.split("<input ").skip(1) {
                let tag = input.split('>').next().unwrap();
                form.fields.push((attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default()));
            }
            forms.push(form);
        }
        forms
    }

    /// The heading of the page.
    pub fn heading(&self) -> String {
        let inside = self.html.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap_or_default();
        unescape(&inside.replace("<bdi>", "").replace("</bdi>", ""))
    }

    /// A parameter of the URL that the browser was led away to.
    pub fn answer(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(
            self.left_for.as_ref().unwrap_or_else(|| panic!("the browser is still at {}:\n{}", self.path, self.html)),
        )
        .unwrap();
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    Some(unescape(&tag[start..start + tag[start..].find('"')?]))
}

fn unescape(text: &str) -> String {
    let named = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    named
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}
