//! The pages that end a sign-in in the browser: one sentence each, no script, nothing from elsewhere.

/// What the browser is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It worked.
    SignedIn,
    /// The person or the server said no.
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

impl Page {
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::SignedIn => ("200 OK", "Signed in", "You can close this window and go back to your terminal."),
            Self::Refused => ("200 OK", "Not signed in", "The request was declined. You can close this window."),
            Self::Failed => (
                "200 OK",
                "Not signed in",
                "Your approval arrived, but the sign-in could not be finished. Your terminal says why.",
            ),
            Self::NotOurs => (
                "400 Bad Request",
                "Not from this sign-in",
                "This link does not belong to the sign-in that is waiting. Start again from your terminal.",
            ),
            Self::NotFound => ("404 Not Found", "Nothing here", "This port waits for the end of a sign-in."),
            Self::WrongMethod => {
                ("405 Method Not Allowed", "Nothing here", "This port waits for the end of a sign-in.")
            }
            Self::Junk => ("400 Bad Request", "Nothing here", "This port waits for the end of a sign-in."),
        }
    }

    /// The whole HTTP answer.
    #[must_use]
    pub fn answer(self) -> String {
        let (status, title, text) = self.parts();
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}\
             @media(prefers-color-scheme:dark){{body{{background:#111;color:#eee}}}}</style>\n\
             <main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_nothing_and_loads_nothing() {
        let pages = [Page::SignedIn, Page::Refused, Page::Failed, Page::NotOurs, Page::NotFound, Page::Junk];
        for answer in pages.map(Page::answer) {
            assert!(answer.contains("default-src 'none'") && answer.contains("no-store"), "{answer}");
            assert!(!answer.contains("<script") && !answer.contains("src=") && !answer.contains("href="), "{answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        }
    }
}
