//! Accounts: whose sign-in it is, how it is called, and which one is meant.

use crate::text::tidy;
use gatepass_oauth::{ClientId, Issuer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// A person (or whoever a token stands for) at a server, through a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The server.
    pub issuer: Issuer,
    /// The client that signed in.
    pub client_id: ClientId,
    /// The subject within the issuer; `None` at a server that does not say.
    pub subject: Option<String>,
    /// The email address, for people; it may change and may be missing.
    pub email: Option<String>,
    /// The name, for people.
    pub name: Option<String>,
    /// The space that the sign-in is for; `None` leaves that to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

/// The short name of an account: 12 hexadecimal digits of a hash over issuer, client and subject, and the space if there
/// is one.
/// Not a secret; it names lock files and stands in `--account`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// The short name that a text is, whole: 12 hexadecimal digits.
    #[must_use]
    pub fn whole(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 12 && text.bytes().all(is_digit)).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Account {
    /// The account's short name.
    #[must_use]
    pub fn id(&self) -> AccountId {
        let subject = self.subject.as_deref().unwrap_or_default();
        let space = self.space.as_deref().map(|space| format!("\n{space}")).unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{}\n{subject}{space}", self.issuer, self.client_id));
        AccountId(digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// What to call it: email, else name, else subject, else the short name.
    #[must_use]
    pub fn label(&self) -> String {
        [&self.email, &self.name, &self.subject]
            .into_iter()
            .flatten()
            .map(|text| tidy(text, 80))
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| self.id().to_string())
    }

    /// Whether `text` means this account: its email, subject, name, or the beginning of its short name.
    #[must_use]
    pub fn is_meant_by(&self, text: &str) -> bool {
        let same = |own: &Option<String>| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(text));
        same(&self.email)
            || same(&self.name)
            || self.subject.as_deref() == Some(text)
            || (text.len() >= 4 && self.id().as_str().starts_with(text))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.email, &self.name, &self.subject) {
            (None, None, None) => write!(f, "account {} at {}", self.id(), self.issuer),
            _ => write!(f, "{} at {}", self.label(), self.issuer),
        }?;
        match &self.space {
            Some(space) => write!(f, " in the space {}", tidy(space, 80)),
            None => Ok(()),
        }
    }
}

/// Which account a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only accounts of this server.
    pub issuer: Option<Issuer>,
    /// Only accounts that this text means.
    pub account: Option<String>,
    /// Only accounts of this space.
    pub space: Option<String>,
}

/// Why no single account is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSelected {
    /// Nobody is signed in (at this server).
    #[error("nobody is signed in{}", at(.0.as_ref()))]
    Nobody(Option<Issuer>),
    /// No account has this name.
    #[error("no account here is called {0}")]
    Unknown(String),
    /// No account is of this space.
    #[error("nobody is signed in to the space {0}")]
    NoSpace(String),
    /// Several have it.
    #[error("several accounts could be meant: {}", .0.join(", "))]
    Several(Vec<String>),
}

fn at(issuer: Option<&Issuer>) -> String {
    issuer.map_or_else(String::new, |issuer| format!(" at {issuer}"))
}

impl Selection {
    /// Picks the one account that is meant. Where several fit, the default decides if it is among them.
    ///
    /// # Errors
    /// [`NotSelected`].
    pub fn pick<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
        default: Option<&AccountId>,
    ) -> Result<&'a Account, NotSelected> {
        let here: Vec<&Account> =
            accounts.filter(|account| self.issuer.as_ref().is_none_or(|issuer| account.issuer == *issuer)).collect();
        if here.is_empty() {
            return Err(NotSelected::Nobody(self.issuer.clone()));
        }
        let in_space = |account: &&Account| self.space.is_none() || account.space == self.space;
        if let (Some(space), false) = (&self.space, here.iter().any(in_space)) {
            return Err(NotSelected::NoSpace(tidy(space, 80)));
        }
        let fitting: Vec<&Account> = here
            .into_iter()
            .filter(in_space)
            .filter(|account| self.account.as_deref().is_none_or(|text| account.is_meant_by(text)))
            .collect();
        match (fitting.as_slice(), &self.account) {
            ([one], _) => Ok(one),
            ([], text) => Err(NotSelected::Unknown(tidy(text.as_deref().unwrap_or_default(), 80))),
            (several, _) => several
                .iter()
                .find(|account| default == Some(&account.id()))
                .copied()
                .ok_or_else(|| NotSelected::Several(several.iter().map(|account| account.to_string()).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(issuer: &str, subject: &str, email: &str) -> Account {
        Account {
            issuer: issuer.parse().unwrap(),
            client_id: "cli".parse().unwrap(),
            subject: Some(subject.into()),
            email: Some(email.into()),
            name: None,
            space: None,
        }
    }

    #[test]
    fn an_account_is_found_by_what_people_call_it() {
        let all = [
            account("https://a.example", "u1", "ada@a.example"),
            account("https://a.example", "u2", "bob@a.example"),
            account("https://b.example", "u1", "ada@a.example"),
        ];
        let pick = |issuer: Option<&str>, name: Option<&str>, default: Option<&Account>| {
            let issuer = issuer.map(|i| i.parse().unwrap());
            let selection = Selection { issuer, account: name.map(str::to_owned), space: None };
            selection.pick(all.iter(), default.map(Account::id).as_ref())
        };
        assert_eq!(pick(Some("https://b.example"), None, None), Ok(&all[2]));
        assert_eq!(pick(None, Some("BOB@a.example"), None), Ok(&all[1]));
        assert_eq!(pick(None, Some(&all[1].id().as_str()[..6]), None), Ok(&all[1]));
        assert_eq!(pick(None, None, Some(&all[1])), Ok(&all[1]));
        assert_eq!(pick(Some("https://a.example"), Some("u1"), Some(&all[1])), Ok(&all[0]));
        assert!(matches!(pick(None, Some("ada@a.example"), Some(&all[1])), Err(NotSelected::Several(_))));
        assert!(matches!(pick(None, Some("eve"), None), Err(NotSelected::Unknown(_))));
        assert!(matches!(pick(Some("https://c.example"), None, None), Err(NotSelected::Nobody(Some(_)))));
    }

    #[test]
    fn a_space_makes_another_account_and_leaves_the_names_of_those_without() {
        let plain = account("https://a.example", "u1", "ada@a.example");
        assert_eq!(plain.id().as_str(), "169ae3b40d91");
        let spaced = Account { space: Some("team".into()), ..plain.clone() };
        assert_ne!(spaced.id(), plain.id());
        assert_eq!(spaced.to_string(), "ada@a.example at https://a.example in the space team");
        let stored = serde_json::to_value(&plain).unwrap();
        assert!(stored.get("space").is_none());
        assert_eq!(serde_json::from_value::<Account>(stored).unwrap(), plain);
        let all = [plain.clone(), spaced.clone()];
        let pick = |space: Option<&str>, default: &Account| {
            let selection = Selection { space: space.map(str::to_owned), ..Selection::default() };
            selection.pick(all.iter(), Some(&default.id())).cloned()
        };
        assert_eq!(pick(Some("team"), &plain), Ok(spaced.clone()));
        assert_eq!((pick(None, &plain), pick(None, &spaced)), (Ok(plain.clone()), Ok(spaced.clone())));
        assert_eq!(pick(Some("other"), &plain), Err(NotSelected::NoSpace("other".into())));
    }

    #[test]
    fn the_short_name_does_not_change_with_the_email() {
        let (before, mut after) =
            (account("https://a.example", "u1", "a@b"), account("https://a.example", "u1", "c@d"));
        assert_eq!(before.id(), after.id());
        after.subject = Some("u2".into());
        assert_ne!(before.id(), after.id());
    }

    #[test]
    fn a_short_name_is_whole_or_none() {
        let id = account("https://a.example", "u1", "a@b").id();
        assert_eq!(AccountId::whole(id.as_str()), Some(id.clone()));
        for other in ["", &id.as_str()[..11], "169AE3B40D91", "ada@a.example", "169ae3b40d911"] {
            assert_eq!(AccountId::whole(other), None, "{other}");
        }
    }
}
