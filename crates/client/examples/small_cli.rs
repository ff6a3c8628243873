//! A whole small command line: `login`, `logout`, and a request with a token.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

use gatepass_client::{Call, Environment, Person, SignInRequest, SignIns};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name: &str| std::env::var(name).ok();
    let server = variable("NOTES_SERVER").unwrap_or("https://notes.example.com".into());
    let sign_ins = SignIns::usual("notes", variable)?;
    let account =
        || Ok::<_, Box<dyn std::error::Error>>(sign_ins.vault().read()?.select(&Default::default())?.account.id());
    match std::env::args().nth(1).as_deref() {
        Some("login") => {
            let request = SignInRequest::new(server.parse()?, "notes-cli".parse()?);
            let show = |event| eprintln!("{event}");
            let account = sign_ins.sign_in(&request, Person::new(Environment::observe(variable, true), &show)).await?;
            eprintln!("Signed in as {account}");
        }
        Some("logout") => drop(sign_ins.sign_out(&account()?).await?),
        _ => {
            let call = Call::get(format!("{server}/notes").parse()?);
            println!("{}", String::from_utf8_lossy(&sign_ins.call(&account()?, call).await?.body));
        }
    }
    Ok(())
}
