//! The first words with a server: its certificate, and its clock against ours.

use super::{Check, Section, all, grants, matrix, matrix::Asked, reach, remedy};
use crate::{Failure, Transport, Unreachable, WebUrl, calendar::rfc3339};
use gatepass_keys::Clock;
use gatepass_oauth::{ClientId, Issuer, UtcMillis};
use std::time::{Duration, UNIX_EPOCH};

/// A difference of clocks that is worth a warning.
const SOME_SKEW: Duration = Duration::from_secs(30);
/// One that breaks sign-ins.
const MUCH_SKEW: Duration = Duration::from_secs(300);
/// A certificate that ends sooner is worth a warning, in days.
const SOON: u64 = 14;

/// The way to the server, and the server.
pub(super) async fn look(transport: &Transport, clock: &Clock, issuer: &Issuer, client: &ClientId) -> Vec<Check> {
    let Ok(url) = issuer.as_str().parse::<WebUrl>() else { return Vec::new() };
    let mut checks = vec![Check::ok(Section::Network, "server", issuer.to_string())];
    let (way, is_open) = reach::look(transport.network(), &url).await;
    checks.extend(way);
    if !is_open {
        checks.push(Check::skipped(Section::Server, "metadata", "the server cannot be reached"));
        return checks;
    }
    let places = matrix::places(issuer).into_iter().map(|place| matrix::ask(transport.clone(), clock.clone(), place));
    let asked = all(places).await;
    checks.push(certificate(transport, &url, &asked, clock.now()));
    checks.push(skew(&asked));
    // Said once, as what it is, instead of once for each place.
    if let Some(why) = asked.iter().find_map(|asked| before_http(&asked.outcome)) {
        if !matches!(why, Unreachable::Untrusted(_)) {
            let check =
                Check::failure(Section::Network, "requests", why.to_string()).remedy(remedy::of_unreachable(why));
            checks.push(if matches!(why, Unreachable::Settings(_)) { check } else { check.by_network() });
        }
        checks.push(Check::skipped(Section::Server, "metadata", "no request gets through to the server"));
        return checks;
    }
    let (found, metadata) = matrix::judge(issuer, &asked);
    checks.extend(found);
    if let Some(metadata) = metadata {
        checks.extend(grants::look(transport, issuer, &metadata, client).await);
    }
    checks
}

/// Why a request never came to be HTTP with the server.
fn before_http<T>(outcome: &Result<T, Failure>) -> Option<&Unreachable> {
    match outcome {
        Err(Failure::Unreachable {
            why: why @ (Unreachable::Untrusted(_) | Unreachable::Proxy { .. } | Unreachable::Settings(_)),
            ..
        }) => Some(why),
        _ => None,
    }
}

fn certificate(transport: &Transport, url: &WebUrl, asked: &[Asked], now: UtcMillis) -> Check {
    let name = "certificate";
    if url.url().scheme() == "http" {
        return Check::skipped(Section::Network, name, "plain http, which stays on this machine");
    }
    let untrusted = asked.iter().find_map(|asked| match &asked.outcome {
        Err(Failure::Unreachable { why: Unreachable::Untrusted(untrusted), .. }) => Some(untrusted),
        _ => None,
    });
    if let Some(untrusted) = untrusted {
        let check = Check::failure(Section::Network, name, untrusted.to_string());
        return check.remedy(remedy::of_distrust(&untrusted.reason)).by_network();
    }
    let Some(shown) = transport.certificate_of(url) else {
        return Check::skipped(Section::Network, name, "none was seen");
    };
    let days = now.until(shown.not_after).as_secs() / 86_400;
    let found = format!("{}, issued by {}, {days} days left", shown.subject, shown.issuer);
    if days < SOON {
        return Check::warning(Section::Network, name, found)
            .remedy(format!("it must be renewed at the server before {}", rfc3339(shown.not_after)));
    }
    Check::ok(Section::Network, name, found)
}

fn skew(asked: &[Asked]) -> Check {
    let name = "clock";
    let told = asked.iter().find_map(|asked| {
        let date = httpdate::parse_http_date(asked.outcome.as_ref().ok()?.header("date")?).ok()?;
        let seconds = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some((UtcMillis::from_seconds(i64::try_from(seconds).ok()?), asked.at))
    });
    let Some((theirs, ours)) = told else {
        return Check::skipped(Section::Network, name, "the server does not tell its time");
    };
    let (ahead, behind) = (theirs.until(ours), ours.until(theirs));
    let (off, which) = if ahead >= behind { (ahead, "ahead of") } else { (behind, "behind") };
    let found = format!("this clock is {} s {which} the server's", off.as_secs());
    let remedy = "set this machine's clock, for good with a time service such as systemd-timesyncd or chrony";
    if off > MUCH_SKEW {
        Check::failure(Section::Network, name, found).remedy(remedy)
    } else if off > SOME_SKEW {
        Check::warning(Section::Network, name, found).remedy(remedy)
    } else {
        Check::ok(Section::Network, name, "within 30 s of the server's")
    }
}
