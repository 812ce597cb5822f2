//! Images of a row: URLs, files in base64, or paths.

use super::record::Record;
use crate::WorkloadError;
use crate::printable::type_name;
use serde_json::Value;
use std::sync::Arc;

const EXPECTED: &str = "a URL, a path, a file in base64, an object with one of them under `bytes`, `url` or `path`, or a list of these";

impl Record<'_> {
    /// The images of a column, in their order; none where it is null or blank. A file in base64 becomes a
    /// `data:` URL; of a path only the caller knows where it begins.
    pub(super) fn images(&self, column: &str) -> Result<Arc<[Arc<str>]>, WorkloadError> {
        match self.fields().get(column) {
            None | Some(Value::Null) => Ok(Arc::default()),
            Some(Value::Array(list)) => {
                let found = list.iter().map(|value| self.image(column, value));
                found.filter_map(Result::transpose).collect()
            }
            Some(value) => Ok(self.image(column, value)?.into_iter().collect()),
        }
    }

    fn image(&self, column: &str, value: &Value) -> Result<Option<Arc<str>>, WorkloadError> {
        match value {
            Value::Null => Ok(None),
            Value::String(_) => {
                let text = self.optional_of(column, value)?;
                Ok(text.map(|text| in_base64(&text).unwrap_or(text)))
            }
            // As the hub's data sets have it: the file itself, or where it lies.
            Value::Object(fields) => {
                let place = ["bytes", "url", "path"].into_iter();
                let mut filled = place.filter_map(|name| fields.get(name));
                match filled.find(|value| !value.is_null()) {
                    Some(value @ Value::String(_)) => self.image(column, value),
                    _ => Err(self.wrong(column, "an object without an image", EXPECTED)),
                }
            }
            other => Err(self.wrong(column, type_name(other), EXPECTED)),
        }
    }
}

/// A `data:` URL of what is the beginning of an image file in base64.
fn in_base64(text: &str) -> Option<Arc<str>> {
    // 0x89 PNG, 0xFFD8FF, GIF8 and RIFF, three bytes in four letters.
    const BEGINNINGS: [(&str, &str); 4] = [
        ("iVBORw0KGgo", "png"),
        ("/9j/", "jpeg"),
        ("R0lGOD", "gif"),
        ("UklGR", "webp"),
    ];
    // A path may begin with these letters, but does not go on like this.
    const BYTES_MIN: usize = 64;
    let is_base64 = |text: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        text.len() >= BYTES_MIN && text.bytes().all(letters)
    };
    let (_, kind) = BEGINNINGS
        .into_iter()
        .find(|(beginning, _)| text.starts_with(beginning))?;
    is_base64(text).then(|| format!("data:image/{kind};base64,{text}").into())
}

#[cfg(test)]
mod tests {
    use super::super::{DatasetColumns, DatasetReader, read_dataset};
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn images(value: &Value) -> Result<Arc<[Arc<str>]>, String> {
        let row = json!({"prompt": "What is this?", "picture": value});
        let columns = DatasetColumns {
            prompt: Some("prompt".into()),
            image: Some("picture".into()),
            ..DatasetColumns::default()
        };
        let records = [(1, row.as_object().unwrap().clone())];
        let data = read_dataset(&records, &DatasetReader::Columns(columns));
        let data = data.map_err(|error| error.to_string())?;
        Ok(data.rows[0].images.clone())
    }

    #[test]
    fn an_image_may_be_a_url_a_path_a_file_or_a_list_of_these() {
        let file = format!("iVBORw0KGgo{}", "A".repeat(80));
        let url = format!("data:image/png;base64,{file}");
        let is = |value: &Value, expected: &[&str]| {
            let found = images(value).unwrap();
            assert!(
                found.iter().map(|one| &**one).eq(expected.iter().copied()),
                "{value}"
            );
        };
        is(
            &json!("https://example.org/a.png"),
            &["https://example.org/a.png"],
        );
        is(&json!("pictures/a.png"), &["pictures/a.png"]);
        is(&json!(file), &[&url]);
        is(&json!({"bytes": file, "path": "a.png"}), &[&url]);
        is(&json!({"bytes": null, "path": "a.png"}), &["a.png"]);
        is(
            &json!([{"url": "http://a/b"}, null, "c.png"]),
            &["http://a/b", "c.png"],
        );
        is(&json!(null), &[]);
        is(&json!(""), &[]);
    }

    #[test]
    fn what_is_no_image_is_refused_with_row_and_column() {
        for value in [json!(3), json!({}), json!({"bytes": 3}), json!([true])] {
            let error = images(&value).unwrap_err();
            assert!(
                error.contains("row 1") && error.contains("`picture`"),
                "{error}"
            );
        }
    }
}
