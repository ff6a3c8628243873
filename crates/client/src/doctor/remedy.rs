//! What to do about a network that is in the way.

use crate::{Unreachable, failure::ProxyTrouble, trust::Distrust};

/// What to do when nobody answers.
#[must_use]
pub fn of_unreachable(why: &Unreachable) -> &'static str {
    match why {
        Unreachable::Untrusted(untrusted) => of_distrust(&untrusted.reason),
        Unreachable::Settings(_) => "correct --ca-file, GATEPASS_CA_FILE, the proxy's variable or config.toml",
        Unreachable::Proxy { why: ProxyTrouble::Away, .. } => {
            "check HTTPS_PROXY, or name hosts that need no proxy in NO_PROXY"
        }
        Unreachable::Proxy { why: ProxyTrouble::Refused, .. } => {
            "ask who runs the proxy, or name hosts that need no proxy in NO_PROXY"
        }
        Unreachable::Proxy { .. } => "put both into the proxy's URL: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        Unreachable::NoConnection(_) | Unreachable::Timeout | Unreachable::BrokenOff | Unreachable::Busy(_) => {
            "check the network and the server's address, then try again"
        }
    }
}

/// What to do about a certificate that is not believed.
#[must_use]
pub fn of_distrust(reason: &Distrust) -> &'static str {
    match reason {
        Distrust::UnknownAuthority => "if you know that authority, name its certificate with --ca-file FILE",
        Distrust::NoTrustStore => {
            "install the system's certificates (ca-certificates), or name some with --ca-file FILE"
        }
        Distrust::Expired | Distrust::NotYetValid => "the server needs a new certificate, unless this clock is wrong",
        Distrust::WrongHost => "check the server's address; the certificate must name it",
        Distrust::Revoked | Distrust::Other(_) => {
            "the server needs another certificate; a private one is named with --ca-file FILE"
        }
    }
}
