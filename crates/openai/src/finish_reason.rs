//! Why a choice ended.

use crate::error::excerpt;
use crate::error_words::MESSAGE_CHARS_MAX;
use crate::left_out::{LeftOuts, Path};
use crate::tape::Kind;
use crate::value::Value;

/// Why a choice ended, as text; absent while it goes on.
///
/// Some servers send an object (`{"type":"abort","message":"…"}`), whose type is the reason, or a number. An empty
/// text, and the text `null`, say that it goes on.
pub(crate) fn finish_reason(
    value: &Value<'_, '_>,
    path: &Path<'_>,
    odd: &mut LeftOuts,
) -> Option<String> {
    let said = match value.kind() {
        Kind::Null => None,
        Kind::Plain | Kind::Escaped => value.string().map(std::borrow::Cow::into_owned),
        Kind::Object => {
            let mut fields = ["type", "reason", "finish_reason", "name"].into_iter();
            let named = fields.find_map(|field| value.get(field)?.string());
            let raw = || Some(value.raw().to_owned()).filter(|_| !value.says_nothing());
            named.map_or_else(raw, |name| Some(name.into_owned()))
        }
        _ if value.says_nothing() => None,
        _ => Some(value.raw().to_owned()),
    };
    if said.is_none() {
        odd.note(path, value);
    }
    let said = said.filter(|reason| !matches!(reason.trim(), "" | "null"))?;
    Some(excerpt(&said, MESSAGE_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::{LeftOuts, Path, finish_reason};
    use crate::tape::Tape;
    use crate::value::Document;

    fn reason(json: &str) -> (Option<String>, usize) {
        let (mut tape, mut odd) = (Tape::default(), LeftOuts::default());
        let document = Document::read(&mut tape, json).unwrap();
        let value = document.root();
        let reason = finish_reason(&value, &Path::of("finish_reason"), &mut odd);
        (reason, odd.finish().len())
    }

    #[test]
    fn a_reason_is_read_in_whatever_form_it_comes() {
        for (json, expected) in [
            ("\"stop\"", "stop"),
            ("{\"type\":\"abort\",\"message\":\"m\"}", "abort"),
            ("{\"code\":7}", "{\"code\":7}"),
            ("2", "2"),
            ("true", "true"),
            ("[\"stop\"]", "[\"stop\"]"),
        ] {
            assert_eq!(reason(json), (Some(expected.to_owned()), 0), "{json}");
        }
    }

    #[test]
    fn a_choice_goes_on_where_nothing_is_said() {
        for json in ["null", "\"\"", "\"null\""] {
            assert_eq!(reason(json), (None, 0), "{json}");
        }
        for json in ["false", "{}", "[]", "0"] {
            assert_eq!(reason(json), (None, 1), "{json}");
        }
    }
}
