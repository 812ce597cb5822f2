//! Values as Python's `json.dumps` writes them, which is what `tojson` does in transformers' templates.

use super::arguments::{is_true, named};
use super::python::float;
use super::{DEPTH_MAX, OUTPUT_BYTES_MAX};
use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, State};
use std::fmt::Write;

/// `tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, by place or by name.
pub(super) fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let [ensure_ascii, indent, separators, sort_keys] = named(
        ["ensure_ascii", "indent", "separators", "sort_keys"],
        arguments.into_values(),
    )?;
    let indent = step(indent)?;
    let mut writer = Writer {
        out: String::new(),
        ensure_ascii: is_true(ensure_ascii.as_ref()),
        separators: separators_of(separators, indent.is_some())?,
        indent,
        sort_keys: is_true(sort_keys.as_ref()),
    };
    writer.value(value, 0)?;
    // As the engine charges for a text that a filter makes.
    state.consume_fuel((writer.out.len() / 64) as u64)?;
    Ok(Value::from(writer.out))
}

/// What each level is indented by; none puts all on one line.
fn step(indent: Option<Value>) -> Result<Option<String>, Error> {
    const SPACES_MAX: i64 = 64;
    let Some(indent) = indent.filter(|indent| !indent.is_none()) else {
        return Ok(None);
    };
    if let Some(text) = indent.as_str() {
        return Ok(Some(text.to_owned()));
    }
    let count = match indent.kind() {
        ValueKind::Bool => i64::from(indent.is_true()),
        _ => indent.as_i64().ok_or_else(|| {
            wrong(format!(
                "tojson: `indent` must be a whole number or a text, got {indent}"
            ))
        })?,
    };
    // Python repeats a space so often: a negative number is none.
    let count = usize::try_from(count.clamp(0, SPACES_MAX)).unwrap_or_default();
    Ok(Some(" ".repeat(count)))
}

/// What stands between items, and between a key and its value.
fn separators_of(given: Option<Value>, indented: bool) -> Result<[String; 2], Error> {
    let Some(given) = given.filter(|given| !given.is_none()) else {
        let item = if indented { "," } else { ", " };
        return Ok([item.to_owned(), ": ".to_owned()]);
    };
    let parts: Vec<Value> = given.try_iter()?.collect();
    match parts.as_slice() {
        [item, key] => Ok([item.to_string(), key.to_string()]),
        _ => Err(wrong(format!(
            "tojson: `separators` must be two texts, got {}",
            parts.len()
        ))),
    }
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

struct Writer {
    out: String,
    ensure_ascii: bool,
    indent: Option<String>,
    separators: [String; 2],
    sort_keys: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(wrong(format!(
                "tojson: the value is nested deeper than {DEPTH_MAX}"
            )));
        }
        // A value within itself many times over is small, and its text is not.
        if self.out.len() > OUTPUT_BYTES_MAX {
            return Err(wrong(format!(
                "tojson: it writes more than {OUTPUT_BYTES_MAX} bytes"
            )));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool if value.is_true() => self.out.push_str("true"),
            ValueKind::Bool => self.out.push_str("false"),
            ValueKind::Number => self.out.push_str(&number(value)),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Map => {
                let mut pairs = Vec::new();
                for key in value.try_iter()? {
                    let item = value.get_item(&key)?;
                    pairs.push((key_text(&key)?, item));
                }
                if self.sort_keys {
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.items('{', pairs, '}', depth, |writer, (key, item)| {
                    writer.text(&key);
                    writer.out.push_str(&writer.separators[1].clone());
                    writer.value(&item, depth + 1)
                })?;
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.items('[', items, ']', depth, |writer, item| {
                    writer.value(&item, depth + 1)
                })?;
            }
            kind => {
                return Err(wrong(format!(
                    "tojson: a value of the kind {kind} cannot be written as JSON"
                )));
            }
        }
        Ok(())
    }

    fn items<T>(
        &mut self,
        open: char,
        items: Vec<T>,
        close: char,
        depth: usize,
        each: impl Fn(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        let none = items.is_empty();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push_str(&self.separators[0].clone());
            }
            self.line(depth + 1);
            each(self, item)?;
        }
        if !none {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(step) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&step.repeat(depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                ' '..='~' => self.out.push(character),
                _ if character >= ' ' && !self.ensure_ascii => self.out.push(character),
                _ => {
                    let mut units = [0; 2];
                    for unit in character.encode_utf16(&mut units) {
                        // Writing to a text cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        }
        self.out.push('"');
    }
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    match f64::try_from(value.clone()) {
        Ok(number) if number.is_nan() => "NaN".to_owned(),
        Ok(number) if number.is_infinite() && number < 0.0 => "-Infinity".to_owned(),
        Ok(number) if number.is_infinite() => "Infinity".to_owned(),
        Ok(number) => float(number),
        Err(_) => value.to_string(),
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => Ok(number(key)),
        kind => Err(wrong(format!(
            "tojson: a key of the kind {kind} cannot be written as JSON"
        ))),
    }
}
