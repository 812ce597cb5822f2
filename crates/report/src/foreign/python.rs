//! JSON as Python writes it: with `NaN` and `Infinity`, which JSON has not.

use std::borrow::Cow;

/// What Python writes for numbers that are none, the longest of those that begin alike first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The same with `null` in the place of each, texts left as they are.
pub(super) fn without_nan(bytes: &[u8]) -> Cow<'_, [u8]> {
    let has = |word: &[u8]| bytes.windows(word.len()).any(|found| found == word);
    if !NO_NUMBERS.iter().any(|word| has(word)) {
        return bytes.into();
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut in_text, mut escaped) = (false, false);
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        let word = NO_NUMBERS
            .iter()
            .find(|word| !in_text && rest.starts_with(word));
        if let Some(word) = word {
            kept.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
        kept.push(byte);
        rest = behind;
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::without_nan;
    use proptest::prelude::*;

    #[test]
    fn numbers_that_are_none_are_null_and_texts_stay() {
        for (python, json) in [
            (
                r#"{"a": NaN, "b": [Infinity, -Infinity]}"#,
                r#"{"a": null, "b": [null, null]}"#,
            ),
            (
                r#"{"NaN": "is \"NaN\" \\", "b": NaN}"#,
                r#"{"NaN": "is \"NaN\" \\", "b": null}"#,
            ),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
        ] {
            let read = without_nan(python.as_bytes());
            assert_eq!(String::from_utf8_lossy(&read), json);
        }
    }

    proptest! {
        #[test]
        fn json_stays_as_it_is(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let json = serde_json::json!({ "NaN": texts, "Infinity": "-Infinity" }).to_string();
            prop_assert_eq!(&*without_nan(json.as_bytes()), json.as_bytes());
        }
    }
}
