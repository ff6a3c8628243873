//! The way to a server's door: the proxy, the name, the connection.

use super::{Check, Section, all};
use crate::{Network, WebUrl, text::tidy};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// How long a name or a connection may take.
const MOMENT: Duration = Duration::from_secs(4);
/// The most addresses of a name that are tried.
const MOST: usize = 8;

/// Proxy, DNS and TCP; whether it makes sense to go on.
pub(super) async fn look(network: &Network, url: &WebUrl) -> (Vec<Check>, bool) {
    let proxy = network.proxy_for(url);
    let mut checks = vec![match proxy {
        Some(proxy) if proxy.has_credentials() => {
            Check::ok(Section::Network, "proxy", format!("{proxy}, with a password that is not shown"))
        }
        Some(proxy) => Check::ok(Section::Network, "proxy", proxy.to_string()),
        None if network.proxy.is_some() && url.is_loopback() => {
            Check::ok(Section::Network, "proxy", "not used, since the server is on this machine")
        }
        None if network.proxy.is_some() => Check::ok(Section::Network, "proxy", "not used, as NO_PROXY says"),
        None => Check::ok(Section::Network, "proxy", "none"),
    }];
    let (host, port) = match proxy.map(|proxy| proxy.address()) {
        Some(Some(address)) => address,
        _ => {
            let host = url.url().host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            (host, url.url().port_or_known_default().unwrap_or(443))
        }
    };
    let addresses = match addresses(&host, port).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let remedy = "check the spelling of the address, and this machine's DNS";
            checks.push(Check::failure(Section::Network, "name", format!("{host}: {why}")).remedy(remedy).by_network());
            return (checks, false);
        }
    };
    let list = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    checks.push(Check::ok(Section::Network, "name", format!("{host} is {list}")));
    let (check, is_open) = connection(&host, port, addresses).await;
    checks.push(check);
    (checks, is_open)
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(MOMENT, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| "the name server does not answer in time".to_owned())?;
    let mut addresses: Vec<_> = found.map_err(|error| tidy(&error.to_string(), 200))?.collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST);
    if addresses.is_empty() { Err("the name has no address".into()) } else { Ok(addresses) }
}

async fn connection(host: &str, port: u16, addresses: Vec<SocketAddr>) -> (Check, bool) {
    let tries = addresses.into_iter().map(|address| async move {
        match timeout(MOMENT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => (address, None),
            Ok(Err(error)) => (address, Some(tidy(&error.to_string(), 100))),
            Err(_) => (address, Some("no answer in time".into())),
        }
    });
    let tried = all(tries).await;
    let open: Vec<_> = tried.iter().filter(|(_, error)| error.is_none()).map(|(at, _)| at.to_string()).collect();
    if open.is_empty() {
        let why = tried.into_iter().find_map(|(_, error)| error).unwrap_or_default();
        let check = Check::failure(Section::Network, "connection", format!("{host}, port {port}: {why}"))
            .remedy("check that the server runs, and that no firewall is in between")
            .by_network();
        return (check, false);
    }
    let closed = tried.len() - open.len();
    let rest =
        if closed > 0 { format!("; {closed} of {} addresses do not answer", tried.len()) } else { String::new() };
    (Check::ok(Section::Network, "connection", format!("{}{rest}", open.join(", "))), true)
}
