//! Functions, filters and methods that templates expect of Python, Jinja and transformers.

use super::arguments::{is_true, named};
use super::{DEPTH_MAX, OUTPUT_BYTES_MAX, REPEATS_MAX};
use jiff::Zoned;
use jiff::fmt::strtime::BrokenDownTime;
use minijinja::value::{Rest, Tuple, Value, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// Python's `range`, of a bounded length.
pub(super) fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, end) = second.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(wrong("a range cannot have steps of 0"));
    }
    let span = if step > 0 {
        end.saturating_sub(start)
    } else {
        start.saturating_sub(end)
    };
    let count = u64::try_from(span)
        .unwrap_or(0)
        .div_ceil(step.unsigned_abs());
    if count > REPEATS_MAX {
        return Err(wrong(format!(
            "a range of {count} is more than {REPEATS_MAX}"
        )));
    }
    let values = (0..count).map(|index| start + step * index.cast_signed());
    Ok(Value::from(values.collect::<Vec<i64>>()))
}

/// The template's way to refuse a chat.
pub(super) fn raise_exception(words: String) -> Result<Value, Error> {
    Err(wrong(words))
}

/// The local time, as Python's `strftime` writes it in the C locale.
pub(super) fn strftime_now(format: &str) -> String {
    strftime(&Zoned::now(), format)
}

fn strftime(now: &Zoned, format: &str) -> String {
    let time = BrokenDownTime::from(now);
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let flags = rest[1..].find(|c: char| !"-_0^#:".contains(c));
        let letter = flags.and_then(|flags| rest[1 + flags..].chars().next());
        let Some((flags, letter)) = flags.zip(letter) else {
            break;
        };
        let (directive, after) = rest.split_at(1 + flags + letter.len_utf8());
        let spelled = match letter {
            'c' => "%a %b %e %H:%M:%S %Y",
            'x' => "%m/%d/%y",
            'X' => "%H:%M:%S",
            'f' => "%6f",
            _ => directive,
        };
        match time.to_string(spelled) {
            Ok(text) => out.push_str(&text),
            // What it does not know, the C library leaves as it is.
            Err(_) => out.push_str(directive),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `default(value, default_value='', boolean=False)`, by place or by name.
pub(super) fn default(value: &Value, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let [other, boolean] = named(["default_value", "boolean"], arguments.into_values())?;
    let lax = is_true(boolean.as_ref());
    Ok(if value.is_undefined() || (lax && !value.is_true()) {
        other.unwrap_or_else(|| Value::from(""))
    } else {
        value.clone()
    })
}

/// Whether Python can go through it: nothing is not an empty list.
pub(super) fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Whether it has a length and places: in Jinja texts and dictionaries too.
pub(super) fn is_sequence(value: &Value) -> bool {
    use ValueKind::{Iterable, Map, Seq, String, Undefined};
    matches!(value.kind(), Seq | Iterable | Map | String | Undefined)
}

/// `indent(text, width=4, first=False, blank=False)`, by place or by name. A newline at the end stays there.
pub(super) fn indent(
    state: &State<'_, '_>,
    value: &Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
    let [width, first, blank] = named(["width", "first", "blank"], arguments.into_values())?;
    let (first, blank) = (is_true(first.as_ref()), is_true(blank.as_ref()));
    let step = match width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(width)?.min(1024)),
        },
    };
    let text = value.to_string() + "\n";
    let lines = lines(&text, false);
    state.consume_fuel((lines.len() * step.len() / 64) as u64)?;
    let mut out = String::with_capacity(text.len());
    for (index, line) in lines.iter().enumerate() {
        let indented = if index == 0 {
            first
        } else {
            blank || !line.is_empty()
        };
        if index > 0 {
            out.push('\n');
        }
        if indented {
            out.push_str(&step);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// The lines of a text, as Python's `splitlines` finds them.
fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    const ENDS: [char; 10] = [
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}',
        '\u{2029}',
    ];
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        let length = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(&rest[..if keep_ends { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// As much of a value as is looked at, and as much of a text as is kept.
const KEPT_VALUES_MAX: usize = 100_000;

/// A value that a namespace is to keep: whole, unless it nests too deep, is too large, or holds a namespace, which could
/// hold it in its turn.
pub(super) fn kept(value: Value) -> Result<Value, Error> {
    let mut left = KEPT_VALUES_MAX;
    look_into(&value, DEPTH_MAX, &mut left)?;
    Ok(value)
}

fn look_into(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
    let is_namespace =
        |object: &minijinja::value::DynObject| object.type_name().ends_with("Namespace");
    *left = left
        .checked_sub(1)
        .ok_or_else(|| wrong("a namespace is to keep too many values"))?;
    let text = value.as_str().map_or(0, str::len);
    if text > OUTPUT_BYTES_MAX {
        return Err(wrong(format!(
            "a namespace is to keep {text} bytes of text"
        )));
    }
    if value.as_object().is_some_and(is_namespace) {
        return Err(wrong("a namespace is to keep a namespace"));
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
        return Ok(());
    }
    let below = depth.checked_sub(1).ok_or_else(|| {
        wrong(format!(
            "a namespace is to keep what nests deeper than {DEPTH_MAX}"
        ))
    })?;
    for item in value.try_iter()? {
        if value.kind() == ValueKind::Map {
            look_into(&value.get_item(&item)?, below, left)?;
        } else {
            look_into(&item, below, left)?;
        }
    }
    Ok(())
}

/// Widths and precisions of a text to be filled in are short.
const FORMAT_DIGITS_MAX: usize = 4;

/// Refuses a format that asks for more characters than anybody reads: behind each `begin`, up to what is none of `spec`.
fn refuse_wide(format: &str, begin: char, spec: fn(char) -> bool) -> Result<(), Error> {
    let specs = format.split(begin).skip(1);
    let specs = specs.map(|rest| rest.split(|c| !spec(c)).next().unwrap_or_default());
    let digits = specs.flat_map(|spec| spec.split(|c: char| !c.is_ascii_digit()).map(str::len));
    if digits.max().unwrap_or(0) > FORMAT_DIGITS_MAX {
        return Err(wrong(format!(
            "a width of a format has more than {FORMAT_DIGITS_MAX} digits"
        )));
    }
    Ok(())
}

/// The operator `%` behind a text: a tuple holds all values, anything else is one.
pub(super) fn percent(
    state: &mut State<'_, '_>,
    format: Value,
    values: Value,
) -> Result<Value, Error> {
    let is_spec = |c: char| c.is_ascii_digit() || "-+ #.".contains(c);
    refuse_wide(format.as_str().unwrap_or_default(), '%', is_spec)?;
    let mut arguments = vec![format];
    if values.is_tuple() {
        arguments.extend(values.try_iter()?);
    } else {
        arguments.push(values);
    }
    state.apply_filter("format", &arguments)
}

/// Methods of Python's values: those that the engine's own collection lacks or knows otherwise, then that collection.
pub(super) fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if name == "format" {
        refuse_wide(value.as_str().unwrap_or_default(), '{', |c| c != '}')?;
    }
    let own = match (value.as_str(), value.kind()) {
        (Some(text), _) => text_method(state, text, name, arguments)?,
        (None, ValueKind::Seq | ValueKind::Iterable) => list_method(value, name, arguments)?,
        (None, ValueKind::Map) if name == "copy" => {
            let () = from_args(arguments)?;
            Some(value.clone())
        }
        _ => None,
    };
    match own {
        Some(found) => Ok(found),
        None => unknown_method_callback(state, value, name, arguments),
    }
}

fn list_method(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match name {
        "index" => {
            let (wanted,): (Value,) = from_args(arguments)?;
            let place = value.try_iter()?.position(|item| item == wanted);
            Value::from(place.ok_or_else(|| wrong(format!("{wanted} is not in the list")))?)
        }
        "copy" => {
            let () = from_args(arguments)?;
            value.clone()
        }
        _ => return Ok(None),
    }))
}

fn text_method(
    state: &State<'_, '_>,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
    Ok(Some(match name {
        "split" | "rsplit" => {
            let [separator, most] = named(["sep", "maxsplit"], arguments.to_vec())?;
            // A negative number is no limit.
            let most = most.and_then(|most| usize::try_from(most.as_i64()?).ok());
            let separator = separator.filter(|separator| !separator.is_none());
            let separator = separator.as_ref().map(text_of).transpose()?;
            let parts = split(text, separator, most, name == "rsplit")?;
            parts.into_iter().map(Value::from).collect()
        }
        "splitlines" => {
            let [keep_ends] = named(["keepends"], arguments.to_vec())?;
            let keep_ends = is_true(keep_ends.as_ref());
            lines(text, keep_ends)
                .into_iter()
                .map(Value::from)
                .collect()
        }
        "removeprefix" => {
            let (end,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_prefix(end).unwrap_or(text))
        }
        "removesuffix" => {
            let (end,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_suffix(end).unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(arguments)?;
            let last = name == "rpartition";
            let found = if last {
                text.rsplit_once(separator)
            } else {
                text.split_once(separator)
            };
            let parts = match found {
                Some((before, after)) => [before, separator, after],
                None if last => ["", "", text],
                None => [text, "", ""],
            };
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "index" | "rindex" => {
            let (wanted,): (&str,) = from_args(arguments)?;
            let found = if name == "index" {
                text.find(wanted)
            } else {
                text.rfind(wanted)
            };
            let at = found.ok_or_else(|| wrong(format!("`{wanted}` is not in the text")))?;
            Value::from(text[..at].chars().count())
        }
        "casefold" => {
            let () = from_args(arguments)?;
            Value::from(text.to_lowercase())
        }
        "title" => {
            let () = from_args(arguments)?;
            Value::from(title(text))
        }
        "swapcase" => {
            let () = from_args(arguments)?;
            Value::from(swap_case(text))
        }
        "ljust" | "rjust" | "center" | "zfill" => {
            Value::from(padded(state, text, name, arguments)?)
        }
        _ => return Ok(None),
    }))
}

fn text_of(value: &Value) -> Result<&str, Error> {
    value
        .as_str()
        .ok_or_else(|| wrong(format!("a text is wanted, got {value}")))
}

/// At a separator, or at runs of white space where there is none; `most` times at most, from either end.
fn split(
    text: &str,
    separator: Option<&str>,
    most: Option<usize>,
    from_end: bool,
) -> Result<Vec<String>, Error> {
    if separator == Some("") {
        return Err(wrong("a text cannot be split at an empty separator"));
    }
    let mut parts = Vec::new();
    // White space at the far end stays where a number of parts is asked for.
    let mut rest = match (separator, from_end) {
        (Some(_), _) => text,
        (None, false) => text.trim_start(),
        (None, true) => text.trim_end(),
    };
    while most.is_none_or(|most| parts.len() < most) {
        let found = match (separator, from_end) {
            (Some(separator), false) => rest.split_once(separator),
            (Some(separator), true) => rest.rsplit_once(separator),
            (None, false) => rest.split_once(char::is_whitespace),
            (None, true) => rest.rsplit_once(char::is_whitespace),
        };
        let Some((before, after)) = found else { break };
        let (part, left) = if from_end {
            (after, before)
        } else {
            (before, after)
        };
        parts.push(part.to_owned());
        rest = match (separator, from_end) {
            (Some(_), _) => left,
            (None, false) => left.trim_start(),
            (None, true) => left.trim_end(),
        };
    }
    if separator.is_some() || !rest.is_empty() {
        parts.push(rest.to_owned());
    }
    if from_end {
        parts.reverse();
    }
    Ok(parts)
}

/// A letter is large where none stands before it.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        in_word = character.is_alphabetic();
    }
    out
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_uppercase() {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
    }
    out
}

fn padded(
    state: &State<'_, '_>,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<String, Error> {
    let (width, fill): (u64, Option<&str>) = from_args(arguments)?;
    if width > REPEATS_MAX {
        return Err(wrong(format!(
            "a width of {width} is more than {REPEATS_MAX}"
        )));
    }
    state.consume_fuel(width / 64)?;
    let width = usize::try_from(width).unwrap_or_default();
    let missing = width.saturating_sub(text.chars().count());
    let fill = fill.unwrap_or(" ");
    Ok(match name {
        "ljust" => text.to_owned() + &fill.repeat(missing),
        "rjust" => fill.repeat(missing) + text,
        // Python puts the odd one to the left where the width is odd.
        "center" => {
            let left = missing / 2 + (missing & width & 1);
            fill.repeat(left) + text + &fill.repeat(missing - left)
        }
        _ => {
            let digits = text.trim_start_matches(['-', '+']);
            let sign = &text[..text.len() - digits.len()];
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
    })
}

/// A number as Python's `repr` writes it: the shortest digits that give it back, with an exponent from 1e16 on and
/// below 1e-4.
pub(super) fn float(number: f64) -> String {
    let size = number.abs();
    if number != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use super::{float, split, strftime};

    #[test]
    fn a_time_is_written_as_python_writes_it() {
        let now: jiff::Timestamp = "2024-07-04T09:05:03.25Z".parse().unwrap();
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        for (format, expected) in [
            ("%d %b %Y", "04 Jul 2024"),
            ("%Y-%m-%d", "2024-07-04"),
            ("%A, %B %-d, %Y %I:%M %p", "Thursday, July 4, 2024 09:05 AM"),
            ("%H:%M:%S.%f %j %y 100%%", "09:05:03.250000 186 24 100%"),
            ("%c|%x|%X", "Thu Jul  4 09:05:03 2024|07/04/24|09:05:03"),
            ("%e %! é%", " 4 %! é%"),
        ] {
            assert_eq!(strftime(&now, format), expected, "{format}");
        }
    }

    #[test]
    fn a_text_is_split_as_python_splits_it() {
        let parts =
            |separator, most, from_end| split(" a  b c ", separator, most, from_end).unwrap();
        assert_eq!(parts(None, None, false), ["a", "b", "c"]);
        assert_eq!(parts(None, Some(1), false), ["a", "b c "]);
        assert_eq!(parts(None, Some(1), true), [" a  b", "c"]);
        assert_eq!(parts(Some(" "), None, false), ["", "a", "", "b", "c", ""]);
        assert_eq!(parts(Some(" "), Some(1), true), [" a  b c", ""]);
        assert!(split("", None, None, false).unwrap().is_empty());
        assert_eq!(split("", Some(","), None, true).unwrap(), [""]);
        assert!(split("a", Some(""), None, false).is_err());
    }

    #[test]
    fn a_number_is_written_as_python_writes_it() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (123_456_789.5, "123456789.5"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-1.5e300, "-1.5e+300"),
            (0.0, "0.0"),
        ] {
            assert_eq!(float(number), expected);
        }
    }
}
