//! Names from outside, as errors show them.

/// Names shown in an error: enough to choose from, short enough to read.
const SHOWN_MAX: usize = 20;
const SHOWN_CHARS_MAX: usize = 60;

/// A name from a file, fit for a terminal: no control characters, and not endless.
pub(crate) fn printable(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(SHOWN_CHARS_MAX)
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect();
    if name.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Names in backticks, with commas between them.
pub(crate) fn quoted(names: &[&str]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    let list = shown.join(", ");
    if names.len() > SHOWN_MAX {
        format!("{list} and {} more", names.len() - SHOWN_MAX)
    } else {
        list
    }
}

/// The JSON type of a value, with its article.
pub(crate) fn type_name(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value where it is short, and otherwise what it is.
pub(crate) fn shown_value(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Number(number) => format!("`{number}`"),
        Value::String(text) => format!("the text `{}`", printable(text)),
        other => type_name(other).to_owned(),
    }
}
