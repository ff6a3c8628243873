//! Requests of one OAuth client to the endpoints of its server: each says who asks, and proves it. A sign-in that is bound to
//! a key shows that too.

use crate::{Call, ClientAuthentication, Failure, Prover, Reply, Transport, WebUrl};
use gatepass_oauth::ClientId;

/// An OAuth client, as the endpoints of its server meet it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// How to reach them.
    pub transport: &'a Transport,
    /// Who asks.
    pub client_id: &'a ClientId,
    /// How it proves itself.
    pub authentication: &'a ClientAuthentication,
    /// The key that the sign-in is bound to.
    pub prover: Option<Prover<'a>>,
}

impl Asker<'_> {
    /// Sends a form to an endpoint.
    ///
    /// # Errors
    /// [`Failure`] when no answer came; an answer of any status is none.
    pub async fn post(&self, endpoint: &WebUrl, fields: &[(&str, &str)]) -> Result<Reply, Failure> {
        match self.prover {
            Some(prover) => prover.send(self.transport, None, || self.call(endpoint, fields)).await,
            None => self.transport.send(self.call(endpoint, fields)).await,
        }
    }

    fn call(&self, endpoint: &WebUrl, fields: &[(&str, &str)]) -> Call {
        let mut form = fields.to_vec();
        match self.authentication {
            ClientAuthentication::None => form.push(("client_id", self.client_id.as_str())),
            ClientAuthentication::ClientSecretPost { secret } => {
                form.extend([("client_id", self.client_id.as_str()), ("client_secret", secret.expose())]);
            }
            ClientAuthentication::ClientSecretBasic { secret } => {
                return Call::form(endpoint.clone(), &form).with_basic(self.client_id.as_str(), secret);
            }
        }
        Call::form(endpoint.clone(), &form)
    }
}
