//! The sign-in screen: what happens during a sign-in, shown to a person or told to a program.
//!
//! | who watches | what they get | where |
//! |---|---|---|
//! | a person at a terminal | addresses, codes, a picture, a countdown that is redrawn in place | [`person`] |
//! | a person with a screen reader (`--plain`), | sentences, the code in words, a sentence a minute | [`plain`] |
//! | a program (`--json`) | an event a line on stdout | [`events`] |
//!
//! Without a terminal the person's lines are written once and nothing is redrawn. The ways (browser, pasted address, code)
//! stand on one screen and the first to finish counts; which of them run is the library's choice, and its reason is told.

mod copy;
mod events;
mod input;
mod person;
mod plain;
mod spell;

use crate::{browser, error::Error, ui::Ui};
use gatepass_client::{
    Account, Clock, Environment, Event, Person, SignIns, Ways, Wish, device::DeviceCode, oauth::UtcMillis,
    sign_in::race::PATIENCE,
};
use input::Hidden;
use std::time::Duration;
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// How the screen behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// The ways that were asked for; `None` lets the surroundings choose.
    pub(crate) ways: Option<Ways>,
    /// Leave the browser closed.
    pub(crate) no_browser: bool,
    /// Put the address on the clipboard.
    pub(crate) copy: bool,
}

/// Signs a person in, showing the way.
pub(crate) async fn sign_in(ui: &Ui, sign_ins: &SignIns, wish: &Wish, screen: Screen) -> Result<Account, Error> {
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = move |event| drop(told.send(event));
    let environment = Environment::observe(crate::env::read, ui.can_ask());
    // A script's own input is not ours to eat, unless it was said to hold the answer.
    let pastes = (ui.input_is_terminal() && input::in_foreground()) || screen.ways == Some(Ways::Paste);
    let person = Person { ways: screen.ways, pasted: pastes.then(input::lines), ..Person::new(environment, &tell) };
    let (copied, mut notes) = mpsc::unbounded_channel();
    let mut shown = Shown::new(ui, screen, pastes, copied);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    // Whoever stopped this for a while wants no storm of what was missed.
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clock = sign_ins.clock();
    let working = sign_ins.sign_in_as_wished(wish, person);
    tokio::pin!(working);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => shown.event(event, clock),
            Some(note) = notes.recv() => shown.note(&note),
            outcome = &mut working => break outcome,
            _ = second.tick() => shown.countdown(clock),
        }
    };
    // What was told in its last step.
    while let Ok(event) = events.try_recv() {
        shown.event(event, clock);
    }
    shown.clear();
    if shown.left(clock).is_some() {
        ui.bell();
    }
    Ok(outcome?)
}

/// What stands on the screen.
struct Shown<'a> {
    ui: &'a Ui,
    screen: Screen,
    ways: Option<Ways>,
    pastes: bool,
    copied: mpsc::UnboundedSender<String>,
    /// The terminal does not echo what is pasted, until the end.
    hidden: Option<Hidden>,
    /// A code that waits for the address to be shown first, and for how many seconds it has waited.
    held: Option<(DeviceCode, u8)>,
    /// When the address, and the code, are of no more use.
    page_ends: Option<UtcMillis>,
    code_ends: Option<UtcMillis>,
    /// How many rows were written.
    rows: usize,
    /// How many minutes were left when it was last told in words.
    minutes: Option<u64>,
}

impl<'a> Shown<'a> {
    fn new(ui: &'a Ui, screen: Screen, pastes: bool, copied: mpsc::UnboundedSender<String>) -> Self {
        Self {
            ui,
            screen,
            ways: screen.ways,
            pastes,
            copied,
            hidden: None,
            held: None,
            page_ends: None,
            code_ends: None,
            rows: 0,
            minutes: None,
        }
    }

    /// Tells an event. The address comes before the code, whichever the server gave first, unless it takes too long.
    fn event(&mut self, event: Event, clock: &Clock) {
        let waits = self.ways == Some(Ways::BrowserAndDevice) && self.page_ends.is_none() && !self.ui.is_json();
        match event {
            Event::Code(code) if waits => self.held = Some((code, 0)),
            event => {
                let is_turn = matches!(event, Event::Url(_) | Event::WayEnded(_));
                self.tell(&event, clock);
                if is_turn && let Some((code, _)) = self.held.take() {
                    self.tell(&Event::Code(code), clock);
                }
            }
        }
    }

    fn tell(&mut self, event: &Event, clock: &Clock) {
        match event {
            Event::Chosen(choice) => self.ways = Some(choice.ways),
            Event::Url(_) => self.page_ends = Some(clock.now().plus(PATIENCE)),
            Event::Code(code) => self.code_ends = Some(code.expires_at),
            Event::NotRevoked(_) => {
                self.clear();
                return self.ui.warn(&event.to_string());
            }
            _ => {}
        }
        if self.ui.is_json() {
            if let Some(object) = events::as_json(event, clock.now()) {
                self.ui.object(&object);
            }
        } else if self.ui.is_plain() {
            self.plainly(event, clock);
        } else {
            self.visibly(event);
        }
        self.act_on(event);
    }

    /// Opens the browser, and puts the address on the clipboard.
    fn act_on(&self, event: &Event) {
        let address = match event {
            Event::Url(url) => {
                // The surroundings chose a browser here, or the person did.
                if !self.screen.no_browser && self.ways.is_some_and(Ways::opens_browser) {
                    browser::open(url);
                }
                url
            }
            Event::Code(code) if !self.ways.is_some_and(Ways::has_page) => {
                code.verification_uri_complete.as_ref().unwrap_or(&code.verification_uri)
            }
            _ => return,
        };
        if self.screen.copy {
            copy::begin(self.ui, address, self.copied.clone());
        }
    }

    /// Something to say beside the events.
    fn note(&mut self, note: &str) {
        self.clear();
        self.say(note);
    }

    /// A line of talk, counted.
    fn say(&mut self, text: &str) {
        self.rows += self.ui.rows(text);
        self.ui.talk(text);
    }

    /// An address alone on its line.
    fn say_address(&mut self, address: &str) {
        let address: String = address.chars().filter(|c| !c.is_control()).collect();
        self.rows += address.chars().count().div_ceil(self.ui.width()).max(1);
        self.ui.talk_address(&address);
    }

    /// The time that is left for what can still be used; `None` before there is anything.
    fn left(&self, clock: &Clock) -> Option<Duration> {
        let now = clock.now();
        let code = self.code_ends.filter(|end| *end > now || self.page_ends.is_none());
        code.or(self.page_ends).map(|end| now.until(end))
    }

    fn countdown(&mut self, clock: &Clock) {
        match self.held.take() {
            Some((code, seconds)) if seconds >= 2 => self.tell(&Event::Code(code), clock),
            held => self.held = held.map(|(code, seconds)| (code, seconds + 1)),
        }
        let Some(left) = self.left(clock) else { return };
        if self.ui.is_plain() {
            self.tell_time(left.as_secs());
        } else if self.may_redraw() {
            self.ui.redraw(&person::countdown(left.as_secs(), self.ui.width()));
        }
    }

    /// What a person types would be drawn over, were it shown.
    fn may_redraw(&self) -> bool {
        let typed = self.pastes && self.page_ends.is_some() && self.ui.input_is_terminal();
        !typed || self.hidden.is_some()
    }

    fn clear(&self) {
        if (self.page_ends.is_some() || self.code_ends.is_some()) && self.may_redraw() {
            self.ui.redraw("");
        }
    }
}
