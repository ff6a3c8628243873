//! An API that the proxy stands before: it tells what it was asked, and answers in every manner that HTTP has.

use gatepass_testkit::tokio::{self, io::AsyncReadExt, net::TcpListener, sync::Notify};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    body::{Bytes, Frame, Incoming},
    header::{AUTHORIZATION, CONNECTION, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio_rustls::{TlsAcceptor, rustls};

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

#[derive(Default)]
pub(crate) struct Upstream {
    heard: Mutex<Vec<Heard>>,
    /// The only token that is accepted; every one while there is none.
    pub(crate) accepts: Mutex<Option<String>>,
    /// Lets `/events` go on.
    pub(crate) next: Notify,
    /// How many bytes of `/endless` were taken.
    pub(crate) taken: AtomicUsize,
    /// Whether the client of `/endless` went away.
    pub(crate) is_left: AtomicBool,
    pub(crate) url: String,
}

impl Upstream {
    /// On plain HTTP, 1.1 or 2.
    pub(crate) async fn start() -> Arc<Self> {
        Self::listen(None).await
    }

    /// With TLS, and the authority's certificate as PEM.
    pub(crate) async fn start_tls() -> (Arc<Self>, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        (Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await, made.cert.pem())
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let upstream = Arc::new(Self { url, ..Self::default() });
        let own = Arc::clone(&upstream);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, tls) = (Arc::clone(&own), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let own = Arc::clone(&own);
                        async move { Ok::<_, Infallible>(own.answer(request).await) }
                    });
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = match tls {
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await
                        }
                        None => builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await,
                    };
                });
            }
        });
        upstream
    }

    /// An address at which nobody listens.
    pub(crate) async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Heard {
        self.heard().pop().unwrap()
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        self.heard.lock().unwrap().push(Heard {
            method: request.method().to_string(),
            path: request.uri().path_and_query().unwrap().to_string(),
            version: request.version(),
            headers: request.headers().clone(),
        });
        let accepted = self.accepts.lock().unwrap().clone();
        if let Some(token) = accepted
            && request.headers().get(AUTHORIZATION).is_none_or(|value| value != &format!("Bearer {token}"))
        {
            // Before the body is there; but who closes without reading it may have its answer lost on the way.
            tokio::spawn(request.into_body().collect());
            let mut response = text("no");
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            return response;
        }
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/echo" => Response::new(request.into_body().boxed_unsync()),
            "/away" => {
                let mut response = text("");
                *response.status_mut() = StatusCode::FOUND;
                let to = request.uri().query().unwrap_or_default();
                response.headers_mut().insert(LOCATION, HeaderValue::from_str(to).unwrap());
                response
            }
            "/trailers" => {
                let trailers: HeaderMap =
                    [(hyper::header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]
                        .into_iter()
                        .collect();
                let frames = [Ok(Frame::data(Bytes::from_static(b"data"))), Ok(Frame::trailers(trailers))];
                let mut response = Response::new(StreamBody::new(Frames(frames.into_iter().collect())).boxed_unsync());
                response.headers_mut().insert("trailer", HeaderValue::from_static("grpc-status"));
                response
            }
            "/events" => {
                let (sender, receiver) = tokio::sync::mpsc::channel(1);
                tokio::spawn(async move {
                    let _ = sender.send("data: 1\n\n").await;
                    self.next.notified().await;
                    let _ = sender.send("data: 2\n\n").await;
                });
                let mut response = Response::new(StreamBody::new(Channel(receiver)).boxed_unsync());
                response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
                response
            }
            "/endless" => Response::new(StreamBody::new(Endless(self)).boxed_unsync()),
            "/socket" => socket(request),
            _ => text("here"),
        }
    }
}

fn text(text: &'static str) -> Response<Body> {
    Response::new(http_body_util::Full::from(text).map_err(|never| match never {}).boxed_unsync())
}

/// A WebSocket that says what it hears.
fn socket(mut request: Request<Incoming>) -> Response<Body> {
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{handshake::derive_accept_key, protocol::Role},
    };
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else { return text("no socket") };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let raw = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(raw, Role::Server, None).await;
        while let Some(Ok(message)) = super::proxy::next(&mut socket).await {
            if message.is_text() || message.is_binary() {
                super::proxy::send(&mut socket, message).await;
            }
        }
    });
    let mut response = text("");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).unwrap());
    response
}

struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, hyper::Error>>);

impl futures_util::Stream for Frames {
    type Item = Result<Frame<Bytes>, hyper::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}

struct Channel(tokio::sync::mpsc::Receiver<&'static str>);

impl futures_util::Stream for Channel {
    type Item = Result<Frame<Bytes>, hyper::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|text| text.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }
}

struct Endless(Arc<Upstream>);

impl futures_util::Stream for Endless {
    type Item = Result<Frame<Bytes>, hyper::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        const PIECE: &[u8] = &[7; 64 * 1024];
        self.0.taken.fetch_add(PIECE.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.is_left.store(true, Ordering::Relaxed);
    }
}

/// Reads until the other side closes.
pub(crate) async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}
