//! What is promised about TLS, on a PostgreSQL of the test's own that speaks it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends when its surroundings fail"
)]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use gatepass_db::{Db, Error, Options};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::run_sql;

/// A PostgreSQL whose certificate for `localhost` is signed by an authority that only the test knows.
struct TlsServer {
    folder: tempfile::TempDir,
    url: String,
}

impl TlsServer {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Started by root, the server is another user and must get to its own folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let url = script("start", &folder.path().join("server"));
        let server = Self { folder, url };

        let mut authority = CertificateParams::new(vec![]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        fs::write(server.authority(), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();

        // The server itself writes them, so that they belong to its user.
        for (file, pem) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            let sql = format!(
                "copy (select regexp_split_to_table('{}', E'\\n')) to program 'umask 077; cat >{file}'",
                pem.trim_end().replace('\r', "")
            );
            run_sql(&server.url, &sql).await;
        }
        run_sql(&server.url, "alter system set ssl = on").await;
        run_sql(&server.url, "select pg_reload_conf()").await;
        server
    }

    /// The file of the authority's certificate.
    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Its URL with another host and with parameters.
    fn url(&self, host: &str, parameters: &str) -> String {
        format!("{}?{parameters}", self.url.replace("127.0.0.1", host))
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        script("stop", &self.folder.path().join("server"));
    }
}

fn script(verb: &str, folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
    let output = Command::new(script).arg(verb).arg(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the server says that the connection is encrypted, or why there is none.
async fn encrypted(url: &str) -> Result<bool, Error> {
    let options = Options { pool: 1, ..Options::default() };
    let db = Db::open(&url.parse()?, &options).await?;
    let ssl: Vec<i64> = db.query("select ssl::int from pg_stat_ssl where pid = pg_backend_pid()", vec![]).await?;
    Ok(ssl == [1])
}

#[tokio::test]
async fn a_server_is_believed_only_with_a_certificate_of_a_trusted_authority() {
    // The same test in a process with another trust store, see its end.
    if let Ok(url) = std::env::var(CHILD) {
        println!("it is encrypted: {:?}", encrypted(&url).await);
        return;
    }
    let server = TlsServer::start().await;
    let authority = server.authority();
    let authority = authority.to_str().unwrap();

    // The server takes a moment to read its settings.
    let trusted = server.url("localhost", &format!("sslmode=verify-full&sslrootcert={authority}"));
    for _ in 0..50 {
        if encrypted(&trusted).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    for parameters in ["sslmode=verify-full&", "sslmode=verify-ca&", "sslmode=require&", ""] {
        let url = server.url("localhost", &format!("{parameters}sslrootcert={authority}"));
        assert!(encrypted(&url).await.unwrap(), "{url}");
        let escaped = authority.replace('/', "%2F");
        let url = server.url("localhost", &format!("sslrootcert={escaped}&{}", parameters.trim_end_matches('&')));
        assert!(encrypted(url.trim_end_matches('&')).await.unwrap(), "{url}");
    }
    // Whenever TLS is spoken the certificate is verified, with `prefer` too.
    for sslmode in ["verify-full", "verify-ca", "require", "prefer", "require&sslrootcert=system"] {
        let refused = encrypted(&server.url("localhost", &format!("sslmode={sslmode}"))).await.unwrap_err().to_string();
        assert!(refused.contains("UnknownIssuer") && refused.contains("sslrootcert"), "{sslmode}: {refused}");
    }
    for sslmode in ["verify-full", "verify-ca", "require"] {
        let url = server.url("127.0.0.1", &format!("sslmode={sslmode}&sslrootcert={authority}"));
        let refused = encrypted(&url).await.unwrap_err().to_string();
        assert!(refused.contains("not valid for name"), "{sslmode}: {refused}");
    }
    assert!(!encrypted(&server.url("localhost", "sslmode=disable")).await.unwrap());

    let empty = server.folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (file, why) in [(empty.to_str().unwrap(), "no certificate"), ("/nowhere/ca.pem", "No such file")] {
        let refused = encrypted(&server.url("localhost", &format!("sslrootcert={file}"))).await.unwrap_err();
        assert!(refused.to_string().contains(why) && refused.to_string().contains(file), "{refused}");
    }

    // The system's store, where a variable names it.
    if cfg!(target_os = "linux") {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_server_is_believed_only_with_a_certificate_of_a_trusted_authority", "--nocapture"])
            .env(CHILD, server.url("localhost", "sslmode=verify-full"))
            .env("SSL_CERT_FILE", authority)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&child.stdout).contains("it is encrypted: Ok(true)"), "{child:?}");
    }
}

/// Names the URL of the child process.
const CHILD: &str = "GATEPASS_DB_TEST_TLS";
