//! The router: every path of the server, on one page.

use crate::{
    app::App,
    health,
    metrics::{Metrics, http::Counted},
    oauth, pages, rpc,
    web::not_found,
};
use axum::{
    Router,
    routing::{get, post},
};

/// The router, which counts what passes through it when there is somebody to read it.
pub(crate) fn counted(app: &App, metrics: Option<&Metrics>) -> Router {
    match metrics {
        Some(metrics) => router(app).layer(Counted(metrics.clone())),
        None => router(app),
    }
}

fn router(app: &App) -> Router {
    Router::new()
        // The protocol.
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata::show))
        .route("/.well-known/openid-configuration", get(oauth::metadata::show))
        .route("/.well-known/oauth-protected-resource", get(oauth::metadata::resource))
        .route("/jwks", get(oauth::jwks::show))
        .route("/authorize", get(oauth::authorize::ask).post(oauth::authorize::answer))
        .route("/par", post(oauth::par::push))
        .route("/token", post(oauth::token::exchange))
        .route("/device_authorization", post(oauth::device_authorization::start))
        .route("/revoke", post(oauth::revoke::revoke))
        .route("/register", post(oauth::register::create))
        .route(
            "/register/{client_id}",
            get(oauth::register::read).put(oauth::register::replace).delete(oauth::register::remove),
        )
        .route("/introspect", post(oauth::introspect::introspect))
        .route("/userinfo", get(oauth::userinfo::show).post(oauth::userinfo::show).layer(app.userinfo.clone()))
        // The guarded API.
        .route("/api/v1/user/rpc", post(rpc::user::call).layer(app.user_api.clone()))
        // Pages.
        .route("/", get(pages::home::show))
        .route("/login", get(pages::login::show).post(pages::login::sign_in))
        .route("/logout", get(oauth::logout::ask).post(oauth::logout::answer))
        .route("/l/{code}", get(pages::ticket::follow))
        .route("/device", get(pages::device::enter).post(pages::device::look_up))
        .route("/device/{code}", get(pages::device::show).post(pages::device::decide))
        .route("/setup/{token}", get(pages::set_up::show).post(pages::set_up::create))
        .route("/assets/gatepass.css", get(pages::style))
        .route("/assets/submit.js", get(pages::form_post::script))
        // For whoever runs it.
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(not_found::path)
        .method_not_allowed_fallback(not_found::method)
        .with_state(app.clone())
}
