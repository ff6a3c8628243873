//! A daemon on a machine without a browser: somebody signs it in once with a code, and it goes on by itself.
//!
//! What can go wrong falls into three kinds, and each has its answer:
//!
//! | what | the daemon |
//! |---|---|
//! | the network or the server is away | tries again later; nothing is lost |
//! | the server has ended the sign-in | shows a new code, and waits for a person |
//! | the vault cannot be read or written | ends, since going on could lose a sign-in |
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a daemon talks to its log")]

use gatepass_client::{
    AccountId, BearerError, Call, CallError, Environment, Failure, Person, SignInError, SignInRequest, SignIns, Ways,
    environment::host_name,
};
use std::{error::Error, time::Duration};

/// How long between two rounds of work.
const PAUSE: Duration = Duration::from_secs(60);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = variable("NOTES_SERVER").unwrap_or("https://notes.example.com".into());
    let sign_ins = SignIns::usual("notes-daemon", variable)?;
    let mut request = SignInRequest::new(server.parse()?, "notes-daemon".parse()?);
    request.device_name = host_name(variable);
    let mut account = match sign_ins.vault().read()?.select(&Default::default()) {
        Ok(sign_in) => sign_in.account.id(),
        Err(_) => sign_in(&sign_ins, &request).await?,
    };
    loop {
        // The token is renewed before its end and after a 401, by one process on this machine at a time.
        match sign_ins.call(&account, Call::get(format!("{server}/notes").parse()?)).await {
            Ok(reply) => println!("{} bytes, status {}", reply.body.len(), reply.status),
            Err(CallError::Bearer(BearerError::SignedOut | BearerError::Rejected(_))) => {
                account = sign_in(&sign_ins, &request).await?;
                continue;
            }
            Err(CallError::Bearer(BearerError::Transient(cause))) => eprintln!("later: {cause}"),
            Err(CallError::Failure(failure)) => eprintln!("later: {failure}"),
            Err(CallError::Bearer(error @ BearerError::Vault(_))) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Shows a code until somebody has entered it on another device.
async fn sign_in(sign_ins: &SignIns, request: &SignInRequest) -> Result<AccountId, Box<dyn Error>> {
    loop {
        let show = |event| eprintln!("{event}");
        let person = Person { ways: Some(Ways::Device), ..Person::new(Environment::default(), &show) };
        match sign_ins.sign_in(request, person).await {
            Ok(account) => return Ok(account.id()),
            // A code lives for minutes, and a server may be away; a daemon waits for its person.
            Err(
                SignInError::Device(_) | SignInError::TimedOut | SignInError::NoTokens(Failure::Unreachable { .. }),
            ) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
