//! A JSON object of which some members are changed and the others stay as they were written, in their order.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// The object: names, and values as they were written.
#[derive(Debug, Default)]
pub struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Members {
    /// Reads an object; no text at all is an empty one.
    ///
    /// # Errors
    /// Where the text is no JSON object.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        if text.trim().is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }

    /// A member that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member as it was written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// Sets a member: in its place, or as the last. `value` is JSON.
    ///
    /// # Errors
    /// Where the value is no JSON.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), serde_json::Error> {
        let value = RawValue::from_string(value)?;
        match self.0.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object, a member a line, `depth` levels in; each level is one `indent`.
    #[must_use]
    pub fn write(&self, indent: &str, depth: usize) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let (inner, outer) = (indent.repeat(depth + 1), indent.repeat(depth));
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{inner}{}: {}", serde_json::Value::from(name.as_str()), value.get()))
            .collect();
        format!("{{\n{}\n{outer}}}", members.join(",\n"))
    }
}

/// The white space before the first member of an object; docker's own, a tab, where there is none to see.
#[must_use]
pub fn indent(text: &str) -> &str {
    let after = text.split_once('\n').map_or("", |(_, after)| after);
    let length = after.len() - after.trim_start_matches([' ', '\t']).len();
    after.get(..length).filter(|indent| !indent.is_empty()).unwrap_or("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "{\n  \"zeta\": 1.50,\n  \"auths\": {\n    \"r\": {}\n  },\n  \"alpha\": [1,  2]\n}";

    #[test]
    fn what_is_not_changed_stays_to_the_letter() {
        let mut members = Members::read(BEFORE).unwrap();
        assert_eq!(members.write(indent(BEFORE), 0), BEFORE);
        members.set("new", "\"x\"".into()).unwrap();
        let after = members.write(indent(BEFORE), 0);
        assert!(
            after.contains("\"zeta\": 1.50") && after.ends_with("\"alpha\": [1,  2],\n  \"new\": \"x\"\n}"),
            "{after}"
        );
        members.remove("new");
        assert_eq!(members.write("  ", 0), BEFORE);
        assert!(Members::read("[1]").is_err() && Members::read("{").is_err());
        assert!(Members::read(" \n").unwrap().is_empty());
        assert!(members.set("bad", "{".into()).is_err());
    }
}
