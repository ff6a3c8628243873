//! git's helper protocol (`git-credential(1)`, `gitcredentials(7)`): lines `key=value` until an empty line.
//!
//! 1. git says which protocol and host it talks to, and from 2.46 on what else it understands (`capability[]`) and what
//!    the server asked for (`wwwauth[]`).
//! 2. A helper that has nothing for that host says nothing, and git asks the next one.
//! 3. Otherwise it says a user name and a password with its end, or, to a git that knows `authtype`, a scheme and what
//!    goes after it.
//! 4. A git that knows `state` is told that there may be another answer (`continue`): when the server refuses this
//!    one, git asks again within the same command, and gives the state back. An older git erases and fails; its next
//!    command gets a new token.

use super::{BadInput, Handed, Site};
use gatepass_oauth::Secret;
use std::{fmt::Write, io::Read};

/// The prefix of our state.
const STATE: &str = "gatepass:";

/// What git says.
#[derive(Clone, Debug, Default)]
pub struct Request {
    protocol: Option<String>,
    host: Option<String>,
    /// The user name that the URL names.
    pub username: Option<String>,
    /// The password, or what goes after the scheme: what is to be stored or erased.
    pub token: Option<Secret>,
    capabilities: Vec<String>,
    challenges: Vec<String>,
    state: Option<String>,
    is_odd: bool,
}

/// How the token goes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As a password, which every server that takes tokens understands.
    Password,
    /// As `Authorization: Bearer`.
    Bearer,
}

impl Request {
    /// Reads what git says, until an empty line or the end.
    ///
    /// # Errors
    /// [`BadInput`].
    pub fn read(input: impl Read) -> Result<Self, BadInput> {
        let text = super::bounded(input, "git")?;
        let mut request = Self::default();
        for line in text.expose().split('\n').take_while(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').ok_or(BadInput::Malformed("git"))?;
            request.take(key, value);
        }
        Ok(request)
    }

    fn take(&mut self, key: &str, value: &str) {
        let once = |place: &mut Option<String>| place.replace(value.to_owned()).is_some();
        match key {
            "protocol" => self.is_odd |= once(&mut self.protocol),
            "host" => self.is_odd |= once(&mut self.host),
            "username" => self.username = Some(value.to_owned()),
            "password" | "credential" => self.token = Some(value.into()),
            "capability[]" => self.capabilities.push(value.to_owned()),
            "wwwauth[]" => self.challenges.push(value.to_owned()),
            "state[]" => {
                if let Some(state) = value.strip_prefix(STATE) {
                    self.state = Some(state.to_owned());
                }
            }
            _ => {}
        }
        // A path is not asked about, but one that holds what no path holds was made by somebody.
        self.is_odd |= matches!(key, "protocol" | "host" | "path" | "username") && value.chars().any(char::is_control);
    }

    /// The host that git talks to; `None` when it is none that a token may go to.
    #[must_use]
    pub fn site(&self) -> Option<Site> {
        if self.is_odd {
            return None;
        }
        Site::of(self.protocol.as_deref()?, self.host.as_deref()?).ok()
    }

    /// Whether this git understands something.
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    /// How a token should go: as Bearer if git can, and either its owner wants it or the server offers that and not Basic.
    #[must_use]
    pub fn style(&self, wanted: bool) -> Style {
        let offers = |scheme: &str| {
            self.challenges.iter().any(|challenge| {
                challenge.split([' ', ',']).next().is_some_and(|first| first.eq_ignore_ascii_case(scheme))
            })
        };
        let asked = offers("bearer") && !offers("basic");
        if self.can("authtype") && (wanted || asked) { Style::Bearer } else { Style::Password }
    }

    /// The generation of the token that the server has just refused, when git asks a second time.
    #[must_use]
    pub fn refused_generation(&self) -> Option<u64> {
        self.state.as_deref()?.parse().ok()
    }
}

/// What git is answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The token.
    pub handed: Handed<'a>,
    /// The user name that goes with it.
    pub username: &'a str,
    /// How it goes.
    pub style: Style,
    /// The token's generation, when git may ask again should the server refuse it.
    pub again: Option<u64>,
}

impl Answer<'_> {
    /// The lines, in one text.
    #[must_use]
    pub fn text(&self) -> Secret {
        let token = self.handed.token.expose();
        let mut text = String::with_capacity(token.len() + 256);
        if self.again.is_some() {
            text.push_str("capability[]=state\n");
        }
        match self.style {
            Style::Bearer => {
                text.push_str("capability[]=authtype\nauthtype=Bearer\nephemeral=true\ncredential=");
                text.push_str(token);
                text.push('\n');
            }
            Style::Password => {
                let _ = writeln!(text, "username={}", self.username);
                text.push_str("password=");
                text.push_str(token);
                text.push('\n');
            }
        }
        if let Some(end) = self.handed.expires_at {
            let _ = writeln!(text, "password_expiry_utc={}", end.seconds());
        }
        if let Some(generation) = self.again {
            let _ = writeln!(text, "state[]={STATE}{generation}\ncontinue=true");
        }
        Secret::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_oauth::UtcMillis;

    fn read(text: &str) -> Request {
        Request::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_request_names_one_host_or_none() {
        let site = |text: &str| read(text).site().map(|site| site.to_string());
        assert_eq!(
            site("protocol=https\nhost=Git.example.com:443\n\nhost=x\n"),
            Some("https://git.example.com".into())
        );
        assert_eq!(site("protocol=http\nhost=127.0.0.1:80"), Some("http://127.0.0.1".into()));
        for odd in [
            "protocol=http\nhost=git.example.com\n",
            "protocol=https\nhost=git.example.com@evil.example\n",
            "protocol=https\nhost=evil.example\nhost=git.example.com\n",
            "protocol=https\nhost=git.example.com\r\n",
            "protocol=https\nhost=git.example.com\npath=a\rb\n",
            "protocol=https\nhost=git.example.com\nusername=\u{1b}[2J\n",
            "protocol=https\nhost=git.example.com/..\n",
            "protocol=ssh\nhost=git.example.com\n",
            "protocol=https\n",
            "url=https://git.example.com\n",
            "",
        ] {
            assert_eq!(site(odd), None, "{odd:?}");
        }
        assert!(matches!(Request::read("host\n".as_bytes()), Err(BadInput::Malformed("git"))));
        assert!(matches!(Request::read(vec![b'a'; 70_000].as_slice()), Err(BadInput::TooLong)));
        assert!(matches!(Request::read([0xff, 0xfe].as_slice()), Err(BadInput::Malformed("git"))));
    }

    #[test]
    fn bearer_is_for_a_git_that_can_when_somebody_wants_it() {
        let can = "capability[]=authtype\n";
        assert_eq!(read(can).style(false), Style::Password);
        assert_eq!(read(can).style(true), Style::Bearer);
        assert_eq!(read("").style(true), Style::Password);
        assert_eq!(read(&format!("{can}wwwauth[]=Bearer realm=x\n")).style(false), Style::Bearer);
        assert_eq!(read(&format!("{can}wwwauth[]=bearer\nwwwauth[]=Basic realm=x\n")).style(false), Style::Password);
        assert_eq!(read("wwwauth[]=Bearer realm=x\n").style(false), Style::Password);
    }

    #[test]
    fn the_answer_is_what_git_reads() {
        let token = Secret::from("t0ken");
        let handed = Handed { token: &token, expires_at: Some(UtcMillis(1_790_000_000_999)) };
        let answer = Answer { handed, username: "oauth2", style: Style::Password, again: None };
        assert_eq!(answer.text().expose(), "username=oauth2\npassword=t0ken\npassword_expiry_utc=1790000000\n");
        let answer = Answer { style: Style::Bearer, again: Some(7), ..answer };
        assert_eq!(
            answer.text().expose(),
            "capability[]=state\ncapability[]=authtype\nauthtype=Bearer\nephemeral=true\ncredential=t0ken\n\
             password_expiry_utc=1790000000\nstate[]=gatepass:7\ncontinue=true\n"
        );
        assert_eq!(read("state[]=other:9\nstate[]=gatepass:7\n").refused_generation(), Some(7));
    }

    proptest::proptest! {
        #[test]
        fn no_input_makes_reading_panic(input: Vec<u8>) {
            if let Ok(request) = Request::read(input.as_slice()) {
                let _ = (request.site(), request.style(true), request.refused_generation());
            }
        }
    }
}
