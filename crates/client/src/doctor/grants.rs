//! The grants that a server claims, each asked with nothing in hand; whether our client is known; registration.
//!
//! An empty request changes nothing: the token endpoint must refuse it, and as RFC 6749 §5.2 says, with an OAuth error
//! in JSON. A page of HTML tells that something else stands there. `invalid_client` tells that the client is unknown.

use super::{Check, Section, all, remedy};
use crate::{Call, Failure, Transport, WebUrl, text::tidy};
use gatepass_oauth::{ClientId, ErrorCode, Issuer, ServerMetadata};
use serde::de::IgnoredAny;

/// The most grants that are asked.
const MOST: usize = 12;

/// What an endpoint answered to nothing.
type Answer = Result<(), Failure>;

pub(super) async fn look(
    transport: &Transport,
    issuer: &Issuer,
    metadata: &ServerMetadata,
    client: &ClientId,
) -> Vec<Check> {
    // What discovery refuses was told already; nothing is sent there.
    let usable = |text: &Option<String>| {
        let url = text.as_deref()?.parse::<WebUrl>().ok()?;
        (issuer.is_plain_http() || url.url().scheme() == "https").then_some(url)
    };
    let mut checks = Vec::new();
    if let Some(token) = usable(&metadata.token_endpoint) {
        let claimed = &metadata.grant_types_supported;
        let default = ["authorization_code".to_owned()];
        let claimed: Vec<_> = if claimed.is_empty() { default.iter() } else { claimed.iter() }.take(MOST).collect();
        let questions = claimed.iter().map(|grant| {
            let fields = [("grant_type", grant.as_str()), ("client_id", client.as_str())];
            ask(transport.clone(), Call::form(token.clone(), &fields))
        });
        let answers = all(questions.collect::<Vec<_>>()).await;
        checks.push(known(client, &claimed, &answers));
        checks.extend(claimed.iter().zip(&answers).map(|(grant, answer)| judge(&short(grant), answer)));
    }
    checks.push(registration(metadata));
    let (device, page) = tokio::join!(
        async {
            let url = usable(&metadata.device_authorization_endpoint)?;
            Some(judge("device endpoint", &ask(transport.clone(), Call::form(url, &[])).await))
        },
        async { Some(page(transport, usable(&metadata.authorization_endpoint)?).await) },
    );
    checks.extend(device);
    checks.extend(page);
    checks
}

async fn ask(transport: Transport, call: Call) -> Answer {
    transport.send(call).await?.read::<IgnoredAny>().map(drop)
}

/// The last part of a grant type, which is name enough.
fn short(grant: &str) -> String {
    tidy(grant.rsplit(':').next().unwrap_or(grant), 40)
}

fn judge(name: &str, answer: &Answer) -> Check {
    match answer {
        Err(failure) if failure.is(ErrorCode::UnsupportedGrantType) => {
            Check::warning(Section::Server, name, "claimed in the metadata, and not known at the endpoint")
                .remedy("the server's operator must turn it on, or no longer claim it")
        }
        Err(Failure::Refused(refusal)) => {
            Check::ok(Section::Server, name, format!("answers an empty request with {}", refusal.code))
        }
        Err(failure @ Failure::Nonsense { .. }) => Check::failure(Section::Server, name, failure.to_string())
            .remedy("something else than an OAuth endpoint answers there: check the metadata and what is in between"),
        Err(Failure::Unreachable { host, why }) => {
            let failure = Failure::Unreachable { host: host.clone(), why: why.clone() };
            let check = Check::failure(Section::Server, name, failure.to_string());
            check.remedy(remedy::of_unreachable(why)).by_network()
        }
        Ok(()) => Check::warning(Section::Server, name, "takes an empty request for good, which no server should"),
    }
}

/// Whether the server knows the client: it says `invalid_client` to every grant, or something else to one.
fn known(client: &ClientId, claimed: &[&String], answers: &[Answer]) -> Check {
    // Without a secret, the grants for programs with one say it of every client.
    let telling =
        |grant: &str| matches!(grant, "authorization_code" | "refresh_token") || grant.ends_with(":device_code");
    let refusals = claimed.iter().zip(answers).filter(|(grant, _)| telling(grant));
    let refusals: Vec<_> = refusals.filter_map(|(_, answer)| answer.as_ref().err()).collect();
    let (mut unknown, mut known) = (0, 0);
    for refusal in refusals.into_iter().filter(|failure| matches!(failure, Failure::Refused(_))) {
        if refusal.is(ErrorCode::InvalidClient) { unknown += 1 } else { known += 1 }
    }
    let name = "client";
    match (known, unknown) {
        (0, 0) => Check::skipped(Section::Server, name, format!("whether {client} is known cannot be told")),
        (0, _) => Check::warning(Section::Server, name, format!("{client} is not known here, or must show a secret"))
            .remedy("name a client that the server knows: gatepass login --client-id ID"),
        _ => Check::ok(Section::Server, name, format!("{client} is known here")),
    }
}

fn registration(metadata: &ServerMetadata) -> Check {
    let ways = [
        ("by RFC 7591", metadata.registration_endpoint.is_some()),
        ("by a client metadata document", metadata.client_id_metadata_document_supported),
    ];
    let ways: Vec<_> = ways.into_iter().filter_map(|(way, is_offered)| is_offered.then_some(way)).collect();
    match ways.as_slice() {
        [] => Check::skipped(Section::Server, "registration", "not offered: a client must be made by the operator"),
        ways => Check::ok(Section::Server, "registration", format!("programs can register {}", ways.join(" and "))),
    }
}

/// The authorization endpoint may answer an empty request with a page: it is for people.
async fn page(transport: &Transport, url: WebUrl) -> Check {
    let name = "sign-in page";
    match transport.send(Call::get(url)).await {
        Ok(reply) if reply.status < 500 && reply.status != 404 => {
            Check::ok(Section::Server, name, format!("answers with {}", reply.status))
        }
        Ok(reply) => Check::failure(Section::Server, name, format!("answers with {}", reply.status))
            .remedy("the server's operator must look at its authorization endpoint"),
        Err(failure) => Check::failure(Section::Server, name, failure.to_string())
            .remedy("check the network and the server's metadata")
            .by_network(),
    }
}
