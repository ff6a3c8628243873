//! The userinfo endpoint (OpenID Connect Core §5.3), behind the guard.

use crate::{app::App, rpc::Token};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{Response, request::Parts},
    response::IntoResponse,
};
use gatepass_authority::UserInfo;
use gatepass_resource::{Refusal, RefusedRequest};

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response<Body> {
    let (Parts { headers, extensions, .. }, _) = request.into_parts();
    let token = extensions.get::<Token>();
    match token.and_then(|Token(token)| Some((token, token.user.as_ref()?))) {
        Some((token, user)) => Json(UserInfo::new(token, user)).into_response(),
        None => {
            // A client's own token speaks of nobody.
            let refusal = &Refusal::InvalidToken;
            app.userinfo.refuse(RefusedRequest { refusal, token, headers: &headers, extensions: &extensions }).await
        }
    }
}
