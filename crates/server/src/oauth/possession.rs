//! The key that a request at one of the client's endpoints shows: by a DPoP proof (RFC 9449 §5), or by the certificate
//! of its connection (RFC 8705 §3). What is given for the request is bound to it.

use super::Asker;
use crate::{app::App, web::DPOP};
use axum::http::HeaderMap;
use gatepass_authority::{Failure, dpop::ProvenRequest};
use gatepass_oauth::{Confirmation, Error, ErrorCode};

impl Asker<'_> {
    /// Notes the key that this `POST` to `path` shows. A proof is used up by this.
    pub(crate) async fn with_key(self, app: &App, headers: &HeaderMap, path: &str) -> Result<Self, Failure> {
        let mut proofs = headers.get_all(&DPOP).iter();
        let confirmation = match (proofs.next(), proofs.next()) {
            (None, _) => self.certificate(),
            (Some(proof), None) => {
                let proof = proof.to_str().map_err(|_| invalid("the DPoP header is not text"))?;
                let url = app.authority.issuer().endpoint(path);
                let (client, caller) = (Some(&self.client.id), self.caller);
                let request = ProvenRequest { proof, method: "POST", url: &url, access_token: None, client, caller };
                Some(app.authority.check_proof(request).await?)
            }
            (Some(_), Some(_)) => return Err(invalid("the DPoP header is repeated").into()),
        };
        Ok(Self { confirmation, ..self })
    }

    /// The certificate of a client that proves itself by it, or is registered to have its tokens bound to it.
    fn certificate(&self) -> Option<Confirmation> {
        let bound = self.client.metadata.tls_client_certificate_bound_access_tokens
            || self.client.proof.method().is_mutual_tls();
        let shown = self.caller.certificate.as_ref().filter(|_| bound)?;
        Some(shown.certificate.confirmation())
    }
}

fn invalid(description: &'static str) -> Error {
    Error::new(ErrorCode::InvalidDpopProof, description)
}
