//! `gatepass proxy`: a door on this machine that puts a token into every request for one server.
//!
//! 1. Listen on loopback only ([`listen`]).
//! 2. Let in who knows the secret in the path, or whose Host and Origin are our own ([`guard`]).
//! 3. Turn the request into one for the upstream: its address ([`upstream`]), its headers ([`headers`], RFC 9110 §7.6.1),
//!    and the token of the moment ([`keeper`], [`authorize`]).
//! 4. Send it on a connection that is kept ([`connect`]), its body as it comes and remembered up to a bound ([`replay`]).
//! 5. After a 401, once more with a new token ([`forward`]).
//! 6. Give the answer back as it comes ([`body`]), or join the two connections after an upgrade ([`tunnel`]).
//!
//! What goes wrong on this side is told as [`problem`] details (RFC 9457). The token goes to the upstream's origin and
//! nowhere else: redirects are given back, not followed.
//!
//! This lives here and not in `gatepass-client`: a program that wants to sign somebody in should not carry an
//! HTTP/2 server for it, and what is answered here names gatepass's own commands.

mod authorize;
mod body;
mod connect;
mod forward;
mod guard;
mod headers;
mod keeper;
mod listen;
mod problem;
mod replay;
mod tunnel;
mod upstream;

pub(crate) use authorize::Credential;
pub(crate) use connect::connections;
pub(crate) use forward::Forward;
pub(crate) use guard::Guard;
pub(crate) use keeper::Keeper;
pub(crate) use listen::{Doors, serve};
pub(crate) use upstream::Upstream;

/// What hyper's bodies and connectors fail with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
