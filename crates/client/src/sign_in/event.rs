//! What happens during a sign-in, for whoever shows it.

use crate::{Choice, Failure, device::DeviceCode};
use std::fmt;

/// Something to show. Printed (`Display`), each is a plain line, which is enough for a small program.
#[derive(Clone, Debug)]
pub enum Event {
    /// How the sign-in goes about it, and why.
    Chosen(Choice),
    /// The address to open. It holds no secret, but only the person who signs in should use it.
    Url(String),
    /// Another address in place of the one before, which is over for whoever has not opened it. No browser is to be opened
    /// for it.
    UrlRenewed(String),
    /// The code to type.
    Code(DeviceCode),
    /// The server was asked, and nobody has decided yet.
    Pending,
    /// The server could not be asked; it will be asked again.
    Trouble(Failure),
    /// What was pasted is not the answer; something else may be pasted.
    PasteRefused(String),
    /// One way ended; the others go on.
    WayEnded(String),
    /// The sign-in is kept, but the older one that it replaces could not be revoked.
    NotRevoked(Failure),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen(choice) => write!(f, "Signing in, knowing that {}", choice.why),
            Self::Url(url) => write!(f, "Open this address to sign in:\n\n{url}\n"),
            Self::UrlRenewed(url) => write!(f, "The address above is over. Open this one instead:\n\n{url}\n"),
            Self::Code(code) => {
                write!(
                    f,
                    "Open this address on any device:\n\n{}\n\nand enter the code {}",
                    code.verification_uri, code.user_code
                )?;
                match &code.number_match {
                    Some(number) => write!(f, "\nIf the page asks for a number, it is {number}"),
                    None => Ok(()),
                }
            }
            Self::Pending => f.write_str("Waiting"),
            Self::Trouble(failure) => write!(f, "Still trying: {failure}"),
            Self::PasteRefused(why) => write!(f, "Not taken: {why}"),
            Self::WayEnded(why) => write!(f, "One way is closed: {why}"),
            Self::NotRevoked(failure) => write!(f, "the older sign-in of this account was not revoked: {failure}"),
        }
    }
}
