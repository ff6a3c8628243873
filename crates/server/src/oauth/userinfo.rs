//! The userinfo endpoint (OpenID Connect Core §5.3), behind the guard.

use crate::{app::App, rpc::Token};
use axum::{Extension, Json, body::Body, extract::State, http::Response, response::IntoResponse};
use gatepass_authority::UserInfo;
use gatepass_resource::Refusal;

pub(crate) async fn show(State(app): State<App>, Extension(Token(token)): Extension<Token>) -> Response<Body> {
    match &token.user {
        Some(user) => Json(UserInfo::new(&token, user)).into_response(),
        // A client's own token speaks of nobody.
        None => app.userinfo.refuse(&Refusal::InvalidToken),
    }
}
