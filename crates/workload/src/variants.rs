//! What requests have otherwise than each other, beside prompts and lengths: adapters, images and
//! fields of their bodies.

mod adapters;
mod images;

pub use adapters::{AdapterSpread, Adapters};
pub use images::{IMAGE_SIDE_MAX, IMAGES_MAX, ImageSize, NoiseImages};

use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Fields of a request's body.
type Fields = Arc<Map<String, Value>>;

/// What requests have otherwise than each other. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Variants {
    /// Whom requests ask: adapters of the model, and the model itself.
    pub adapters: Option<Adapters>,
    /// What comes with every prompt.
    pub images: Option<NoiseImages>,
    /// Fields that the bodies have, request by request; from the first again after the last.
    pub bodies: Arc<[Fields]>,
}

impl Variants {
    /// The fields that the request at that position has otherwise, where it has any. `row` holds what
    /// the row of its data set brings; a dealt body has precedence over it, and the adapter over both.
    pub(crate) fn changes(&self, seed: u64, position: u64, row: Option<&Fields>) -> Option<Fields> {
        let dealt = position.checked_rem(self.bodies.len() as u64);
        let dealt = dealt.and_then(|place| self.bodies.get(usize::try_from(place).ok()?));
        let adapter = self.adapters.as_ref();
        let adapter = adapter.and_then(|adapters| adapters.fields(seed, position));
        let layers = [row, dealt, adapter].into_iter().flatten();
        layers.cloned().reduce(|below, above| {
            let mut fields = Map::clone(&below);
            fields.extend(Map::clone(&above));
            fields.into()
        })
    }

    /// Names of the models that requests ask for otherwise than the rest: adapters, and what bodies say.
    pub(crate) fn models(&self) -> Vec<String> {
        let adapters = self.adapters.iter().flat_map(Adapters::names);
        let bodies = self.bodies.iter().filter_map(|body| body.get("model"));
        let bodies = bodies.filter_map(Value::as_str);
        adapters.chain(bodies).map(str::to_owned).collect()
    }

    /// What requests are dealt, in turn.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.bodies.iter().map(AsRef::as_ref)
    }

    /// What tells these from any other, where there are any.
    pub(crate) fn fingerprint(&self) -> Option<Value> {
        if self.adapters.is_none() && self.images.is_none() && self.bodies.is_empty() {
            return None;
        }
        Some(json!({
            "adapters": self.adapters.as_ref().map(Adapters::description),
            "images": self.images.map(NoiseImages::description),
            "bodies": self.bodies.iter().map(|body| Value::Object(Map::clone(body))).collect::<Vec<_>>(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{AdapterSpread, Adapters, Variants};
    use serde_json::{Map, Value, json};
    use std::sync::Arc;

    fn fields(value: &Value) -> Arc<Map<String, Value>> {
        value.as_object().unwrap().clone().into()
    }

    #[test]
    fn the_adapter_has_precedence_over_the_dealt_body_and_that_over_the_row() {
        let adapters = Adapters::new(vec!["a".into()], AdapterSpread::Single, None).unwrap();
        let variants = Variants {
            adapters: Some(adapters),
            bodies: [
                fields(&json!({"model": "b", "top_p": 0.5})),
                fields(&json!({})),
            ]
            .into(),
            images: None,
        };
        let row = fields(&json!({"top_p": 0.1, "seed": 3}));
        let changes = |position| variants.changes(0, position, Some(&row)).unwrap();
        let first = json!({"model": "a", "top_p": 0.5, "seed": 3});
        assert_eq!(Value::Object(Map::clone(&changes(0))), first);
        assert_eq!(Value::Object(Map::clone(&changes(2))), first);
        let second = json!({"model": "a", "top_p": 0.1, "seed": 3});
        assert_eq!(Value::Object(Map::clone(&changes(1))), second);
    }

    #[test]
    fn without_variants_nothing_changes() {
        assert_eq!(Variants::default().changes(1, 2, None), None);
        assert_eq!(Variants::default().fingerprint(), None);
    }
}
