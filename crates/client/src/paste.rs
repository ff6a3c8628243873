//! What a person may paste: the address that their browser ended at, or the bare code.
//!
//! Accepted are the whole redirect URL (`http://127.0.0.1:4711/callback?code=…&state=…`), its query
//! alone, a bare code, and `code#state`, which some servers show on a page of their own.

use gatepass_oauth::{authorization::AuthorizationAnswer, secret::Secret};
use url::Url;

/// The text is neither a redirect URL nor a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is neither the address of the last page nor a code")]
pub struct NotAnAnswer;

/// What was pasted.
#[derive(Debug)]
pub struct Pasted {
    /// What it says; `state` and `iss` are there only if the text had them.
    pub answer: AuthorizationAnswer,
    /// Whether it is the server's whole answer, and not the code of it alone.
    pub is_whole: bool,
}

/// Reads what was pasted.
///
/// # Errors
/// [`NotAnAnswer`].
pub fn read(pasted: &str) -> Result<Pasted, NotAnAnswer> {
    // A terminal may wrap a long line; whoever copies it copies the breaks along.
    let text: String = pasted.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let text = text.trim_matches(['"', '\'', '<', '>']);
    if text.is_empty() || text.len() > 16 * 1024 {
        return Err(NotAnAnswer);
    }
    if let Ok(url) = Url::parse(text)
        && matches!(url.scheme(), "http" | "https")
    {
        return query(url.query().or(url.fragment()).unwrap_or_default());
    }
    if text.contains('=') && (text.contains("code=") || text.contains("error=")) {
        return query(text.trim_start_matches('?'));
    }
    let (code, state) = match text.split_once('#') {
        Some((code, state)) => (code, Some(state.to_owned()).filter(|state| !state.is_empty())),
        None => (text, None),
    };
    // RFC 6749 appendix A.11 allows more, but nothing shorter than this is a code.
    if code.len() < 6 || !code.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(NotAnAnswer);
    }
    let code = Some(Secret::from(code));
    let answer = AuthorizationAnswer { code, error: None, error_description: None, state, iss: None };
    Ok(Pasted { answer, is_whole: false })
}

fn query(text: &str) -> Result<Pasted, NotAnAnswer> {
    let answer = AuthorizationAnswer::read(text).map_err(|_| NotAnAnswer)?;
    let says_nothing = answer.code.is_none() && answer.error.is_none();
    if says_nothing { Err(NotAnAnswer) } else { Ok(Pasted { answer, is_whole: true }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_state(text: &str) -> (String, Option<String>) {
        let Pasted { answer, is_whole } = read(text).unwrap();
        assert_eq!(is_whole, text.contains("code="), "{text}");
        (answer.code.unwrap().expose().to_owned(), answer.state)
    }

    #[test]
    fn every_shape_that_people_paste_is_understood() {
        let both = ("gpc_abc123".to_owned(), Some("s-1".to_owned()));
        for text in [
            "http://127.0.0.1:4711/callback?code=gpc_abc123&state=s-1&iss=http%3A%2F%2Fx",
            "  \"http://127.0.0.1:4711/callback?state=s-1&code=gpc_abc123\"\r\n",
            "http://127.0.0.1:4711/callback?code=gpc_\n  abc123&state=s-1",
            "?code=gpc_abc123&state=s-1",
            "code=gpc_abc123&state=s-1",
            "gpc_abc123#s-1",
        ] {
            assert_eq!(code_and_state(text), both, "{text}");
        }
        assert_eq!(code_and_state(" gpc_abc123\n"), ("gpc_abc123".into(), None));
        assert_eq!(read("http://x/cb?error=access_denied").unwrap().answer.error.as_deref(), Some("access_denied"));
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        for text in ["", "   ", "yes", "http://127.0.0.1/callback", "https://a.example/?code=1&code=2", "grüße-an-alle"]
        {
            assert_eq!(read(text).unwrap_err(), NotAnAnswer, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,200}") {
            let _ = read(&text);
        }
    }
}
