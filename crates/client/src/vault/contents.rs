//! What the vault holds, once it is open.

use crate::{
    Account, AccountId, Asker, ClientAuthentication, DpopKey, Grant, IssuerName, NotSelected, Selection, SignIns,
    Terms, Tokens, WebUrl, helpers::Kept, registration::Registered,
};
use gatepass_oauth::{ResourceUri, Scope};
use serde::{Deserialize, Serialize};

/// Every sign-in of this home.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Contents {
    /// The account that is meant when several could be.
    #[serde(default)]
    pub default: Option<AccountId>,
    /// The sign-ins, at most one for an account.
    #[serde(default)]
    pub sign_ins: Vec<SignIn>,
    /// What is kept for other tools.
    #[serde(default)]
    pub helpers: Kept,
    /// The clients that this program has registered for itself, at most one for an issuer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrations: Vec<Registered>,
}

/// One sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignIn {
    /// Whose.
    pub account: Account,
    /// What was asked for; a refresh asks for no more.
    pub scope: Scope,
    /// Which API the tokens are for.
    pub resource: Option<ResourceUri>,
    /// Where tokens are fetched.
    pub token_endpoint: WebUrl,
    /// Where they are revoked.
    pub revocation_endpoint: Option<WebUrl>,
    /// How the client proves itself.
    #[serde(default)]
    pub authentication: ClientAuthentication,
    /// The key that the refresh token is bound to, and the access token where the server has it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_key: Option<DpopKey>,
    /// What else was agreed on with the server.
    #[serde(default)]
    pub terms: Terms,
    /// What the next access token is fetched with.
    #[serde(default, skip_serializing_if = "Grant::is_of_a_person")]
    pub renewal: Grant,
    /// Grows with every change of the tokens.
    pub generation: u64,
    /// The tokens; `None` when the server ended the sign-in.
    pub tokens: Option<Tokens>,
}

impl SignIn {
    /// Whether there will be a next access token, as far as can be told here.
    #[must_use]
    pub fn is_renewed(&self) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| tokens.refresh_token.is_some() || !self.renewal.is_of_a_person())
    }

    /// Its client, as the endpoints of the server meet it.
    pub(crate) fn asker<'a>(&'a self, sign_ins: &'a SignIns) -> Asker<'a> {
        Asker {
            transport: sign_ins.transport(),
            clock: sign_ins.clock(),
            entropy: sign_ins.entropy(),
            client_id: &self.account.client_id,
            authentication: &self.authentication,
            prover: self.dpop_key.as_ref().map(|key| sign_ins.prover(key)),
        }
    }

    /// The issuer as it spells itself in what it signs.
    pub(crate) fn iss(&self) -> IssuerName {
        IssuerName::new(self.account.issuer.clone(), self.terms.iss.clone())
    }
}

impl Contents {
    /// The sign-in of an account.
    #[must_use]
    pub fn get(&self, account: &AccountId) -> Option<&SignIn> {
        self.sign_ins.iter().find(|sign_in| sign_in.account.id() == *account)
    }

    /// The sign-in of an account, to be changed.
    pub fn get_mut(&mut self, account: &AccountId) -> Option<&mut SignIn> {
        self.sign_ins.iter_mut().find(|sign_in| sign_in.account.id() == *account)
    }

    /// Adds a sign-in in place of an older one of the same account, which is returned. It becomes the default only
    /// where there is no other that works: another sign-in must not change what is meant elsewhere.
    pub fn put(&mut self, mut sign_in: SignIn) -> Option<SignIn> {
        let id = sign_in.account.id();
        let at = self.sign_ins.iter().position(|known| known.account.id() == id);
        let replaced = at.map(|at| self.sign_ins.remove(at));
        sign_in.generation = replaced.as_ref().map_or(1, |old| old.generation.saturating_add(1));
        self.sign_ins.push(sign_in);
        let default = self.default.as_ref().and_then(|id| self.get(id));
        if default.is_none_or(|default| default.tokens.is_none()) {
            self.default = Some(id);
        }
        replaced
    }

    /// Forgets a sign-in. The default moves to the one that came last.
    pub fn remove(&mut self, account: &AccountId) {
        self.sign_ins.retain(|known| known.account.id() != *account);
        self.helpers.forget(account);
        if self.default.as_ref() == Some(account) {
            self.default = self.sign_ins.last().map(|sign_in| sign_in.account.id());
        }
    }

    /// The one sign-in that is meant.
    ///
    /// # Errors
    /// [`NotSelected`].
    pub fn select(&self, selection: &Selection) -> Result<&SignIn, NotSelected> {
        let accounts = self.sign_ins.iter().map(|sign_in| &sign_in.account);
        let id = selection.pick(accounts, self.default.as_ref())?.id();
        self.get(&id).ok_or(NotSelected::Nobody(None))
    }
}
