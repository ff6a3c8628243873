//! Passwords: argon2id (RFC 9106) with 19 MiB, two passes.
//!
//! Hashing takes a core for tens of milliseconds and 19 MiB, so it runs off the request threads and
//! only two at a time; more wait their turn, and memory stays bounded whatever arrives.

use crate::Failure;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use gatepass_keys::Secret;
use std::sync::{Arc, OnceLock};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How many passwords are hashed at once.
const AT_ONCE: usize = 2;
/// The fewest characters of a new password (NIST SP 800-63B §3.1.1.2 asks for eight at least).
pub(crate) const SHORTEST: usize = 10;
/// The most bytes of a password.
pub(crate) const LONGEST: usize = 1024;

pub(crate) struct Passwords {
    turn: Arc<Semaphore>,
    /// What an unknown person's password is compared with, so that the answer takes as long.
    nobody: OnceLock<String>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(AT_ONCE)), nobody: OnceLock::new() }
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, Failure> {
        self.run(move || hash(&password)).await?
    }

    /// Whether the password is the one with this hash; takes as long for nobody's hash.
    pub(crate) async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, Failure> {
        let known = stored.is_some();
        let stored = match (stored, self.nobody.get()) {
            (Some(stored), _) => stored,
            (None, Some(nobody)) => nobody.clone(),
            (None, None) => {
                let made = self.run(|| hash(&Secret::from("nobody"))).await??;
                self.nobody.get_or_init(|| made).clone()
            }
        };
        let equal = self.run(move || verify(&password, &stored)).await?;
        Ok(equal && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| Failure::internal("the server is closing"))?;
        // The turn goes with the work: whoever stops waiting does not make room for another before it is done.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        spawn_blocking(work).await.map_err(|_| Failure::internal("hashing a password was interrupted"))
    }
}

fn hash(password: &Secret) -> Result<String, Failure> {
    let hashed: Result<PasswordHash, _> = Argon2::default().hash_password(password.expose().as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|_| Failure::internal("a password could not be hashed"))
}

fn verify(password: &Secret, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".into(), Some(stored)).await.unwrap());
        assert!(!passwords.verify("nobody".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn who_stops_waiting_makes_no_room_before_the_work_is_done() {
        let passwords = Arc::new(Passwords::new());
        let (begun, release) = (Arc::new(Semaphore::new(0)), Arc::new(std::sync::Barrier::new(AT_ONCE + 1)));
        for _ in 0..AT_ONCE {
            let (passwords, begun, release) = (passwords.clone(), begun.clone(), release.clone());
            let waiting = tokio::spawn(async move {
                passwords
                    .run(move || {
                        begun.add_permits(1);
                        release.wait()
                    })
                    .await
                    .map(drop)
            });
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            waiting.abort();
        }
        let _both = begun.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert_eq!(passwords.turn.available_permits(), 0, "the work goes on, and so does its turn");
        release.wait();
        let _turns = passwords.turn.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
    }
}
