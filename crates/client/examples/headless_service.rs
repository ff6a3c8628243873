//! A service on a machine without a person: it signs itself in with the secret that its platform gives it, and goes on for as
//! long as the server takes it. What of its platform speaks for it could be an assertion as well, as in
//! `Grant::Assertion { source: AssertionSource::File { path } }`, without any client.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a service talks to its log")]

use gatepass_client::{
    AccountId, BearerError, Call, CallError, Grant, Secret, SignIns, Wish, oauth::Issuer, sign_in::wish::Proof,
};
use std::{error::Error, fs, time::Duration};

/// How long between two rounds of work.
const PAUSE: Duration = Duration::from_secs(60);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = variable("NOTES_SERVER").unwrap_or("https://notes.example.com".into());
    let sign_ins = SignIns::usual("notes-service", variable)?;
    let mut account = sign_in(&sign_ins, server.parse()?).await?;
    loop {
        // There is no refresh token: the next token is fetched as the first was, by one process of this machine at a time.
        match sign_ins.call(&account, Call::get(format!("{server}/notes").parse()?)).await {
            Ok(reply) => println!("{} bytes, status {}", reply.body.len(), reply.status),
            // The secret is another by now, if anything.
            Err(CallError::Bearer(BearerError::SignedOut | BearerError::Rejected(_))) => {
                account = sign_in(&sign_ins, server.parse()?).await?;
                continue;
            }
            Err(error) => eprintln!("later: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Signs in by the secret that lies there now.
async fn sign_in(sign_ins: &SignIns, issuer: Issuer) -> Result<AccountId, Box<dyn Error>> {
    let path = variable("NOTES_SECRET_FILE").ok_or("NOTES_SECRET_FILE is not set")?;
    let secret = Secret::from(fs::read_to_string(path)?.trim_end());
    let wish = Wish {
        client_id: Some("notes-service".parse()?),
        proof: Proof::Secret { secret, method: None },
        ..Wish::new(issuer)
    };
    Ok(sign_ins.sign_in_unattended(&wish, Grant::ClientCredentials).await?.id())
}
