//! Locks without the file system's help: numbered files, of which the highest is the lock.
//!
//! ```text
//! vault.lock.7        made by whoever holds, or held, the lock last; says who, and beats
//! vault.lock.7.free   its holder let it go
//! ```
//!
//! 1. Find the highest number `n`. If nobody let it go and its holder is not dead, the lock is taken.
//! 2. Make `n + 1`, which the file system gives to one process only (`O_EXCL`, also over NFS).
//! 3. Look again. If there is a higher number by now, what was seen in step 1 was old: it is another's lock.
//! 4. Say who we are in it, and let a thread change it every second for as long as the lock is held.
//!
//! Nothing that could be the highest is ever removed or renamed. So two who find the same dead holder ask for the same
//! number, and one gets it: there is no moment at which a lock that was just taken could be removed for the dead one's.
//!
//! A holder is dead when its process is gone, if it ran here (same boot, same process namespace), or when its file has not
//! changed for [`DEAD`] while we looked on, by our own clock: those of two machines need not agree. Who was only stopped
//! for so long finds a higher number when it goes on ([`Claim::is_highest`]).

use crate::home::private_file;
use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process,
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

/// How often a holder shows that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// How long it may show nothing.
const DEAD: Duration = Duration::from_secs(7);
/// How many old numbers stay: nobody who reads the folder misses them all, however slowly it reads.
const KEPT: u64 = 8;
/// The most bytes of a lock file that are read.
const MAX_SIZE: usize = 512;

/// A lock file that we hold; dropped, it is let go.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    number: u64,
    /// Dropped, it ends the beat.
    beat: Option<SyncSender<()>>,
}

/// What was seen of a holder.
#[derive(Debug, Default)]
pub(crate) struct Sight(Option<(u64, Vec<u8>, Instant)>);

impl Sight {
    fn is_taken_by(&mut self, path: &Path, number: u64) -> io::Result<bool> {
        if number == 0 || free(path, number).try_exists()? {
            return Ok(false);
        }
        let said = match fs::read(numbered(path, number)) {
            Ok(said) => said.into_iter().take(MAX_SIZE).collect::<Vec<u8>>(),
            // A higher one made it go.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        if Holder::read(&said).is_some_and(|holder| holder.is_gone()) {
            return Ok(false);
        }
        match &self.0 {
            Some((seen, before, since)) if *seen == number && *before == said => Ok(since.elapsed() < DEAD),
            _ => {
                self.0 = Some((number, said, Instant::now()));
                Ok(true)
            }
        }
    }
}

impl Claim {
    /// Takes the lock file of `path`, unless somebody holds it.
    pub(crate) fn take(path: &Path, sight: &mut Sight) -> io::Result<Option<Self>> {
        // Step 1.
        let last = highest(path)?;
        if sight.is_taken_by(path, last)? {
            return Ok(None);
        }
        // Step 2.
        let number = last.saturating_add(1);
        let file = match private_file().write(true).create_new(true).open(numbered(path, number)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        };
        // Step 3.
        if highest(path)? != number {
            let _ = fs::remove_file(numbered(path, number));
            return Ok(None);
        }
        // Step 4. A full disk takes no word of ours, and the number is ours all the same.
        let _ = say(&file, 0);
        let (beat, end) = mpsc::sync_channel(0);
        thread::Builder::new().name("lock".into()).spawn(move || {
            let mut beats = 0u64;
            while end.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                beats = beats.wrapping_add(1);
                let _ = say(&file, beats);
            }
        })?;
        forget_before(path, number.saturating_sub(KEPT));
        Ok(Some(Self { path: path.to_owned(), number, beat: Some(beat) }))
    }

    /// Whether nobody took us for dead.
    pub(crate) fn is_highest(&self) -> bool {
        highest(&self.path).is_ok_and(|highest| highest == self.number)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.beat.take());
        // If it cannot be said, the others find that it beats no more.
        let _ = private_file().write(true).create_new(true).open(free(&self.path, self.number));
    }
}

/// Whether somebody ever took the lock file of `path`.
pub(crate) fn are_there(path: &Path) -> io::Result<bool> {
    Ok(highest(path)? > 0)
}

/// Writes who we are, and how often we did.
fn say(mut file: &File, beats: u64) -> io::Result<()> {
    let text = format!("{}\n{}\n{beats:020}\n", process::id(), this_machine());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Who a lock file says holds it.
struct Holder {
    pid: u32,
    machine: String,
}

impl Holder {
    fn read(said: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(said).ok()?.lines();
        let (pid, machine) = (lines.next()?.parse().ok()?, lines.next()?.to_owned());
        // The last line tells that the words are whole.
        lines.next().filter(|beats| beats.len() == 20)?;
        Some(Self { pid, machine })
    }

    /// Whether its process ran here and is gone.
    fn is_gone(&self) -> bool {
        let here = this_machine();
        !here.is_empty() && self.machine == here && !lives(self.pid)
    }
}

/// What names this machine since it was started, and this process namespace of it; empty where that is not known.
fn this_machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if !boot.is_empty() => format!("{} {}", boot.trim(), namespace.display()),
        _ => String::new(),
    }
}

#[cfg(unix)]
fn lives(pid: u32) -> bool {
    use rustix::{io::Errno, process};
    let Some(pid) = i32::try_from(pid).ok().and_then(process::Pid::from_raw) else { return true };
    process::test_kill_process(pid) != Err(Errno::SRCH)
}

#[cfg(not(unix))]
fn lives(_: u32) -> bool {
    true
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn free(path: &Path, number: u64) -> PathBuf {
    let mut name = numbered(path, number).into_os_string();
    name.push(".free");
    name.into()
}

/// The numbers that are there, those that were let go among them.
fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?.file_name();
        let number = entry.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
        found.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(found)
}

/// The highest number; 0 when there is none.
fn highest(path: &Path) -> io::Result<u64> {
    Ok(numbers(path)?.into_iter().max().unwrap_or(0))
}

/// Removes the numbers below `first`.
fn forget_before(path: &Path, first: u64) {
    for number in numbers(path).unwrap_or_default().into_iter().filter(|number| *number < first) {
        let _ = fs::remove_file(free(path, number));
        let _ = fs::remove_file(numbered(path, number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        (folder, path)
    }

    fn take(path: &Path) -> Option<Claim> {
        Claim::take(path, &mut Sight::default()).unwrap()
    }

    #[test]
    fn a_number_is_held_by_one_and_the_next_follows() {
        let (folder, path) = place();
        for round in 1..20 {
            let held = take(&path).unwrap();
            assert_eq!(held.number, round);
            assert!(held.is_highest() && take(&path).is_none());
        }
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert!(files <= 2 * usize::try_from(KEPT + 2).unwrap(), "{files} files are left");
    }

    #[test]
    fn of_fifty_threads_one_at_a_time_holds_it() {
        let (_folder, path) = place();
        let (inside, turns) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let threads: Vec<_> = (0..50)
            .map(|_| {
                let (path, inside, turns) = (path.clone(), Arc::clone(&inside), Arc::clone(&turns));
                thread::spawn(move || {
                    let mut sight = Sight::default();
                    let claim = loop {
                        match Claim::take(&path, &mut sight).unwrap() {
                            Some(claim) => break claim,
                            None => thread::sleep(Duration::from_millis(3)),
                        }
                    };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    thread::sleep(Duration::from_millis(1));
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    turns.fetch_add(1, Ordering::SeqCst);
                    drop(claim);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(turns.load(Ordering::SeqCst), 50);
    }

    /// Fifty find the same dead holder at once, round after round: one of them is the next.
    #[test]
    fn a_dead_holder_has_one_heir() {
        let (_folder, path) = place();
        let mut child = process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        for _ in 0..20 {
            let last = highest(&path).unwrap() + 1;
            fs::write(numbered(&path, last), format!("{gone}\n{}\n{:020}\n", this_machine(), 0)).unwrap();
            let start = Arc::new(std::sync::Barrier::new(50));
            let threads: Vec<_> = (0..50)
                .map(|_| {
                    let (path, start) = (path.clone(), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        take(&path)
                    })
                })
                .collect();
            let heirs: Vec<Claim> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
            assert_eq!(heirs.len(), 1);
            assert!(heirs[0].is_highest());
        }
    }

    #[test]
    fn one_from_elsewhere_is_dead_when_it_shows_no_sign_of_life() {
        let (_folder, path) = place();
        for said in [String::new(), format!("1\nelsewhere\n{:020}\n", 3), "junk".into()] {
            let last = highest(&path).unwrap() + 1;
            fs::write(numbered(&path, last), said).unwrap();
            let mut sight = Sight::default();
            assert!(Claim::take(&path, &mut sight).unwrap().is_none(), "who knows");
            let Sight(Some((_, _, since))) = &mut sight else { panic!("nothing was seen") };
            *since = since.checked_sub(DEAD).unwrap();
            drop(Claim::take(&path, &mut sight).unwrap().unwrap());
        }
    }

    #[test]
    fn one_who_was_stopped_for_long_finds_that_it_lost_the_lock() {
        let (_folder, path) = place();
        let stopped = take(&path).unwrap();
        let mut sight = Sight::default();
        assert!(sight.is_taken_by(&path, 1).unwrap());
        // As its file would stand if its beat had stopped.
        let said = fs::read(numbered(&path, 1)).unwrap();
        sight.0 = Some((1, said, Instant::now().checked_sub(DEAD).unwrap()));
        let heir = Claim::take(&path, &mut sight).unwrap().unwrap();
        assert!(!stopped.is_highest() && heir.is_highest());
        drop(stopped);
        assert!(heir.is_highest() && take(&path).is_none(), "letting go of a lost lock frees nobody else's");
    }

    #[test]
    fn a_holder_that_beats_is_waited_for() {
        let (_folder, path) = place();
        let held = take(&path).unwrap();
        let before = fs::read(numbered(&path, 1)).unwrap();
        let started = Instant::now();
        while fs::read(numbered(&path, 1)).unwrap() == before {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not beat");
            thread::sleep(Duration::from_millis(20));
        }
        drop(held);
    }
}
