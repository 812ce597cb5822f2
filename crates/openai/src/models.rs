use serde::Deserialize;

#[derive(Deserialize)]
struct Listing {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The ids that the body of `/v1/models` lists, in its order; none where it is something else.
pub fn model_ids(body: &[u8]) -> Vec<String> {
    serde_json::from_slice::<Listing>(body)
        .map(|listing| listing.data.into_iter().map(|model| model.id).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::model_ids;

    #[test]
    fn models_are_listed_in_the_servers_order() {
        assert_eq!(model_ids(&crate::models_body(&["b", "a"])), ["b", "a"]);
    }

    #[test]
    fn something_else_lists_no_model() {
        assert!(model_ids(b"<html>").is_empty());
    }
}
