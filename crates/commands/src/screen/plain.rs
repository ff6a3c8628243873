//! What a screen reader reads: sentences from top to bottom, nothing drawn over, the code in words, and once a minute how
//! long is left.

use super::{
    Shown,
    person::{self, RENEWED},
    spell::{self, amount},
};
use gatepass_client::{Clock, Event, device::DeviceCode, text::tidy};

impl Shown<'_> {
    /// Tells an event.
    pub(super) fn plainly(&mut self, event: &Event, clock: &Clock) {
        match event {
            Event::Chosen(choice) => {
                self.say(&format!("Signing in {}, since {}.", person::how(choice.ways), choice.why));
            }
            Event::Url(url) => {
                let also = self.code_ends.is_some();
                self.say(if also { "Or open this address in a browser:" } else { "Open this address in a browser:" });
                self.say_address(url);
                if self.pastes {
                    self.say(
                        "If the browser ends at a page that does not load, paste that page's address here and press \
                         Enter.",
                    );
                }
                self.begin_time(clock);
            }
            Event::UrlRenewed(url) => {
                self.say(RENEWED);
                self.say_address(url);
            }
            Event::Code(code) => {
                self.code_in_words(code);
                self.begin_time(clock);
            }
            Event::Pending | Event::NotRevoked(_) => {}
            Event::Trouble(failure) => self.say(&tidy(&format!("Still trying: {failure}."), 500)),
            Event::PasteRefused(why) => self.say(&tidy(&format!("Not taken, {why}. Paste again."), 500)),
            Event::WayEnded(why) => self.say(&tidy(&format!("One way is closed: {why}."), 500)),
        }
    }

    fn code_in_words(&mut self, code: &DeviceCode) {
        let also = self.page_ends.is_some();
        self.say(if also { "Or open this address on any device:" } else { "Open this address on any device:" });
        self.say_address(&code.verification_uri);
        self.say(&format!("Enter this code there: {}", code.user_code));
        self.say(&format!("The code in words: {}.", spell::code(&code.user_code)));
        if let Some(number) = &code.number_match {
            self.say(&format!("If the page asks for a number, it is {number}: {}.", spell::code(number)));
        }
    }

    fn begin_time(&mut self, clock: &Clock) {
        if let Some(left) = self.left(clock) {
            // The moment that has passed already is not told.
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            self.say(&format!("You have {}.", amount(seconds)));
            self.minutes = Some(seconds.div_ceil(60));
        }
    }

    /// Says how long is left, when another minute is over.
    pub(super) fn tell_time(&mut self, seconds: u64) {
        let minutes = seconds.div_ceil(60);
        if self.minutes.is_some_and(|told| minutes < told) {
            self.minutes = Some(minutes);
            match minutes {
                0 => {}
                1 => self.say("1 minute is left."),
                minutes => self.say(&format!("{minutes} minutes are left.")),
            }
        }
    }
}
