//! `gatepass` at the servers of other vendors: mocks that answer as the vendors document it, one file of tests for each
//! idea. A whole foreign server, not of our making, is in `interop/`.

use crate::fake;

mod answers;
mod clients;
mod documents;
mod page;
mod registration;
mod vendors;

use crate::support::{Program, Said, Terminal, event, run};
use fake::{Answer, Asked, Fake};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
};

/// A server of another vendor: metadata of its own, no gatepass client, and whatever `more` says differently.
fn metadata(issuer: &str, more: &Value) -> Value {
    let mut document = fake::metadata(issuer);
    let members = document.as_object_mut().unwrap();
    members.remove("gatepass_client_id");
    members.insert("userinfo_endpoint".into(), format!("{issuer}/userinfo").into());
    members.insert("code_challenge_methods_supported".into(), json!(["S256"]));
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    document
}

/// Starts a foreign server; `script` answers all but the metadata, a device's start and userinfo, unless it does those too.
fn foreign(more: Value, script: impl Fn(&Asked, usize) -> Option<Answer> + Send + Sync + 'static) -> Fake {
    Fake::start_raw(move |asked, issuer, count| {
        script(asked, count).unwrap_or_else(|| match asked.path.as_str() {
            "/.well-known/openid-configuration" => Answer::Json(200, metadata(issuer, &more)),
            "/device" => Answer::Json(200, device_codes()),
            "/token" => fake::granted(&format!("{}", count + 1)),
            "/userinfo" => Answer::Json(200, json!({"sub": "u-7", "email": "ada@a.example", "email_verified": "true"})),
            "/revoke" => Answer::Json(200, json!({})),
            _ => Answer::Json(404, json!({})),
        })
    })
}

fn device_codes() -> Value {
    json!({"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example/device",
           "expires_in": 60, "interval": 1})
}

/// `gatepass login --issuer … ARGUMENTS` by device code, to its end.
fn device_login(terminal: &Terminal, fake: &Fake, arguments: &[&str]) -> Said {
    run(terminal.command(&["login", "--issuer", &fake.issuer, "--device"]).args(arguments))
}

/// `gatepass login --issuer … ARGUMENTS` by a browser, which brings a code back; and the parameters of the page.
fn browser_login(terminal: &Terminal, fake: &Fake, arguments: &[&str]) -> (Said, HashMap<String, String>) {
    let base = ["login", "--issuer", &fake.issuer, "--loopback", "--no-browser", "--json"];
    let login = Program::start(terminal.command(&base).args(arguments));
    let page = page(&login);
    let iss: String = url::form_urlencoded::byte_serialize(fake.issuer.as_bytes()).collect();
    visit(&format!("{}?code=c0de00&state={}&iss={iss}", page["redirect_uri"], page["state"]));
    (login.end(), page)
}

/// The parameters of the page that a login shows.
fn page(login: &Program) -> HashMap<String, String> {
    let url = event(login, "url")["url"].as_str().unwrap().to_owned();
    url::Url::parse(&url).unwrap().query_pairs().into_owned().collect()
}

fn visit(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What the server of the only account has to renew it for: a new token is fetched.
fn renew(terminal: &Terminal) -> Said {
    terminal.run(&["token", "--min-ttl", "2h"])
}
