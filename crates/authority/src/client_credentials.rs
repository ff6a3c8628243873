//! A client's own token (RFC 6749 §4.4): no person, no refresh token.

use crate::{Asking, Authority, Event, EventKind, Failure, issue::choose_scope, resources::OF_THE_PERSON};
use gatepass_oauth::{Error, ErrorCode, ResourceUri, Scope, TokenResponse};

impl Authority {
    /// Gives a client a token on its own behalf.
    ///
    /// # Errors
    /// `unauthorized_client` for a public client; `invalid_scope`; `invalid_target`.
    pub async fn client_credentials(
        &self,
        asking: Asking<'_>,
        scope: Option<&Scope>,
        resource: Option<&ResourceUri>,
    ) -> Result<TokenResponse, Failure> {
        let client = asking.client;
        if !client.is_confidential() {
            return Err(
                Error::new(ErrorCode::UnauthorizedClient, "a public client has no credentials of its own").into()
            );
        }
        let scope = match scope.filter(|scope| !scope.is_empty()) {
            Some(asked) => choose_scope(client, Some(asked))?,
            // What speaks of a person has no meaning here, and is not given to who asks for nothing.
            None => client.scope.iter().filter(|name| !OF_THE_PERSON.contains(name)).collect(),
        };
        let (scope, resource) = self.choose_target(client, scope, resource).await?;
        let (token, plain) = self.mint_access_token(asking, &scope, &resource, self.0.clock.now())?;
        let (token, text) = self.in_format(token, plain, None).await?;
        self.0.store.add_access_token(&token).await?;
        self.record(Event::new(EventKind::TokenIssued).client(&client.id).about(token.id).from(asking.caller)).await;
        Ok(self.answer(asking, text, None, &scope, None))
    }
}
