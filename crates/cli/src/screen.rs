//! The sign-in screen: what happens during a sign-in, shown to a person or told as JSON.
//!
//! On a terminal a countdown is redrawn in place; elsewhere only plain lines are written. With `--json`
//! each event is one object a line on stdout: `url`, `code`, `pending`; the caller adds `done`, and
//! `error` is the common one.

use crate::{browser, error::Error, qr, ui::Ui};
use gatepass_client::{
    Account, Clock, Environment, Event, Person, SignIns, Ways, Wish, calendar::rfc3339, device::DeviceCode,
    oauth::UtcMillis, text::tidy,
};
use serde_json::{Value, json};
use std::{io::BufRead, time::Duration};
use tokio::sync::mpsc;

/// How the screen behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// The ways that were asked for; `None` lets the surroundings choose.
    pub(crate) ways: Option<Ways>,
    /// Leave the browser closed.
    pub(crate) no_browser: bool,
}

/// Signs a person in, showing the way.
pub(crate) async fn sign_in(ui: &Ui, sign_ins: &SignIns, wish: &Wish, screen: Screen) -> Result<Account, Error> {
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = move |event| drop(told.send(event));
    let environment = Environment::observe(crate::env::read, ui.can_ask());
    // A script's own input is not ours to eat, unless it was said to hold the answer.
    let pastes = ui.input_is_terminal() || screen.ways == Some(Ways::Paste);
    let person = Person { ways: screen.ways, pasted: pastes.then(read_lines), ..Person::new(environment, &tell) };
    let mut shown = Shown { ui, opens: !screen.no_browser, pastes, ways: screen.ways, deadline: None };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let working = sign_ins.sign_in_as_wished(wish, person);
    tokio::pin!(working);
    loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => shown.event(event, sign_ins.clock()),
            outcome = &mut working => {
                // What was told in its last step.
                while let Ok(event) = events.try_recv() {
                    shown.event(event, sign_ins.clock());
                }
                shown.clear();
                return Ok(outcome?);
            }
            _ = second.tick() => shown.countdown(sign_ins.clock()),
        }
    }
}

/// Reads lines from stdin in a thread, which nothing waits for when the sign-in is over.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What stands on the screen.
struct Shown<'a> {
    ui: &'a Ui,
    opens: bool,
    pastes: bool,
    ways: Option<Ways>,
    deadline: Option<UtcMillis>,
}

impl Shown<'_> {
    fn event(&mut self, event: Event, clock: &Clock) {
        if let Event::NotRevoked(_) = &event {
            self.clear();
            return self.ui.warn(&event.to_string());
        }
        if self.ui.is_json() {
            if let Some(object) = as_json(&event, clock.now()) {
                self.ui.object(&object);
            }
            if let Event::Url(url) = &event {
                self.open(url);
            }
            return;
        }
        if !matches!(event, Event::Pending) {
            self.clear();
        }
        match event {
            Event::Chosen(choice) => {
                self.ways = Some(choice.ways);
                let how = match choice.ways {
                    Ways::Browser => "by browser",
                    Ways::Paste => "by an address that you paste",
                    Ways::Device => "with a code",
                    Ways::BrowserAndDevice => "by browser or with a code",
                };
                self.ui.talk(&format!("Signing in {how}, since {}.", choice.why));
            }
            Event::Url(url) => self.url(&url),
            Event::Code(code) => self.code(&code),
            Event::Pending | Event::NotRevoked(_) => {}
            Event::Trouble(failure) => self.ui.talk(&format!("Still trying: {failure}.")),
            Event::PasteRefused(why) => self.ui.talk(&format!("Not taken, {why}. Paste again:")),
            Event::WayEnded(why) => self.ui.talk(&format!("One way is closed: {why}.")),
        }
    }

    fn url(&mut self, url: &str) {
        self.ui.talk("");
        self.ui.talk("Open this address in a browser:");
        self.ui.talk("");
        self.ui.talk_strong(url);
        self.ui.talk("");
        if self.pastes {
            self.ui.talk(
                "If the browser ends at a page that does not load, paste that page's address here and press Enter.",
            );
        }
        self.open(url);
    }

    fn code(&mut self, code: &DeviceCode) {
        self.deadline = Some(code.expires_at);
        let both = self.ways == Some(Ways::BrowserAndDevice);
        self.ui.talk("");
        self.ui.talk(if both { "Or open this address on any device:" } else { "Open this address on any device:" });
        self.ui.talk("");
        self.ui.talk_strong(&code.verification_uri);
        self.ui.talk("");
        self.ui.talk("and enter this code there:");
        self.ui.talk("");
        self.ui.talk_strong(&code.user_code);
        self.ui.talk("");
        if let Some(number) = &code.number_match {
            self.ui.talk(&format!("If the page asks for a number, it is {number}."));
        }
        // Beside an open browser a picture would only push the address off the screen.
        let target = code.verification_uri_complete.as_deref().unwrap_or(&code.verification_uri);
        if !both
            && self.ui.is_live()
            && self.ui.is_unicode()
            && let Some(picture) = qr::draw(target, self.ui.width())
        {
            self.ui.talk_whole(&picture);
        }
    }

    fn open(&self, url: &str) {
        // The surroundings chose a browser here, or the person did.
        if self.opens && self.ways.is_some_and(Ways::opens_browser) {
            browser::open(url);
        }
    }

    fn countdown(&self, clock: &Clock) {
        if let Some(deadline) = self.deadline {
            let left = clock.now().until(deadline).as_secs();
            self.ui.redraw(&format!("Waiting for you, {}:{:02} left", left / 60, left % 60));
        }
    }

    fn clear(&self) {
        if self.deadline.is_some() {
            self.ui.redraw("");
        }
    }
}

fn as_json(event: &Event, now: UtcMillis) -> Option<Value> {
    Some(match event {
        Event::Url(url) => json!({"event": "url", "url": url}),
        Event::Code(code) => json!({
            "event": "code",
            "user_code": code.user_code,
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete,
            "number_match": code.number_match,
            "expires_at": rfc3339(code.expires_at),
            "expires_in": now.until(code.expires_at).as_secs(),
        }),
        Event::Pending => json!({"event": "pending"}),
        Event::Trouble(failure) => json!({"event": "pending", "trouble": failure.to_string()}),
        Event::PasteRefused(why) => json!({"event": "pending", "trouble": tidy(why, 300)}),
        Event::Chosen(_) | Event::WayEnded(_) | Event::NotRevoked(_) => return None,
    })
}
