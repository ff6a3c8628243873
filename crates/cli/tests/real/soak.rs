//! Fifty processes with access tokens of five seconds, `kill -9` at random, a network that fails, names that do not resolve,
//! clocks that are an hour off or stepped by one, and lock files from half of the time on: at the end nobody was asked to
//! sign in again, no family was revoked, and the vault is whole.
//!
//! It takes a minute, and longer where a fault has not come by then: a run without its faults proves nothing.
//! `GATEPASS_TEST_SOAK=600` lets it go on for ten minutes. What happened is printed in numbers.

use crate::support::{Dice, Faults, Place, Preload, Server, Terminal, Weather, files, lasting_port};
use gatepass_client::{
    AccountId, BearerError, Call, CallError, Clock, Entropy, Home, KeySources, Locking, SignIns, Transport, Vault,
    transport::Timeouts,
};
use gatepass_testkit::tokio;
use std::{
    fmt::Write,
    io::Read,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const PROCESSES: u64 = 50;
/// Users of the library in this process, whose clocks are stepped.
const STEPPED: u64 = 4;
const HOUR: i64 = 3_600_000;
/// The longest that one call may take: a wait for the lock, and the refresh.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came of all the calls.
#[derive(Default)]
struct Tally {
    done: AtomicU32,
    /// No token now; the sign-in is kept.
    later: AtomicU32,
    killed: AtomicU32,
    steps: AtomicU32,
    /// Processes whose clock was an hour off.
    hour_off: AtomicU32,
    /// Calls that failed since a name was not resolved.
    unresolved: AtomicU32,
    wrong: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Tally {
    fn count(&self, counter: &AtomicU32) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn soak_of_fifty_processes_loses_no_sign_in() {
    let span = Duration::from_secs(std::env::var("GATEPASS_TEST_SOAK").map_or(60, |text| text.parse().unwrap()));
    let (place, port) = (Place::sqlite().await, lasting_port());
    let preload = Arc::new(Preload::new(place.folder()));
    place.settings(&format!("public_url = \"http://localhost:{port}\"\n[lifetimes]\naccess_token = \"5s\"\n"));
    let server = place.serve_with_user();
    let faults = Faults::before(&server.address, port);
    let terminal = Arc::new(Terminal::signed_in(&server).await);

    faults.fail(true);
    let (tally, started) = (Arc::new(Tally::default()), Instant::now());
    let threads: Vec<_> = (0..PROCESSES + STEPPED)
        .map(|number| {
            let (terminal, tally, url) = (Arc::clone(&terminal), Arc::clone(&tally), server.url.clone());
            let preload = Arc::clone(&preload);
            let locking = if number % 2 == 0 { Locking::Auto } else { Locking::Files };
            thread::spawn(move || match number < PROCESSES {
                true => run_processes(&terminal, &preload, &tally, Dice::new(number)),
                false => Stepped::new(&terminal, locking, &url).run(&tally, Dice::new(number)),
            })
        })
        .collect();
    thread::sleep(span / 2);
    lock_by_files(&terminal);
    let missing = || numbers(&server, &faults, &tally).into_iter().find(|(_, count)| *count == 0);
    while started.elapsed() < span || (missing().is_some() && started.elapsed() < 3 * span) {
        thread::sleep(Duration::from_millis(200));
    }
    tally.over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    faults.fail(false);

    let report = report(&server, &faults, &tally, started.elapsed());
    println!("{report}");
    assert_eq!(missing(), None, "this never happened\n{report}");
    let wrong = tally.wrong.lock().unwrap();
    assert!(
        wrong.is_empty(),
        "{report}{} went wrong, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    assert_eq!(server.logged("a refresh token was used again"), 0, "{report}");
    let audit = place.admin(&["audit", "--json", "--since", "1h", "--kind", "refresh_reused"]).done();
    assert_eq!(audit.trim(), "", "{report}");
    // The proxy may be away for a moment still.
    thread::sleep(Duration::from_secs(1));
    terminal.run(&["token", "--min-ttl", "4s"]).done();
    terminal.run(&["whoami"]).done();
    assert_eq!(terminal.run(&["status", "--json"]).json()["accounts"][0]["signed_in"], true);
    let damaged = files(terminal.home()).into_iter().filter(|(path, _)| path.to_string_lossy().contains("damaged"));
    assert_eq!(damaged.count(), 0, "{report}");
    assert!(tally.done.load(Ordering::Relaxed) > 50, "too little happened\n{report}");
}

/// Changes how processes keep each other out, while they run.
fn lock_by_files(terminal: &Terminal) {
    let (new, settings) = (terminal.home().join("config.new"), terminal.home().join("config.toml"));
    std::fs::write(&new, "locking = \"files\"\n").unwrap();
    std::fs::rename(new, settings).unwrap();
}

/// All that a run must have seen.
fn numbers(server: &Server, faults: &Faults, tally: &Tally) -> [(&'static str, u32); 13] {
    let did = &faults.did;
    [
        ("calls that brought what they should", tally.done.load(Ordering::Relaxed)),
        ("calls told to come again later", tally.later.load(Ordering::Relaxed)),
        ("processes killed", tally.killed.load(Ordering::Relaxed)),
        ("steps of a clock", tally.steps.load(Ordering::Relaxed)),
        ("processes whose clock was an hour off", tally.hour_off.load(Ordering::Relaxed)),
        ("calls without names", tally.unresolved.load(Ordering::Relaxed)),
        ("refreshes", u32::try_from(server.logged("a refresh token was rotated")).unwrap()),
        ("refreshes repeated", u32::try_from(server.logged("a refresh was repeated")).unwrap()),
        ("requests passed on", did.passed.load(Ordering::Relaxed)),
        ("token answers dropped", did.dropped.load(Ordering::Relaxed)),
        ("answers made up", did.made_up.load(Ordering::Relaxed)),
        ("requests swallowed", did.swallowed.load(Ordering::Relaxed)),
        ("times without a server", did.went_away.load(Ordering::Relaxed)),
    ]
}

fn report(server: &Server, faults: &Faults, tally: &Tally, span: Duration) -> String {
    let mut text = format!("in {} s\n", span.as_secs());
    for (what, count) in numbers(server, faults, tally) {
        writeln!(text, "{count:>8}  {what}").unwrap();
    }
    text
}

/// One process after another, with pauses.
fn run_processes(terminal: &Terminal, preload: &Preload, tally: &Tally, mut dice: Dice) {
    thread::sleep(Duration::from_millis(u64::from(dice.below(2000))));
    while !tally.is_over() {
        let weather = match dice.below(20) {
            0 => Weather::WrongClock("+1h"),
            1 => Weather::WrongClock("-1h"),
            2 => Weather::NoNames,
            _ => Weather::Fair,
        };
        let doomed = dice.below(100) < 20;
        let arguments: &[&str] = match dice.below(10) {
            // It refreshes in any case: there is something to be killed in the middle of.
            0..6 if doomed => &["token", "--min-ttl", "1h"],
            // It asks the server in any case.
            _ if weather == Weather::NoNames => &["whoami"],
            0 | 1 => &["whoami"],
            2 | 3 => &["token", "--min-ttl", "3s"],
            _ => &["token"],
        };
        let mut command = terminal.command(arguments);
        preload.apply(weather, &mut command);
        if matches!(weather, Weather::WrongClock(_)) {
            tally.count(&tally.hour_off);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if doomed {
            thread::sleep(Duration::from_millis(u64::from(dice.below(100))));
            child.kill().unwrap();
            let killed = child.wait().unwrap().code().is_none();
            tally.count(if killed { &tally.killed } else { &tally.done });
        } else {
            judge(&mut child, arguments, weather, tally);
        }
        thread::sleep(Duration::from_millis(u64::from(2000 + dice.below(4000))));
    }
}

fn judge(child: &mut Child, arguments: &[&str], weather: Weather, tally: &Tally) {
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > until => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            None => thread::sleep(Duration::from_millis(25)),
        }
    };
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    match status.code() {
        Some(0) => tally.count(&tally.done),
        Some(4) if weather == Weather::NoNames => tally.count(&tally.unresolved),
        Some(4) => tally.count(&tally.later),
        Some(1) if said.contains("the sign-in is kept") => tally.count(&tally.later),
        code => tally.wrong.lock().unwrap().push(format!("{arguments:?}, {weather:?} ended with {code:?}: {said}")),
    }
}

/// A user of the library whose clock is stepped.
struct Stepped {
    sign_ins: SignIns,
    clock: Arc<AtomicI64>,
    account: AccountId,
    api: String,
}

impl Stepped {
    fn new(terminal: &Terminal, locking: Locking, url: &str) -> Self {
        let clock = Arc::new(AtomicI64::new(Clock::System.now().0));
        let (settable, entropy) = (Clock::Settable(Arc::clone(&clock)), Entropy::system());
        let sources = KeySources { no_keyring: true, ..KeySources::default() };
        let home = Home::at(terminal.home()).with_locking(locking);
        let vault = Vault::new(home, sources, settable.clone(), entropy.clone());
        let timeouts = Timeouts { connect: Duration::from_secs(3), whole: Duration::from_secs(10) };
        let account = vault.read().unwrap().default.unwrap();
        let sign_ins = SignIns::new(vault, Transport::with_timeouts(timeouts), settable, entropy);
        Self { sign_ins, clock, account, api: format!("{url}/api/v1/user/rpc") }
    }

    fn run(&self, tally: &Tally, mut dice: Dice) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut by = 0;
        while !tally.is_over() {
            if dice.below(2) == 0 {
                by = [0, HOUR, -HOUR][usize::try_from(dice.below(3)).unwrap()];
                tally.count(&tally.steps);
            }
            self.clock.store(Clock::System.now().0 + by, Ordering::SeqCst);
            let outcome = match dice.below(2) {
                0 => {
                    runtime.block_on(self.sign_ins.bearer(&self.account, None)).map(|_| 200).map_err(CallError::Bearer)
                }
                _ => runtime.block_on(self.whoami()),
            };
            match outcome {
                Ok(200) => tally.count(&tally.done),
                Ok(503) | Err(CallError::Bearer(BearerError::Transient(_)) | CallError::Failure(_)) => {
                    tally.count(&tally.later);
                }
                other => tally.wrong.lock().unwrap().push(format!("a stepped clock: {other:?}")),
            }
            thread::sleep(Duration::from_millis(u64::from(1500 + dice.below(3000))));
        }
    }

    async fn whoami(&self) -> Result<u16, CallError> {
        let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "whoami"});
        let call = Call::json(self.api.parse().unwrap(), &body);
        self.sign_ins.call(&self.account, call).await.map(|reply| reply.status)
    }
}
