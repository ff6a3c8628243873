//! What the machine allows, on one core: the least that any server doing the same kind of work must do.
//!
//! | path | one request is |
//! |---|---|
//! | `/` | a constant answer |
//! | `/later` | the same after 2 ms, as of an API that has something to do |
//! | `/select` | SHA-256 of a token, and one indexed `select`: a bearer check |
//! | `/insert` | one `insert` in a transaction of its own: one flush to the disk each |
//! | `/group` | the same `insert`, where requests that wait together share one transaction and one flush |
//!
//! SQLite runs in WAL mode with `synchronous=full`. Arguments: `PORT DATABASE-FILE`.

use std::sync::{Arc, Mutex, mpsc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

const SCHEMA: &str = "
    create table if not exists token (hash blob primary key, client_id text, user_id text, scope text,
        created_at integer, expires_at integer) without rowid;
    create table if not exists users (id text primary key, email text) without rowid;
    insert or ignore into users values ('user', 'load@example.com');";
const INSERT: &str = "insert or ignore into token (hash, client_id, user_id, scope, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6)";
const SELECT: &str = "select u.id, u.email, t.scope from token t join users u on u.id = t.user_id
    where t.hash = ?1 and t.expires_at > ?2";
const KNOWN: &[u8] = b"known";
const GROUP: usize = 256;

#[derive(Clone)]
struct App {
    single: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    group: mpsc::Sender<oneshot::Sender<()>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(file)) = (arguments.next(), arguments.next()) else {
        panic!("arguments: PORT DATABASE-FILE");
    };
    let single = open(&file);
    single.execute_batch(SCHEMA).expect("the schema");
    insert(&single, &Sha256::digest(KNOWN), 9_999_999_999);
    let app = App {
        single: Arc::new(Mutex::new(single)),
        reader: Arc::new(Mutex::new(open(&file))),
        group: start_writer(open(&file)),
    };
    let router = Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/later", get(later))
        .route("/select", get(select))
        .route("/insert", get(insert_alone))
        .route("/group", get(insert_in_group))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port");
    axum::serve(listener, router).await.expect("serving");
}

fn open(file: &str) -> Connection {
    let connection = Connection::open(file).expect("the database file");
    connection.pragma_update(None, "journal_mode", "wal").expect("WAL");
    connection.pragma_update(None, "synchronous", "full").expect("synchronous");
    // Without this, each new value of a parameter in an inequality has the statement planned anew.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("stable plans");
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("the timeout");
    connection
}

fn insert(connection: &Connection, hash: &[u8], expires_at: i64) {
    let mut statement = connection.prepare_cached(INSERT).expect("the statement");
    let values = params![hash, "client", "user", "api:read", 1_700_000_000_i64, expires_at];
    statement.execute(values).expect("an insert");
}

fn insert_new_token(connection: &Connection) {
    let mut token = [0; 32];
    getrandom::fill(&mut token).expect("randomness");
    let hash = Sha256::digest(URL_SAFE_NO_PAD.encode(token).as_bytes());
    insert(connection, &hash, 1_700_003_600);
}

/// The thread that lets waiting requests share a transaction.
fn start_writer(connection: Connection) -> mpsc::Sender<oneshot::Sender<()>> {
    let (queue, inbox) = mpsc::channel::<oneshot::Sender<()>>();
    std::thread::spawn(move || {
        while let Ok(first) = inbox.recv() {
            let group: Vec<_> = std::iter::once(first).chain(inbox.try_iter().take(GROUP - 1)).collect();
            connection.execute_batch("begin immediate").expect("begin");
            group.iter().for_each(|_| insert_new_token(&connection));
            connection.execute_batch("commit").expect("commit");
            for reply in group {
                let _ = reply.send(());
            }
        }
    });
    queue
}

/// The runtime's own timer goes by whole milliseconds: it would let all that wait go at once, and hide or double what a
/// proxy adds.
async fn later() -> &'static str {
    let wait = || std::thread::sleep(std::time::Duration::from_millis(2));
    tokio::task::spawn_blocking(wait).await.expect("the wait");
    "ok"
}

async fn insert_alone(State(app): State<App>) -> &'static str {
    let insert = move || insert_new_token(&app.single.lock().expect("the lock"));
    tokio::task::spawn_blocking(insert).await.expect("the insert");
    "ok"
}

async fn insert_in_group(State(app): State<App>) -> &'static str {
    let (reply, answer) = oneshot::channel();
    app.group.send(reply).expect("the writer");
    answer.await.expect("the insert");
    "ok"
}

async fn select(State(app): State<App>) -> (StatusCode, String) {
    let hash = Sha256::digest(KNOWN);
    let connection = app.reader.lock().expect("the lock");
    let mut statement = connection.prepare_cached(SELECT).expect("the statement");
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    match statement.query_row(params![hash.as_slice(), 1_i64], read).optional().expect("a select") {
        Some((id, email)) => (StatusCode::OK, format!("{{\"sub\":\"{id}\",\"email\":\"{email}\"}}")),
        None => (StatusCode::UNAUTHORIZED, String::new()),
    }
}
