//! Which ways of signing in can work here, and why. A pure table.

use crate::{Environment, Server};

/// The ways that a sign-in tries at once; the first to finish wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// A page in a browser on this machine, which comes back to a loopback port (RFC 8252 §7.3). Its
    /// address may be pasted instead.
    Browser,
    /// The same page in any browser, from which the person carries the address back by hand.
    Paste,
    /// A short code for any browser on any machine (RFC 8628).
    Device,
    /// Browser and device code on one screen.
    BrowserAndDevice,
}

impl Ways {
    /// Whether an authorization URL is part of it.
    #[must_use]
    pub fn has_page(self) -> bool {
        !matches!(self, Self::Device)
    }

    /// Whether a browser should be opened on this machine.
    #[must_use]
    pub fn opens_browser(self) -> bool {
        matches!(self, Self::Browser | Self::BrowserAndDevice)
    }

    /// Whether a device code is part of it.
    #[must_use]
    pub fn has_device(self) -> bool {
        matches!(self, Self::Device | Self::BrowserAndDevice)
    }
}

/// A choice with its reason, which the person is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What to try.
    pub ways: Ways,
    /// Why: the end of a sentence, as in “signing in with a code, since *this is an SSH session*”.
    pub why: &'static str,
}

/// The server does not offer what was asked for, or no way for a person to sign in at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server does not offer this way of signing in")]
pub struct NoWay;

/// Chooses for these surroundings and what this server offers.
///
/// # Errors
/// [`NoWay`] when the server has neither endpoint.
pub fn choose(environment: &Environment, server: &Server) -> Result<Choice, NoWay> {
    let page = server.authorization_endpoint.is_some();
    let asked_for = server.provider.is_some_and(|provider| !provider.device_by_default);
    let device = server.device_authorization_endpoint.is_some() && !(asked_for && page);
    let obstacle = obstacle(environment);
    let (ways, why) = match (page, device, obstacle) {
        (false, false, _) => return Err(NoWay),
        (false, true, obstacle) => (Ways::Device, obstacle.unwrap_or("the server offers only this way")),
        (true, true, Some(obstacle)) => (Ways::Device, obstacle),
        (true, false, Some(obstacle)) => (Ways::Paste, obstacle),
        (true, true, None) => (Ways::BrowserAndDevice, "a browser can open here, and a code works anywhere"),
        (true, false, None) => (Ways::Browser, "a browser can open here"),
    };
    Ok(Choice { ways, why })
}

/// Why a browser on this machine would not reach the person, or its redirect not reach us.
#[must_use]
pub fn obstacle(environment: &Environment) -> Option<&'static str> {
    let table = [
        (environment.ssh, "this is an SSH session"),
        (environment.container, "this is a container"),
        (environment.wsl, "this is WSL, whose browser is on the Windows side"),
        (environment.ci, "this is a CI job"),
        (!environment.terminal, "there is no terminal here"),
        (!environment.display, "there is no display here"),
    ];
    table.into_iter().find_map(|(holds, why)| holds.then_some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(page: bool, device: bool) -> Server {
        let url = || "https://a.example/x".parse().unwrap();
        Server {
            authorization_endpoint: page.then(url),
            device_authorization_endpoint: device.then(url),
            answers_with_iss: true,
            has_separate_grants: true,
            ..Server::bare("https://a.example".parse().unwrap(), url())
        }
    }

    #[test]
    fn each_surrounding_gets_the_way_that_works_there() {
        let desk = Environment { display: true, terminal: true, ..Environment::default() };
        let table = [
            (desk.clone(), true, true, Ways::BrowserAndDevice, "a browser can open here, and a code works anywhere"),
            (desk.clone(), true, false, Ways::Browser, "a browser can open here"),
            (desk.clone(), false, true, Ways::Device, "the server offers only this way"),
            (Environment { ssh: true, ..desk.clone() }, true, true, Ways::Device, "this is an SSH session"),
            (Environment { ssh: true, ..desk.clone() }, true, false, Ways::Paste, "this is an SSH session"),
            (Environment { container: true, ..desk.clone() }, true, true, Ways::Device, "this is a container"),
            (
                Environment { wsl: true, ..desk.clone() },
                true,
                true,
                Ways::Device,
                "this is WSL, whose browser is on the Windows side",
            ),
            (Environment { ci: true, ..desk.clone() }, true, true, Ways::Device, "this is a CI job"),
            (Environment { display: false, ..desk.clone() }, true, true, Ways::Device, "there is no display here"),
            (Environment { terminal: false, ..desk.clone() }, true, true, Ways::Device, "there is no terminal here"),
        ];
        for (environment, page, device, ways, why) in table {
            assert_eq!(choose(&environment, &server(page, device)), Ok(Choice { ways, why }), "{environment:?}");
        }
        assert_eq!(choose(&desk, &server(false, false)), Err(NoWay));
    }
}
