//! The pages that end a sign-in in the browser.
//!
//! Each says what happened, what to do next, and whether the window may be closed. No script, nothing from elsewhere, and
//! one style that the policy names by its hash; light or dark as the person has it. What a server or a stranger wrote is
//! never on them: the terminal says why.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// What the browser is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It worked.
    SignedIn,
    /// The person said no.
    Denied,
    /// The server said no.
    Refused,
    /// The answer was good, but the tokens could not be fetched.
    Failed,
    /// Not the answer that was waited for.
    NotOurs,
    /// Another path.
    NotFound,
    /// Another method.
    WrongMethod,
    /// No request at all.
    Junk,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2024;--paper:#fff;--wash:#f4f5f7;--line:#d5d9de}\
@media(prefers-color-scheme:dark){:root{--ink:#eceef0;--paper:#1b1e22;--wash:#121416;--line:#3a3f45}}\
*{box-sizing:border-box}\
body{margin:0;padding:18vh 1rem 2rem;background:var(--wash);color:var(--ink);\
font:1.0625rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}\
main{max-width:27rem;margin:0 auto;padding:1.75rem;background:var(--paper);border:1px solid var(--line);\
border-radius:.75rem;overflow-wrap:anywhere}\
h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.25}\
p{margin:0 0 .75rem}p:last-child{margin:0}";

impl Page {
    /// The status, the heading, what happened, and what to do.
    fn parts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        let nothing = ("Nothing here", "This port waits for the end of a sign-in.", "You can close this window.");
        let (status, (title, what, next)) = match self {
            Self::SignedIn => (
                "200 OK",
                (
                    "Signed in",
                    "Your terminal is signed in and goes on by itself.",
                    "You can close this window and go back to it.",
                ),
            ),
            Self::Denied => (
                "200 OK",
                (
                    "Not signed in",
                    "The sign-in was denied, as you chose. Nothing has changed.",
                    "You can close this window.",
                ),
            ),
            Self::Refused => (
                "200 OK",
                (
                    "Not signed in",
                    "The server refused the sign-in.",
                    "You can close this window. Your terminal says why.",
                ),
            ),
            Self::Failed => (
                "200 OK",
                (
                    "Not signed in",
                    "Your approval arrived, but the sign-in could not be finished.",
                    "You can close this window. Your terminal says why, and how to go on.",
                ),
            ),
            Self::NotOurs => (
                "400 Bad Request",
                (
                    "Not from this sign-in",
                    "This address does not belong to the sign-in that is waiting. Nothing has changed.",
                    "You can close this window. To sign in, use the address that your terminal shows.",
                ),
            ),
            Self::NotFound => ("404 Not Found", nothing),
            Self::WrongMethod => ("405 Method Not Allowed", nothing),
            Self::Junk => ("400 Bad Request", nothing),
        };
        (status, title, what, next)
    }

    /// The whole HTTP answer.
    #[must_use]
    pub fn answer(self) -> String {
        let (status, title, what, next) = self.parts();
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{what}</p>\n<p>{next}</p>\n</main>\n\
             </body>\n</html>\n"
        );
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let allow = if self == Self::WrongMethod { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cache-Control: no-store\r\n{allow}Connection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Page; 8] = [
        Page::SignedIn,
        Page::Denied,
        Page::Refused,
        Page::Failed,
        Page::NotOurs,
        Page::NotFound,
        Page::WrongMethod,
        Page::Junk,
    ];

    #[test]
    fn a_page_runs_nothing_and_loads_nothing() {
        for answer in ALL.map(Page::answer) {
            assert!(answer.contains("default-src 'none'") && answer.contains("no-store"), "{answer}");
            assert!(!answer.contains("unsafe-inline") && !answer.contains("url("), "{answer}");
            assert!(!answer.contains("<script") && !answer.contains("src=") && !answer.contains("href="), "{answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        }
    }

    #[test]
    fn a_page_says_what_happened_and_that_the_window_may_be_closed() {
        for page in ALL {
            let (_, title, what, next) = page.parts();
            let answer = page.answer();
            assert!(next.starts_with("You can close this window"), "{page:?}");
            for part in [format!("<h1>{title}</h1>"), format!("<title>{title}</title>"), format!("<p>{what}</p>")] {
                assert!(answer.contains(&part), "{part} in {answer}");
            }
        }
    }
}
