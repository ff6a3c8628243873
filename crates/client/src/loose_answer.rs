//! Answers that say the right thing in another form.
//!
//! A token or device answer is JSON (RFC 6749 §5.1). Some servers answer as a form, as drafts of old had it, and some put
//! numbers into quotes. Neither leaves room for a misunderstanding, so both are read. What is no answer in any form stays
//! as it is, to be refused by whoever reads it.

use crate::Reply;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// The members of which an answer must have one to count as such.
const MARKS: [&str; 3] = ["access_token", "device_code", "error"];
/// The members that are numbers, whatever stands around them.
const NUMBERS: [&str; 2] = ["expires_in", "interval"];
/// The most members that a form may have.
const MAX_MEMBERS: usize = 32;

/// The reply with its answer in JSON, where it can be told in JSON.
#[must_use]
pub fn told_in_json(mut reply: Reply) -> Reply {
    let object = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) => None,
        Err(_) => form(&reply.body),
    };
    if let Some(mut object) = object
        && let Ok(body) = serde_json::to_vec({
            unquote(&mut object);
            &object
        })
    {
        reply.body = body;
    }
    reply
}

/// A form as an object; `None` for a page, a repeated member, or anything else that is no answer.
fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'{' | b'"');
    let body = body.trim_ascii();
    if !body.iter().all(plain) {
        return None;
    }
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        if object.len() == MAX_MEMBERS || object.insert(name.into_owned(), value.into_owned().into()).is_some() {
            return None;
        }
    }
    MARKS.iter().any(|mark| object.contains_key(*mark)).then_some(object)
}

fn unquote(object: &mut Map<String, Value>) {
    for name in NUMBERS {
        if let Some(value) = object.get_mut(name)
            && let Some(number) = value.as_str().and_then(|text| text.trim().parse::<u64>().ok())
        {
            *value = number.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Option<Value> {
        let object = form(body.as_bytes());
        object.map(|mut object| {
            unquote(&mut object);
            Value::Object(object)
        })
    }

    #[test]
    fn a_form_is_an_answer_only_when_it_can_be_nothing_else() {
        assert_eq!(
            told("access_token=gho_1&scope=repo%2Cgist&token_type=bearer"),
            Some(serde_json::json!({"access_token": "gho_1", "scope": "repo,gist", "token_type": "bearer"}))
        );
        assert_eq!(told("device_code=3584&expires_in=900&interval=5\n").unwrap()["expires_in"], serde_json::json!(900));
        for other in [
            "",
            "<html>access_token=x</html>",
            "{\"access_token\"",
            "hello",
            "token=x",
            "access_token=a&access_token=b",
            "see access_token=a",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _ = form(&body);
        }
    }
}
