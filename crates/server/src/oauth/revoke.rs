//! The revocation endpoint (RFC 7009).

use super::{Posted, asker, bounded};
use crate::{app::App, web::failure::JsonFailure};
use axum::extract::State;
use gatepass_oauth::Secret;

/// `200` whether or not there was such a token (§2.2).
pub(crate) async fn revoke(State(app): State<App>, posted: Posted) -> Result<(), JsonFailure> {
    let work = || async {
        let params = posted.form.params()?;
        let asker = asker(&app, &posted, &params).await?;
        let token = Secret::from(params.required("token")?);
        app.authority.revoke(asker.asking(), &token).await
    };
    bounded(&app, &posted.visit, work).await
}
