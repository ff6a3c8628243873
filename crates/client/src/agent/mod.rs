//! The agent: a process that holds the vault and hands out access tokens over a local socket.
//!
//! A container or a virtual machine that has the socket needs no vault, and never sees a refresh token or the vault's key.
//! What it gets can be held under a ceiling: fewer scopes, one API, a shorter life ([`crate::exchange`]).
//!
//! - On a Unix socket the kernel says who calls, and only the agent's own user is answered ([`socket`]).
//! - On a loopback port every caller shows a token that lies in a file of mode 0600 ([`port`]).
//! - The agent is one more process that uses [`crate::SignIns`]: it reads the vault at each request, under the same locks as
//!   everybody, so a sign-out elsewhere ends at once what it hands out. It renews ahead of time the accounts that were asked for.
//! - A token that is bound to a key (`token_type` `DPoP`) is of no use without proofs of it (RFC 9449). The key stays here, and
//!   the agent makes proofs for the tokens that it handed out.
//! - It never opens a browser. Where a person is needed it answers `sign_in_needed` with the command to run.
//! - It ends when nobody has asked for a while.
//!
//! # The protocol
//!
//! A caller connects, writes one line of JSON, reads one line of JSON, and the connection is over. A line ends with `\n`.
//!
//! ```text
//! {"v":1,"op":"token","scope":"read","ttl":300}
//! {"v":1,"token":{"access_token":"…","token_type":"Bearer","expires_at":1790000300,"scope":"read","server":"https://…","account":"…"}}
//! {"v":1,"op":"proof","method":"GET","url":"https://…","nonce":"…","ath":"…"}
//! {"v":1,"proof":"eyJ…"}
//! {"v":1,"error":{"kind":"sign_in_needed","message":"…","command":"gatepass login --server https://…"}}
//! ```
//!
//! | in a request | meaning |
//! |---|---|
//! | `v` | 1 |
//! | `op` | `token`, `proof`, `status` or `stop` |
//! | `auth` | on a port: the token of the file |
//! | `server`, `account` | whose token, if several could be meant |
//! | `scope`, `resource`, `audience`, `ttl` | what to narrow it to; `ttl` in seconds |
//! | `min_ttl` | how many seconds of its life must be left |
//! | `refused` | the hash of a token that a server answered 401 to: another is wanted, if it is older than half a minute |
//! | `method`, `url`, `nonce`, `ath` | the request that a proof is for, and the hash of the token beside it |
//!
//! A member that is not known is refused, so that no ceiling is lost by a slip. `kind` is one of [`TroubleKind`]. What is not
//! there in an answer is not known, such as when a token ends.
//!
//! | bound | |
//! |---|---|
//! | a request | 16 KiB, within 5 seconds |
//! | an answer | 256 KiB |
//! | connections that have said nothing yet | 64; the one that is silent longest makes room for the next, and is answered `busy` |
//! | requests at once | 64; the next are answered `busy` |
//! | wrong tokens on a port | one for each connection, and 4 a second for each of them |

mod address;
mod ask;
mod desk;
#[doc(hidden)] // for the command line's proxy
pub mod door;
mod kept;
pub mod message;
pub mod port;
mod proofs;
mod serve;
#[cfg(unix)]
pub mod socket;

pub use address::{Address, InvalidAddress};
pub use ask::{AgentError, Caller};
pub use message::{Granted, Request, Status, Trouble, TroubleKind};
pub use serve::{Agent, End, ListenError, Listener};
