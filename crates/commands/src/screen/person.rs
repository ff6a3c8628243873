//! What a person sees.
//!
//! An address or a code stands alone on its line, so that it can be copied, and is never broken by us. The picture for a
//! phone is drawn only where address and code stay on the screen above it.

use super::{Shown, input::Hidden};
use crate::qr;
use gatepass_client::{Event, Ways, device::DeviceCode, text::tidy};

/// The most characters of a sentence that somebody else had a hand in.
const LONGEST: usize = 500;

/// What stands above an address in place of one that is over.
pub(super) const RENEWED: &str = "The address above is over for whoever has not opened it. Open this one instead:";

impl Shown<'_> {
    /// Shows an event.
    pub(super) fn visibly(&mut self, event: &Event) {
        if !matches!(event, Event::Pending) {
            self.clear();
        }
        match event {
            Event::Chosen(choice) => {
                self.say(&format!("Signing in {}, since {}.", how(choice.ways), choice.why));
            }
            Event::Url(url) => self.url(url),
            Event::UrlRenewed(url) => {
                self.say("");
                self.say(RENEWED);
                self.say("");
                self.say_address(url);
                self.say("");
            }
            Event::Code(code) => self.code(code),
            Event::Pending | Event::NotRevoked(_) => {}
            Event::Trouble(failure) => self.say(&tidy(&format!("Still trying: {failure}."), LONGEST)),
            Event::PasteRefused(why) => self.say(&tidy(&format!("Not taken, {why}. Paste again:"), LONGEST)),
            Event::WayEnded(why) => self.say(&tidy(&format!("One way is closed: {why}."), LONGEST)),
        }
    }

    fn url(&mut self, url: &str) {
        self.say("");
        let also = self.code_ends.is_some();
        self.say(if also { "Or open this address in a browser:" } else { "Open this address in a browser:" });
        self.say("");
        self.say_address(url);
        self.say("");
        if self.pastes {
            self.say(
                "If the browser ends at a page that does not load, paste that page's address here and press Enter.",
            );
            if self.ui.is_live() {
                self.hidden = Hidden::begin();
            }
            if self.hidden.is_some() {
                self.say("What you paste is not shown.");
            }
        }
    }

    fn code(&mut self, code: &DeviceCode) {
        let also = self.page_ends.is_some();
        self.say("");
        self.say(if also { "Or open this address on any device:" } else { "Open this address on any device:" });
        self.say("");
        self.say_address(&code.verification_uri);
        self.say("");
        self.say("and enter this code there:");
        self.say("");
        self.rows += 1;
        self.ui.talk_strong(&code.user_code);
        self.say("");
        if let Some(number) = &code.number_match {
            self.say(&format!("If the page asks for a number, it is {number}."));
        }
        // Beside an open browser a picture would only be in the way.
        if self.ways != Some(Ways::BrowserAndDevice) {
            self.picture(code.verification_uri_complete.as_deref().unwrap_or(&code.verification_uri));
        }
    }

    fn picture(&mut self, target: &str) {
        if !self.ui.is_live() || !self.ui.is_unicode() {
            return;
        }
        // Below it stands the countdown.
        let room = self.ui.height().saturating_sub(self.rows + 1);
        if let Some(picture) = qr::draw(target, self.ui.width(), room) {
            self.rows += picture.lines().count();
            self.ui.talk_whole(&picture);
        }
    }
}

/// How a sign-in goes about it, in a sentence.
pub(super) fn how(ways: Ways) -> &'static str {
    match ways {
        Ways::Browser => "by browser",
        Ways::Paste => "by an address that you paste",
        Ways::Device => "with a code",
        Ways::BrowserAndDevice => "by browser or with a code",
    }
}

/// The countdown, as long as fits.
pub(super) fn countdown(seconds: u64, width: usize) -> String {
    let time = format!("{}:{:02}", seconds / 60, seconds % 60);
    [format!("Waiting for you, {time} left"), format!("{time} left")]
        .into_iter()
        .find(|text| text.len() < width)
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countdown_is_as_long_as_the_terminal_is_wide() {
        assert_eq!(countdown(599, 80), "Waiting for you, 9:59 left");
        assert_eq!(countdown(61, 20), "1:01 left");
        assert_eq!(countdown(0, 8), "0:00");
    }
}
