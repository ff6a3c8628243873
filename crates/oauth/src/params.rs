//! Request parameters: the query of `authorize`, the form body of every other endpoint.
//!
//! RFC 6749 §3.1 and §3.2 set the rules: a parameter must not come twice, one without a value counts
//! as left out, one that is not known is ignored. Appendix B adds that names and values are UTF-8.
//! Every parameter is bounded here, once, so that no endpoint meets a value of a megabyte.
//!
//! Whoever must first learn where an error goes (RFC 6749 §4.1.2.1) reads with [`Params::parse_repeated`] and refuses what
//! came twice when it knows.

use crate::{Error, ErrorCode};
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The most parameters that one request may carry.
const MAX_PARAMETERS: usize = 64;
/// The longest value in bytes; client assertions are the longest that are met in practice.
const MAX_VALUE: usize = 16 * 1024;

/// The decoded parameters of one request.
#[derive(Default)]
pub struct Params<'a> {
    /// The first of each name.
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The names that came again.
    repeated: Vec<Cow<'a, str>>,
}

impl<'a> Params<'a> {
    /// Parses `application/x-www-form-urlencoded` bytes.
    ///
    /// # Errors
    /// `invalid_request` for a repeated name, bytes that are not UTF-8, a control character, too
    /// many parameters or an overlong value; `invalid_target` for a repeated `resource`, which
    /// RFC 8707 allows in general and this server does not offer.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let params = Self::parse_repeated(encoded)?;
        params.no_repetition()?;
        Ok(params)
    }

    /// Parses the same bytes and remembers which names came more than once, instead of refusing them.
    ///
    /// # Errors
    /// As of [`Params::parse`], without those for a repeated name.
    pub fn parse_repeated(encoded: &'a [u8]) -> Result<Self, Error> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(8);
        let mut repeated = Vec::new();
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
                None => (pair, &[][..]),
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if value.len() > MAX_VALUE {
                return Err(Error::invalid_request("a parameter is too long"));
            }
            if pairs.len() + repeated.len() == MAX_PARAMETERS {
                return Err(Error::invalid_request("too many parameters"));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                repeated.push(name);
            } else {
                pairs.push((name, value));
            }
        }
        Ok(Self { pairs, repeated })
    }

    /// Refuses what came more than once.
    ///
    /// # Errors
    /// `invalid_request`; `invalid_target` when it is `resource` alone.
    pub fn no_repetition(&self) -> Result<(), Error> {
        match self.repeated.as_slice() {
            [] => Ok(()),
            names if names.iter().all(|name| name == "resource") => {
                Err(Error::new(ErrorCode::InvalidTarget, "one resource per request"))
            }
            _ => Err(Error::invalid_request("a parameter is repeated")),
        }
    }

    /// Refuses a repetition of these.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn none_repeated_of(&self, names: &[&str]) -> Result<(), Error> {
        match self.repeated.iter().any(|name| names.contains(&name.as_ref())) {
            true => Err(Error::invalid_request("a parameter is repeated")),
            false => Ok(()),
        }
    }

    /// The value of `name`; `None` when it is missing or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
            .filter(|value| !value.is_empty())
    }

    /// Every parameter with a value, in the order of the request.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).filter(|(_, value)| !value.is_empty())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter when it is missing or empty.
    pub fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::invalid_request(format!("the parameter {name} is missing")))
    }
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let text = form_decoded(bytes).ok_or_else(|| Error::invalid_request("a parameter is not UTF-8"))?;
    // All control characters but those of ASCII begin with the same byte; most texts have neither.
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == 0xc2) && text.chars().any(char::is_control) {
        return Err(Error::invalid_request("a parameter holds a control character"));
    }
    Ok(text)
}

/// What form-encoded bytes say, if that is UTF-8.
pub(crate) fn form_decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if !bytes.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_unknown_names_do_not_matter() {
        let params = Params::parse(b"scope=a+b%20c&x=1&empty=&flag").unwrap();
        assert_eq!(params.get("scope"), Some("a b c"));
        assert_eq!(params.get("empty"), None);
        assert_eq!(params.get("flag"), None);
        assert_eq!(params.required("code").unwrap_err().description, "the parameter code is missing");
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_when_equal() {
        assert_eq!(Params::parse(b"a=1&a=1").err().unwrap().code, ErrorCode::InvalidRequest);
        assert_eq!(Params::parse(b"resource=x&resource=y").err().unwrap().code, ErrorCode::InvalidTarget);
    }

    #[test]
    fn what_came_twice_can_be_refused_later_by_its_name() {
        let params = Params::parse_repeated(b"resource=x&state=1&resource=y").unwrap();
        assert_eq!((params.get("resource"), params.iter().count()), (Some("x"), 2));
        assert_eq!(params.no_repetition().unwrap_err().code, ErrorCode::InvalidTarget);
        assert!(params.none_repeated_of(&["state"]).is_ok() && params.none_repeated_of(&["resource"]).is_err());
        let mixed = Params::parse_repeated(b"resource=x&resource=y&a=1&a=1").unwrap();
        assert_eq!(mixed.no_repetition().unwrap_err().code, ErrorCode::InvalidRequest);
        assert!(Params::parse_repeated("a=1&".repeat(65).as_bytes()).is_err());
    }

    #[test]
    fn bytes_that_are_not_utf8_and_control_characters_are_refused() {
        for bad in [&b"a=%ff"[..], b"a=\xff", b"%c3=1", b"a=%00", b"a=%0a"] {
            assert_eq!(Params::parse(bad).err().unwrap().code, ErrorCode::InvalidRequest);
        }
    }

    #[test]
    fn number_and_length_are_bounded() {
        let many = (0..65).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(many.as_bytes()).is_err());
        assert!(Params::parse(format!("a={}", "x".repeat(MAX_VALUE + 1)).as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Params::parse(&bytes);
        }
    }
}
