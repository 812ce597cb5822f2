//! Listings of models.

use serde_json::Value;

/// What the listing may be called, the usual name first: llama.cpp gives both.
const LISTINGS: [&str; 2] = ["data", "models"];

/// What a model's name may be called: Ollama's own listing has no `id`.
const NAMES: [&str; 3] = ["id", "name", "model"];

/// The ids that the body of `/v1/models` lists, in its order; none where it is something else. A bare array, an object
/// in an array's place and other names of the fields are read too.
pub fn model_ids(body: &[u8]) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let listed = LISTINGS.iter().filter_map(|name| body.get(name));
    let mut found = listed.map(ids).filter(|ids| !ids.is_empty());
    match &body {
        Value::Array(_) => ids(&body),
        _ => found.next().unwrap_or_default(),
    }
}

fn ids(listing: &Value) -> Vec<String> {
    match listing {
        Value::Array(models) => models.iter().filter_map(id).collect(),
        // One model, or the models by their names.
        Value::Object(fields) => match id(listing) {
            Some(id) => vec![id],
            None => fields
                .iter()
                .filter(|(_, model)| model.is_object())
                .map(|(name, model)| id(model).unwrap_or_else(|| name.clone()))
                .collect(),
        },
        _ => Vec::new(),
    }
}

fn id(model: &Value) -> Option<String> {
    let named = NAMES.iter().find_map(|name| model.get(name)?.as_str());
    let id = named.or_else(|| model.as_str())?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::model_ids;
    use proptest::prelude::*;

    #[test]
    fn models_are_listed_in_the_servers_order() {
        assert_eq!(model_ids(&crate::models_body(&["b", "a"])), ["b", "a"]);
    }

    #[test]
    fn a_listing_is_read_in_whatever_shape_it_comes() {
        for body in [
            r#"[{"id": "a"}, {"id": "b"}]"#,
            r#"["a", "b"]"#,
            r#"{"data": ["a", "b"]}"#,
            r#"{"object": "list", "data": [{"id": "a"}, {"object": "model"}, null, {"id": "b"}]}"#,
            r#"{"models": [{"name": "a", "model": "a:latest"}, {"model": "b"}]}"#,
            r#"{"data": {"a": {"owned_by": "x"}, "b": {"id": "b"}}}"#,
            r#"{"data": null, "models": [{"id": "a"}, {"id": "b"}]}"#,
        ] {
            assert_eq!(model_ids(body.as_bytes()), ["a", "b"], "{body}");
        }
        assert_eq!(model_ids(br#"{"data": {"id": "a"}}"#), ["a"]);
        let both = br#"{"models": [{"name": "file.gguf"}], "data": [{"id": "alias"}]}"#;
        assert_eq!(model_ids(both), ["alias"]);
    }

    #[test]
    fn something_else_lists_no_model() {
        for body in [
            "<html>",
            "",
            "null",
            "3",
            "{}",
            r#"{"data": null}"#,
            r#"{"data": [{"id": 3}]}"#,
            r#"{"error": {"message": "no such route"}}"#,
            r#"{"detail": "Not Found"}"#,
            r#"{"id": "not a listing"}"#,
        ] {
            assert!(model_ids(body.as_bytes()).is_empty(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in any::<Vec<u8>>()) {
            model_ids(&body);
        }
    }
}
