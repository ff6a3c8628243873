//! Adding a person with a local account.

use crate::{
    Authority, Event, EventKind, Failure, UserAccount, UserId,
    password::{LONGEST, SHORTEST},
};
use gatepass_keys::{Secret, TokenId};
use gatepass_oauth::UtcMillis;
use gatepass_store::Change;

/// A person to be added.
#[derive(Debug)]
pub struct NewUser {
    /// Their address, in any case.
    pub email: String,
    /// What to call them; may be empty.
    pub name: String,
    /// Their password.
    pub password: Secret,
    /// Whether somebody vouches for the address.
    pub email_state: EmailState,
}

/// Whether an address is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailState {
    /// The operator vouches for it.
    Verified,
    /// Nobody does; they cannot sign in yet.
    Unverified,
}

/// Why a person could not be added.
#[derive(Debug, thiserror::Error)]
pub enum UserRefused {
    /// Not an address.
    #[error("'{0}' is not an email address")]
    Email(String),
    /// Too short or too long.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Password,
    /// The address is taken.
    #[error("there is an account for {0} already")]
    Taken(String),
    /// A name of control characters or too long.
    #[error("a name has at most 100 characters and no control characters")]
    Name,
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// An address to look for, as one is kept: lower case, trimmed. `None` when nobody can have it.
pub(crate) fn normalised_email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    (text.contains('@') && text.len() <= 254 && text.chars().all(plain)).then_some(text)
}

/// A new address, lower case, trimmed; `None` when it is no `addr-spec` of RFC 5322 in ASCII without quotes, as which
/// clients are told it (OpenID Connect Core §5.1). No letter of another alphabet becomes one of ASCII here.
pub(crate) fn addr_spec(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let is_dotted = |text: &str, may_stand: fn(char) -> bool| {
        text.split('.').all(|part| !part.is_empty() && part.chars().all(may_stand))
    };
    let good = text.len() <= 254 && is_dotted(local, is_atext) && is_dotted(domain, is_of_a_domain);
    good.then_some(text)
}

/// RFC 5322 §3.2.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_of_a_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// Trimmed; `None` when it has control characters or is too long.
pub(crate) fn tidy_name(text: &str) -> Option<String> {
    let text = text.trim();
    (text.chars().count() <= 100 && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

pub(crate) fn check_password(password: &Secret) -> Result<(), UserRefused> {
    let text = password.expose();
    let good = text.chars().count() >= SHORTEST && text.len() <= LONGEST;
    if good { Ok(()) } else { Err(UserRefused::Password) }
}

impl Authority {
    /// Adds a person.
    ///
    /// # Errors
    /// [`UserRefused`].
    pub async fn add_user(&self, new: NewUser) -> Result<UserAccount, UserRefused> {
        let user = self.prepare_user(new).await?;
        match self.0.store.add_user(&user).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::UserAdded).user(user.id).by_operator()).await;
                Ok(user)
            }
            Change::TooLate => Err(UserRefused::Taken(user.email)),
        }
    }

    /// People in the order in which they came.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn users(&self, after: Option<UserId>, limit: i64) -> Result<Vec<UserAccount>, Failure> {
        Ok(self.0.store.users(after, limit).await?)
    }

    pub(crate) async fn prepare_user(&self, new: NewUser) -> Result<UserAccount, UserRefused> {
        let email = addr_spec(&new.email).ok_or(UserRefused::Email(new.email))?;
        let name = tidy_name(&new.name).ok_or(UserRefused::Name)?;
        check_password(&new.password)?;
        let password_hash = self.0.passwords.hash(new.password).await?;
        let now: UtcMillis = self.0.clock.now();
        let id = TokenId::new(now, &self.0.entropy).map_err(Failure::from)?;
        Ok(UserAccount {
            id: UserId(id.0),
            email,
            name,
            password_hash: Some(password_hash),
            created_at: now,
            email_verified_at: (new.email_state == EmailState::Verified).then_some(now),
            owner_since: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_lower_case_and_an_addr_spec() {
        assert_eq!(addr_spec(" Ada@Example.com ").as_deref(), Some("ada@example.com"));
        assert_eq!(addr_spec("ada@localhost").as_deref(), Some("ada@localhost"));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "ada@exa\nmple.com",
            "<ada@example.com>",
            "a@b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a:b@example.com",
            "a(b@example.com",
            "a@[127.0.0.1]",
            "a@example..com",
            "\u{fc}@example.com",
            // The Kelvin sign, whose lower case is the letter k.
            "\u{212a}ate@example.com",
        ] {
            assert_eq!(addr_spec(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn who_has_an_odd_address_from_before_is_found_by_it() {
        assert_eq!(normalised_email(" A..B@My_Host.lan").as_deref(), Some("a..b@my_host.lan"));
        assert_eq!(normalised_email("\u{dc}@example.com").as_deref(), Some("\u{fc}@example.com"));
        assert_eq!([normalised_email("ada"), normalised_email("a\0@b"), normalised_email("a b@c")], [None, None, None]);
    }
}
