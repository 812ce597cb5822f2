//! Objects of a request, field by field.

use crate::{ApiError, Json};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// An object of a request, read field by field; `null` is the same as absent.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'j, 'a> {
    fields: &'j [(Cow<'a, str>, Json<'a>)],
    /// Put before names in messages: `stream_options.`.
    prefix: &'static str,
}

/// What is shown of a value that is refused.
const SHOWN_CHARS: usize = 60;

impl<'j, 'a> Fields<'j, 'a> {
    /// The fields of the request itself.
    pub fn of(json: &'j Json<'a>) -> Result<Self, ApiError> {
        match json {
            Json::Object(fields) => Ok(Fields { fields, prefix: "" }),
            other => Err(ApiError::refused(
                400,
                format!(
                    "the request body must be a JSON object, got {}",
                    other.kind()
                ),
                "invalid_json",
            )),
        }
    }

    /// The field, unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'j Json<'a>> {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| **value != Json::Null)
    }

    /// The fields of an object within this one.
    pub fn object(
        &self,
        name: &str,
        prefix: &'static str,
    ) -> Result<Option<Fields<'j, 'a>>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(fields)) => Ok(Some(Fields { fields, prefix })),
            Some(other) => Err(self.wrong(name, "an object", other)),
        }
    }

    /// A string.
    pub fn string(&self, name: &str) -> Result<Option<&'j str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", other)),
        }
    }

    /// A boolean.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(name, "true or false", other)),
        }
    }

    /// A whole number within `range`.
    pub fn integer(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        self.get(name)
            .map(|value| {
                integer(value, &range).ok_or_else(|| {
                    let wanted =
                        format!("a whole number from {} to {}", range.start(), range.end());
                    self.wrong(name, &wanted, value)
                })
            })
            .transpose()
    }

    /// A number within `range`.
    pub fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f32>, ApiError> {
        self.get(name)
            .map(|value| {
                number(value, &range).ok_or_else(|| {
                    let wanted = format!("a number from {} to {}", range.start(), range.end());
                    self.wrong(name, &wanted, value)
                })
            })
            .transpose()
    }

    /// The refusal of a value: names the field, what it must be, and what it was.
    pub fn wrong(&self, name: &str, wanted: &str, value: &Json<'_>) -> ApiError {
        wrong(&format!("{}{name}", self.prefix), wanted, value)
    }

    /// The field's name in messages.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// The refusal of a value: names the field, what it must be, and what it was.
pub(crate) fn wrong(param: &str, wanted: &str, value: &Json<'_>) -> ApiError {
    ApiError::invalid(
        param,
        format!("`{param}` must be {wanted}, got {}", shown(value)),
    )
}

/// The whole number that `value` is, within `range`.
pub(crate) fn integer(value: &Json<'_>, range: &RangeInclusive<u64>) -> Option<u64> {
    let Json::Number(text) = value else {
        return None;
    };
    text.parse().ok().filter(|number| range.contains(number))
}

/// The number that `value` is, within `range`; never NaN or infinite.
pub(crate) fn number(value: &Json<'_>, range: &RangeInclusive<f64>) -> Option<f32> {
    let Json::Number(text) = value else {
        return None;
    };
    let number: f64 = text.parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "ranges are small: only precision is lost"
    )]
    range.contains(&number).then_some(number as f32)
}

/// A value as a message shows it: short, and without control characters.
fn shown(value: &Json<'_>) -> String {
    match value {
        Json::Number(text) => format!("`{}`", cut(text)),
        Json::String(text) => format!("the string \"{}\"", cut(text)),
        Json::Bool(value) => format!("`{value}`"),
        Json::Array(items) => format!("a list of {}", items.len()),
        other => other.kind().to_owned(),
    }
}

fn cut(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::Json;

    #[test]
    fn a_refusal_names_the_field_the_limits_and_the_value() {
        let json = Json::parse(r#"{"n":1.5,"t":1e309,"s":[1],"o":{"b":"x\u0000"}}"#).unwrap();
        let fields = Fields::of(&json).unwrap();
        let messages = [
            fields.integer("n", 1..=8).unwrap_err().message,
            fields.number("t", 0.0..=2.0).unwrap_err().message,
            fields.string("s").unwrap_err().message,
            fields
                .object("o", "o.")
                .unwrap()
                .unwrap()
                .boolean("b")
                .unwrap_err()
                .message,
        ];
        assert_eq!(
            messages,
            [
                "`n` must be a whole number from 1 to 8, got `1.5`",
                "`t` must be a number from 0 to 2, got `1e309`",
                "`s` must be a string, got a list of 1",
                "`o.b` must be true or false, got the string \"x\u{fffd}\"",
            ]
        );
    }

    #[test]
    fn null_is_absent() {
        let json = Json::parse(r#"{"n":null}"#).unwrap();
        assert_eq!(Fields::of(&json).unwrap().integer("n", 0..=1), Ok(None));
    }

    #[test]
    fn no_number_that_is_none_is_taken() {
        for text in [
            "NaN",
            "Infinity",
            "-Infinity",
            "1e309",
            "-1e309",
            "-0.1",
            "2.1",
            "\"1\"",
        ] {
            let json = Json::parse(&format!("{{\"t\":{text}}}"))
                .map(|json| Fields::of(&json).unwrap().number("t", 0.0..=2.0).is_err());
            assert_eq!(json, Ok(true), "{text}");
        }
    }
}
