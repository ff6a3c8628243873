//! The revocation endpoint (RFC 7009).

use super::{Visit, asker, bounded};
use crate::{
    app::App,
    web::{failure::JsonFailure, form::Form},
};
use axum::{extract::State, http::HeaderMap};
use gatepass_oauth::Secret;

/// `200` whether or not there was such a token (§2.2).
pub(crate) async fn revoke(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Result<(), JsonFailure> {
    let work = async {
        let params = form.params()?;
        let asker = asker(&app, &headers, &params, &visit).await?;
        let token = Secret::from(params.required("token")?);
        app.authority.revoke(asker.asking(), &token).await
    };
    bounded(&app, &visit, work).await
}
