//! The vault's key in the operating system's keyring.
//!
//! A keyring may ask its person a question, hang on a bus that nobody serves, or not be there at all.
//! So each call runs in a thread of its own, and is waited for only so long.

use super::custody::KeyAway;
use gatepass_keys::SealingKey;
use std::{sync::mpsc, thread, time::Duration};
use zeroize::Zeroizing;

/// The service under which keyrings list the key.
const SERVICE: &str = "gatepass";
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches the key called `name`.
pub(crate) fn fetch(name: &str) -> Result<SealingKey, KeyAway> {
    let name = name.to_owned();
    let secret = within(PATIENCE, move || entry(&name)?.get_secret().map(Zeroizing::new))?;
    let bytes: [u8; 32] = secret.as_slice().try_into().map_err(|_| KeyAway("the keyring's entry is no key".into()))?;
    Ok(SealingKey::new(Zeroizing::new(bytes)))
}

/// Keeps `key` under `name`, and reads it back: a keyring that forgets is none.
pub(crate) fn keep(name: &str, key: &SealingKey) -> Result<(), KeyAway> {
    let (entry_name, bytes) = (name.to_owned(), Zeroizing::new(*key.expose()));
    within(PATIENCE, move || entry(&entry_name)?.set_secret(&*bytes))?;
    let kept = fetch(name)?;
    if kept.expose() == key.expose() { Ok(()) } else { Err(KeyAway("the keyring did not keep the key".into())) }
}

fn entry(name: &str) -> Result<keyring::Entry, keyring::Error> {
    if let Err(error) = keyring::Entry::store_status() {
        return Err(keyring::Error::NotSupportedByStore(error.to_string()));
    }
    keyring::Entry::new(SERVICE, name)
}

fn within<T: Send + 'static>(
    patience: Duration,
    call: impl FnOnce() -> Result<T, keyring::Error> + Send + 'static,
) -> Result<T, KeyAway> {
    let (sender, receiver) = mpsc::channel();
    let started = thread::Builder::new().name("keyring".into()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(call());
    });
    if started.is_err() {
        return Err(KeyAway("no thread could be started for the keyring".into()));
    }
    match receiver.recv_timeout(patience) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(KeyAway(crate::text::tidy(&error.to_string(), 200))),
        Err(_) => Err(KeyAway(format!("the keyring did not answer within {} s", patience.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_hangs_is_not_waited_for() {
        let never = within(Duration::from_millis(20), || {
            thread::sleep(Duration::from_secs(2));
            Ok(())
        });
        assert!(never.is_err());
        assert_eq!(within(PATIENCE, || Ok(7)).unwrap(), 7);
    }
}
