//! Requests of one OAuth client to the endpoints of its server: each says who asks, and proves it. A sign-in that is bound to
//! a key shows that too.
//!
//! What a client signs must be of the server's time. A server that refuses it tells its time in the same answer: if ours is
//! another, it is signed once more by the server's, since a clock that is wrong is no reason to end a sign-in.

use crate::{Call, ClientAuthentication, Failure, Prover, Reply, Transport, WebUrl};
use gatepass_keys::{Clock, Entropy};
use gatepass_oauth::{ClientId, ErrorCode, client_credentials::JWT_BEARER};

/// An OAuth client, as the endpoints of its server meet it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// How to reach them.
    pub transport: &'a Transport,
    /// The time.
    pub clock: &'a Clock,
    /// Randomness.
    pub entropy: &'a Entropy,
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
        let certified = match self.authentication {
            ClientAuthentication::Tls(identity) => Some(self.transport.showing(identity.clone())),
            _ => None,
        };
        let transport = certified.as_ref().unwrap_or(self.transport);
        let believed = self.transport.memory().of(endpoint.url()).clock_ahead;
        let reply = self.send(transport, endpoint, fields).await?;
        let signs = matches!(self.authentication, ClientAuthentication::PrivateKeyJwt(_));
        if signs
            && reply.refuses_with(ErrorCode::InvalidClient)
            && transport.memory().learn_time(endpoint.url(), reply.told().date, self.clock, believed)
        {
            return Box::pin(self.send(transport, endpoint, fields)).await;
        }
        Ok(reply)
    }

    async fn send(&self, transport: &Transport, endpoint: &WebUrl, fields: &[(&str, &str)]) -> Result<Reply, Failure> {
        match self.prover {
            Some(prover) => prover.send(transport, None, || self.call(endpoint, fields)).await,
            None => transport.send(self.call(endpoint, fields)?).await,
        }
    }

    /// One try, with a proof that is good for it alone.
    fn call(&self, endpoint: &WebUrl, fields: &[(&str, &str)]) -> Result<Call, Failure> {
        let mut form = fields.to_vec();
        let named = ("client_id", self.client_id.as_str());
        let assertion;
        match self.authentication {
            ClientAuthentication::None | ClientAuthentication::Tls(_) => form.push(named),
            ClientAuthentication::ClientSecretPost { secret } => {
                form.extend([named, ("client_secret", secret.expose())]);
            }
            ClientAuthentication::ClientSecretBasic { secret } => {
                return Ok(Call::form(endpoint.clone(), &form).with_basic(self.client_id.as_str(), secret));
            }
            ClientAuthentication::PrivateKeyJwt(signer) => {
                let clock = self.transport.memory().of(endpoint.url()).clock(self.clock);
                assertion = signer.assert(self.client_id, endpoint, &clock, self.entropy)?;
                form.extend([named, ("client_assertion_type", JWT_BEARER), ("client_assertion", assertion.expose())]);
            }
            ClientAuthentication::Nameless => {}
        }
        Ok(Call::form(endpoint.clone(), &form))
    }
}
