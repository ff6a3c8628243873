//! The places where a server's metadata may lie, and what lies there.

use super::{Check, Outcome, Section, remedy};
use crate::{
    Call, Failure, Reply, Transport, WebUrl,
    discovery::{self, DiscoveryError},
    text::tidy,
};
use gatepass_keys::Clock;
use gatepass_oauth::{Issuer, ServerMetadata, UtcMillis};

/// A place where metadata may lie.
#[derive(Clone, Debug)]
pub(super) struct Place {
    name: &'static str,
    url: String,
    /// Whether a sign-in looks there.
    is_standard: bool,
}

/// What was answered there.
#[derive(Debug)]
pub(super) struct Asked {
    place: Place,
    pub(super) outcome: Result<Reply, Failure>,
    /// When, by our clock, halfway between question and answer.
    pub(super) at: UtcMillis,
}

/// What lies at a place.
enum Found {
    Right(Box<ServerMetadata>),
    /// Another issuer: what it says.
    Other(String),
    Nothing(String),
    Page(String),
    Away(Failure),
}

/// Every place, in the order in which a sign-in looks: RFC 8414 §3.1, OpenID Connect Discovery §4, RFC 8414 §5;
/// and one where some servers wrongly put it.
pub(super) fn places(issuer: &Issuer) -> Vec<Place> {
    let names = ["RFC 8414", "OpenID", "OpenID inserted"];
    let standard = names.into_iter().zip(issuer.metadata_urls());
    let mut places: Vec<_> = standard.map(|(name, url)| Place { name, url, is_standard: true }).collect();
    if !issuer.path().is_empty() {
        let url = issuer.endpoint("/.well-known/oauth-authorization-server");
        places.push(Place { name: "RFC 8414 appended", url, is_standard: false });
    }
    places
}

/// Asks at one place.
pub(super) async fn ask(transport: Transport, clock: Clock, place: Place) -> Asked {
    let before = clock.now();
    let outcome = match place.url.parse::<WebUrl>() {
        Ok(url) => transport.send(Call::get(url)).await,
        Err(_) => Err(Failure::Nonsense { host: String::new(), status: 0, what: "it is no web address".into() }),
    };
    let took = before.until(clock.now());
    Asked { place, outcome, at: before.plus(took / 2) }
}

/// One check for each place and one for what the metadata says; and the metadata that a sign-in would believe.
pub(super) fn judge(issuer: &Issuer, asked: &[Asked]) -> (Vec<Check>, Option<ServerMetadata>) {
    let found: Vec<_> = asked.iter().map(|asked| (asked, found(issuer, asked))).collect();
    let right = found.iter().find_map(|(asked, found)| match found {
        Found::Right(metadata) if asked.place.is_standard => Some(metadata.as_ref().clone()),
        _ => None,
    });
    let mut checks: Vec<_> = found.iter().map(|(asked, found)| check(issuer, asked, found, right.is_some())).collect();
    match &right {
        Some(metadata) => {
            checks.extend(endpoints(issuer, metadata));
            checks.push(pkce(metadata));
        }
        None if !checks.iter().any(|check| check.outcome == Outcome::Failure) => checks.push(
            Check::failure(
                Section::Server,
                "metadata",
                format!("{issuer} is no authorization server: it has no metadata"),
            )
            .remedy("check the server's address; it may need a path, as in https://auth.example.com/realms/main"),
        ),
        None => {}
    }
    (checks, right)
}

fn found(issuer: &Issuer, asked: &Asked) -> Found {
    let reply = match &asked.outcome {
        Ok(reply) => reply,
        Err(failure @ Failure::Unreachable { .. }) => return Found::Away(failure.clone()),
        Err(failure) => return Found::Page(failure.to_string()),
    };
    match reply.read::<ServerMetadata>() {
        Ok(metadata) if metadata.is_of(issuer) => Found::Right(Box::new(metadata)),
        Ok(metadata) => Found::Other(tidy(&metadata.issuer, 200)),
        Err(failure @ Failure::Unreachable { .. }) => Found::Away(failure),
        Err(_) if reply.is_success() => {
            let kind = reply.header("content-type").map_or("no type", |kind| kind.split(';').next().unwrap_or(kind));
            Found::Page(format!("{}, but no metadata ({})", reply.status, tidy(kind, 40)))
        }
        Err(_) => Found::Nothing(format!("{}, nothing there", reply.status)),
    }
}

fn check(issuer: &Issuer, asked: &Asked, found: &Found, is_found: bool) -> Check {
    let (name, not_needed) = (asked.place.name, is_found || !asked.place.is_standard);
    let worse = |found: String| match not_needed {
        true => Check::warning(Section::Server, name, found),
        false => Check::failure(Section::Server, name, found),
    };
    match found {
        Found::Right(metadata) if metadata.issuer == issuer.as_str() => {
            Check::ok(Section::Server, name, format!("names {issuer}"))
        }
        Found::Right(metadata) => Check::ok(
            Section::Server,
            name,
            format!("names {}, asked was {issuer}; the slash at the end is let pass", tidy(&metadata.issuer, 200)),
        ),
        Found::Other(said) => {
            let shown = if said.is_empty() { "nobody" } else { said };
            let check = worse(format!("names {shown}, asked was {issuer}"));
            match said.parse::<Issuer>() {
                Ok(other) => check.remedy(format!("if that is the server you mean: gatepass login --server {other}")),
                Err(_) => check.remedy("the server's operator must make its metadata name the address that it has"),
            }
        }
        Found::Nothing(what) => Check::skipped(Section::Server, name, what.clone()),
        Found::Page(what) => {
            worse(what.clone()).remedy("check the address, and whether this network wants a sign-in of its own")
        }
        Found::Away(failure) => {
            let advice = match failure {
                Failure::Unreachable { why, .. } => remedy::of_unreachable(why),
                _ => "try again",
            };
            worse(failure.to_string()).remedy(advice).by_network()
        }
    }
}

/// `None` where the check of PKCE says what is wrong.
fn endpoints(issuer: &Issuer, metadata: &ServerMetadata) -> Option<Check> {
    Some(match discovery::check(issuer, metadata) {
        Ok(server) => {
            let has = [
                ("authorization", server.authorization_endpoint.is_some()),
                ("token", true),
                ("device", server.device_authorization_endpoint.is_some()),
                ("revocation", server.revocation_endpoint.is_some()),
                ("userinfo", server.userinfo_endpoint.is_some()),
            ];
            let has: Vec<_> = has.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
            Check::ok(Section::Server, "endpoints", has.join(", "))
        }
        Err(error @ DiscoveryError::BadEndpoint { .. }) => {
            Check::failure(Section::Server, "endpoints", error.to_string())
                .remedy("an endpoint is an https URL; the server's operator must correct its metadata")
        }
        Err(DiscoveryError::NoS256(_)) => return None,
        Err(error) => Check::failure(Section::Server, "endpoints", error.to_string()),
    })
}

fn pkce(metadata: &ServerMetadata) -> Check {
    let methods = &metadata.code_challenge_methods_supported;
    if methods.iter().any(|method| method == "S256") {
        return Check::ok(Section::Server, "PKCE", "S256 is claimed");
    }
    let told = methods.iter().take(5).map(|method| tidy(method, 20)).collect::<Vec<_>>().join(", ");
    if told.is_empty() {
        return Check::warning(Section::Server, "PKCE", "the server does not say whether it checks S256")
            .remedy("ask its operator whether PKCE with S256 is on");
    }
    Check::failure(Section::Server, "PKCE", format!("only {told} is claimed, S256 is needed"))
        .remedy("the server's operator must turn PKCE with S256 on")
}
