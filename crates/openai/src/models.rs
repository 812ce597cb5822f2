use crate::tape::Tape;
use crate::value::{Document, Value};

/// The ids that the body of `/v1/models` lists, in its order; none where it is something else.
///
/// The list is the `data` of OpenAI, the `models` of Ollama, or the body itself; a model is an object with an
/// `id` or a name, or a bare name.
pub fn model_ids(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let mut tape = Tape::default();
    let Ok(document) = Document::read(&mut tape, &text) else {
        return Vec::new();
    };
    let root = document.root();
    let lists = [root.get("data"), root.get("models"), Some(root)];
    let ids = |list: Value<'_, '_>| -> Vec<String> {
        let ids = list.items().filter_map(|model| id(&model));
        ids.filter(|id| !id.is_empty()).collect()
    };
    let mut found = lists.into_iter().flatten().map(ids);
    found.find(|ids| !ids.is_empty()).unwrap_or_default()
}

fn id(model: &Value<'_, '_>) -> Option<String> {
    let mut fields = ["id", "model", "name"].into_iter();
    let text = model
        .string()
        .or_else(|| fields.find_map(|field| model.get(field)?.string()))?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::model_ids;

    #[test]
    fn models_are_listed_in_the_servers_order() {
        assert_eq!(model_ids(&crate::models_body(&["b", "a"])), ["b", "a"]);
    }

    #[test]
    fn lists_of_every_shape_are_read_and_an_odd_model_costs_no_other() {
        for body in [
            r#"[{"id":"a"},{"id":"b"}]"#,
            r#"["a","b"]"#,
            r#"{"data":["a",{"id":"b"}]}"#,
            r#"{"models":[{"name":"a"},{"name":"b","model":"b"}]}"#,
            r#"{"data":[{"id":7},{"id":"a"},null,{"id":"b","created":"x"}],"object":3}"#,
        ] {
            assert_eq!(model_ids(body.as_bytes()), ["a", "b"], "{body}");
        }
    }

    #[test]
    fn something_else_lists_no_model() {
        assert!(model_ids(b"<html>").is_empty());
        assert!(model_ids(b"{\"data\":7}").is_empty());
    }
}
