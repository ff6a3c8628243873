//! The keys that sign what this server says: ID tokens, logout tokens, JWT access tokens.
//!
//! 1. A key is *published* first, so that verifiers have fetched it before they meet it.
//! 2. From its time on it *signs*, until the next generation of its algorithm does.
//! 3. *Retired* it stays published until the longest token that it signed is over.
//! 4. Then it is *removed*; at once when it may have been stolen.
//!
//! Keys rotate by themselves. What the database holds is read again once a minute, by whoever signs or asks for the keys
//! first; a new key is published so much earlier than it signs that every node knows it by then. The first key of an
//! algorithm is made when it is first needed.

use crate::{Authority, Event, EventKind, Failure};
use gatepass_keys::{Algorithm, JwkSet, SealingKey, ServerSecret, SigningKey};
use gatepass_oauth::UtcMillis;
use gatepass_store::{Change, signing_key::StoredKey};
use serde::Serialize;
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Mutex;

/// What the sealing key for private keys is derived for.
const PURPOSE: &str = "signing key";
/// How long what was read of the keys stays good.
const RELOAD: Duration = Duration::from_secs(60);
/// How long a retired key outlives the longest token that it signed: clocks differ.
const MARGIN: Duration = Duration::from_secs(10 * 60);

/// How often a key that is needed now is tried against other nodes that make the next one at the same time.
const TRIES: usize = 3;

/// When keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long it is published before.
    pub publish_ahead: Duration,
}

impl Default for KeySettings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { rotate_every: day * 90, publish_ahead: day }
    }
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It will sign.
    Published,
    /// It signs.
    Signing,
    /// It signed.
    Retired,
    /// Nothing that it signed lives.
    Over,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retired => "retired",
            Self::Over => "over",
        })
    }
}

/// What an operator sees of a key.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it stands.
    pub state: KeyState,
    /// Since when it is published.
    pub created_at: UtcMillis,
    /// From when on it signs.
    pub signs_from: UtcMillis,
    /// When it no longer signs, if that is known.
    pub signs_until: Option<UtcMillis>,
}

/// When the next key takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOver {
    /// After it was published for long enough.
    Ahead,
    /// At once, and the old ones are removed at once: they may have been seen. What they signed fails from then on.
    Now,
}

struct Held {
    key: Arc<SigningKey>,
    generation: i64,
    created_at: UtcMillis,
    signs_from: UtcMillis,
    signs_until: Option<UtcMillis>,
}

impl Held {
    fn state(&self, now: UtcMillis, longest: Duration) -> KeyState {
        match self.signs_until {
            Some(until) if until.plus(longest) <= now => KeyState::Over,
            Some(until) if until <= now => KeyState::Retired,
            _ if self.signs_from > now => KeyState::Published,
            _ => KeyState::Signing,
        }
    }
}

#[derive(Default)]
struct Ring {
    keys: Vec<Held>,
    read_at: Option<UtcMillis>,
}

impl Ring {
    /// The highest generation that has begun; when none has, because the node that made the only one is ahead of this
    /// one's clock, the lowest.
    fn signing(&self, algorithm: Algorithm, now: UtcMillis) -> Option<&Held> {
        let begun = self.of(algorithm).filter(|held| held.signs_from <= now);
        let first = || self.of(algorithm).min_by_key(|held| held.generation);
        begun.max_by_key(|held| held.generation).or_else(first)
    }

    fn newest(&self, algorithm: Algorithm) -> Option<&Held> {
        self.of(algorithm).max_by_key(|held| held.generation)
    }

    fn of(&self, algorithm: Algorithm) -> impl Iterator<Item = &Held> {
        self.keys.iter().filter(move |held| held.key.algorithm() == algorithm)
    }

    fn is_fresh(&self, now: UtcMillis) -> bool {
        self.read_at.is_some_and(|read_at| now < read_at.plus(RELOAD))
    }
}

/// The keys in memory.
pub(crate) struct KeyRing {
    ring: RwLock<Arc<Ring>>,
    reading: Mutex<()>,
    seal: SealingKey,
}

impl KeyRing {
    pub(crate) fn new(secret: &ServerSecret) -> Self {
        Self { ring: RwLock::default(), reading: Mutex::default(), seal: secret.sealing_key(PURPOSE) }
    }

    fn current(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, ring: Ring) -> Arc<Ring> {
        let ring = Arc::new(ring);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        ring
    }

    /// Opens what is stored; a key that is open already is not opened again.
    fn open(&self, stored: &[StoredKey], now: UtcMillis) -> Result<Ring, Failure> {
        let before = self.current();
        let mut keys = Vec::with_capacity(stored.len());
        for row in stored {
            let known = before.keys.iter().find(|held| held.key.kid() == row.kid).map(|held| held.key.clone());
            let key = match known {
                Some(key) => key,
                None => {
                    let opened = SigningKey::open(row.algorithm, &row.kid, &row.sealed, &self.seal);
                    Arc::new(opened.map_err(|error| {
                        Failure::internal(format!("{error}; start with the secret that this database was made with"))
                    })?)
                }
            };
            let later =
                stored.iter().filter(|next| next.algorithm == row.algorithm && next.generation > row.generation);
            keys.push(Held {
                key,
                generation: row.generation,
                created_at: row.created_at,
                signs_from: row.signs_from,
                signs_until: later.map(|next| next.signs_from).min(),
            });
        }
        Ok(Ring { keys, read_at: Some(now) })
    }
}

impl Authority {
    /// Signs `claims` as a JWT of this type.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sign(&self, algorithm: Algorithm, typ: &str, claims: &impl Serialize) -> Result<String, Failure> {
        let now = self.0.clock.now();
        let mut ring = self.ring().await?;
        if ring.signing(algorithm, now).is_none() {
            let _reading = self.0.keys.reading.lock().await;
            // Whoever held the lock before may have made it.
            ring = self.read_ring().await?;
            if ring.newest(algorithm).is_none() {
                let _ = self.add_key(algorithm, 1, now, made()).await?;
                ring = self.read_ring().await?;
            }
        }
        let held =
            ring.signing(algorithm, now).ok_or_else(|| Failure::internal(format!("no {algorithm} key signs")))?;
        Ok(held.key.sign(typ, claims)?)
    }

    /// The public keys that verify what this server signs, as they were last read.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        self.public_keys(&self.0.keys.current())
    }

    /// The same, read again if that is due.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn published_keys(&self) -> Result<JwkSet, Failure> {
        Ok(self.public_keys(&*self.ring().await?))
    }

    /// How long a verifier may keep the key set: much less than a key is published before it signs.
    #[must_use]
    pub fn key_set_max_age(&self) -> Duration {
        Duration::from_secs(300).min(self.0.settings.keys.publish_ahead / 4)
    }

    /// Every key, as an operator sees them.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, Failure> {
        let (now, longest) = (self.0.clock.now(), self.longest_signed());
        let info = |held: &Held| KeyInfo {
            kid: held.key.kid().to_owned(),
            algorithm: held.key.algorithm(),
            state: held.state(now, longest),
            created_at: held.created_at,
            signs_from: held.signs_from,
            signs_until: held.signs_until,
        };
        Ok(self.read_ring().await?.keys.iter().map(info).collect())
    }

    /// Makes the next key of an algorithm. One that is published already and has not begun is enough, unless it is needed
    /// now; then all that were before it are removed too, also one that has not begun: it lay beside them.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn rotate_keys(&self, algorithm: Algorithm, take_over: TakeOver) -> Result<(), Failure> {
        let _reading = self.0.keys.reading.lock().await;
        let now = self.0.clock.now();
        let ring = self.read_ring().await?;
        let next = match (ring.newest(algorithm), take_over) {
            (None, _) => Some((1, now)),
            (Some(newest), TakeOver::Ahead) if newest.signs_from > now => None,
            (Some(newest), TakeOver::Ahead) => {
                Some((newest.generation + 1, now.plus(self.0.settings.keys.publish_ahead)))
            }
            (Some(_), TakeOver::Now) => return self.replace_keys(algorithm, ring, now).await,
        };
        if let Some((generation, signs_from)) = next {
            let _ = self.add_key(algorithm, generation, signs_from, made().by_operator()).await?;
            self.read_ring().await?;
        }
        Ok(())
    }

    /// Makes a key that signs at once, and removes all that were there.
    async fn replace_keys(&self, algorithm: Algorithm, mut ring: Arc<Ring>, now: UtcMillis) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let generation = ring.newest(algorithm).map_or(1, |newest| newest.generation + 1);
            let made = self.add_key(algorithm, generation, now, self::made().by_operator()).await?;
            ring = self.read_ring().await?;
            if made == Change::Made {
                for held in ring.of(algorithm).filter(|held| held.generation < generation) {
                    self.remove_key(held.key.kid()).await?;
                }
                self.read_ring().await?;
                return Ok(());
            }
        }
        Err(Failure::internal("other nodes made the next key each time"))
    }

    async fn remove_key(&self, kid: &str) -> Result<(), Failure> {
        if self.0.store.remove_signing_key(kid).await? == Change::Made {
            self.record(Event::new(EventKind::KeyRemoved).detail(kid)).await;
        }
        Ok(())
    }

    /// The algorithms that have keys.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn key_algorithms(&self) -> Result<Vec<Algorithm>, Failure> {
        let ring = self.read_ring().await?;
        Ok(SigningKey::ALGORITHMS.iter().copied().filter(|algorithm| ring.newest(*algorithm).is_some()).collect())
    }

    /// At the start: the keys, and the first one where there is none. Nodes that start together all read after they
    /// wrote, and one of them wrote.
    pub(crate) async fn open_keys(&self) -> Result<(), Failure> {
        let _reading = self.0.keys.reading.lock().await;
        if self.read_ring().await?.newest(Algorithm::Es256).is_none() {
            let _ = self.add_key(Algorithm::Es256, 1, self.0.clock.now(), made()).await?;
            self.read_ring().await?;
        }
        Ok(())
    }

    /// How long the standard key has been signing; `None` when there is none.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn signing_key_age(&self) -> Result<Option<Duration>, Failure> {
        let now = self.0.clock.now();
        Ok(self.ring().await?.signing(Algorithm::Es256, now).map(|held| held.signs_from.until(now)))
    }

    /// The keys, read again if that is due: by one, while the others go on with what they have.
    async fn ring(&self) -> Result<Arc<Ring>, Failure> {
        let ring = self.0.keys.current();
        if ring.is_fresh(self.0.clock.now()) {
            return Ok(ring);
        }
        let Ok(_reading) = self.0.keys.reading.try_lock() else { return Ok(ring) };
        let ring = self.read_ring().await?;
        if self.tend_keys(&ring).await? { self.read_ring().await } else { Ok(ring) }
    }

    async fn read_ring(&self) -> Result<Arc<Ring>, Failure> {
        let stored = self.0.store.signing_keys().await?;
        Ok(self.0.keys.put(self.0.keys.open(&stored, self.0.clock.now())?))
    }

    /// Makes the keys that are due and removes those that are over; whether there was anything to do.
    async fn tend_keys(&self, ring: &Ring) -> Result<bool, Failure> {
        let (now, settings) = (self.0.clock.now(), self.0.settings.keys);
        let mut changed = false;
        for algorithm in SigningKey::ALGORITHMS.iter().copied() {
            let Some(newest) = ring.newest(algorithm) else { continue };
            if newest.signs_from.plus(settings.rotate_every).minus(settings.publish_ahead) <= now {
                let signs_from = now.plus(settings.publish_ahead);
                let _ = self.add_key(algorithm, newest.generation + 1, signs_from, made()).await?;
                changed = true;
            }
        }
        for held in ring.keys.iter().filter(|held| held.state(now, self.longest_signed()) == KeyState::Over) {
            self.remove_key(held.key.kid()).await?;
            changed = true;
        }
        Ok(changed)
    }

    /// Makes a key; too late when another node has made this generation, which mostly is as good.
    async fn add_key(
        &self,
        algorithm: Algorithm,
        generation: i64,
        signs_from: UtcMillis,
        event: Event,
    ) -> Result<Change, Failure> {
        let (seal, entropy) = (self.0.keys.seal.clone(), self.0.entropy.clone());
        // An RSA key takes its time.
        let made = tokio::task::spawn_blocking(move || SigningKey::generate_for(algorithm, &seal, &entropy)).await;
        let (key, sealed) = made.map_err(|_| Failure::internal("no key could be made"))??;
        let kid = key.kid().to_owned();
        let stored = StoredKey { kid, algorithm, generation, sealed, created_at: self.0.clock.now(), signs_from };
        let made = self.0.store.add_signing_key(&stored).await?;
        if made == Change::Made {
            self.record(event.detail(format!("{algorithm} {}", stored.kid))).await;
        }
        Ok(made)
    }

    fn public_keys(&self, ring: &Ring) -> JwkSet {
        let (now, longest) = (self.0.clock.now(), self.longest_signed());
        let live = ring.keys.iter().filter(|held| held.state(now, longest) != KeyState::Over);
        JwkSet { keys: live.map(|held| held.key.public().clone()).collect() }
    }

    /// The longest life of anything that is signed.
    fn longest_signed(&self) -> Duration {
        self.lifetimes().access_token.max(Duration::from_secs(60 * 60)) + MARGIN
    }
}

fn made() -> Event {
    Event::new(EventKind::KeyMade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_keys::{Clock, Entropy};

    fn ring(times: &[(i64, i64)]) -> Ring {
        let entropy = Entropy::system();
        let secret = ServerSecret::generate(&entropy).unwrap();
        let ring = KeyRing::new(&secret);
        let stored: Vec<StoredKey> = times
            .iter()
            .map(|(generation, signs_from)| {
                let (key, sealed) = SigningKey::generate(&ring.seal, &entropy).unwrap();
                StoredKey {
                    kid: key.kid().to_owned(),
                    algorithm: Algorithm::Es256,
                    generation: *generation,
                    sealed,
                    created_at: UtcMillis(0),
                    signs_from: UtcMillis(*signs_from),
                }
            })
            .collect();
        ring.open(&stored, Clock::settable(UtcMillis(0)).now()).unwrap()
    }

    #[test]
    fn the_highest_generation_that_has_begun_signs() {
        let ring = ring(&[(1, 0), (2, 1000), (3, 500)]);
        let signs = |now: i64| ring.signing(Algorithm::Es256, UtcMillis(now)).unwrap().generation;
        assert_eq!((signs(0), signs(499), signs(500), signs(5000)), (1, 1, 3, 3), "one that was overtaken never signs");
        assert!(ring.signing(Algorithm::EdDsa, UtcMillis(0)).is_none());
    }

    #[test]
    fn a_key_is_published_signs_retires_and_is_over() {
        let ring = ring(&[(1, 0), (2, 1000)]);
        let states = |now: i64| -> Vec<KeyState> {
            ring.keys.iter().map(|held| held.state(UtcMillis(now), Duration::from_millis(100))).collect()
        };
        assert_eq!(states(0), [KeyState::Signing, KeyState::Published]);
        assert_eq!(states(1000), [KeyState::Retired, KeyState::Signing]);
        assert_eq!(states(1100), [KeyState::Over, KeyState::Signing]);
    }
}
