//! JSON merge patches, RFC 7396.

use serde_json::{Map, Value};

/// Applies a merge patch to an object: `null` removes a field, an object is merged into what is there, anything else
/// takes its place.
pub fn merge_patch(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.remove(name);
            }
            Value::Object(inner) => {
                let place = fields.entry(name.as_str()).or_insert(Value::Null);
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(below) = place {
                    merge_patch(below, inner);
                }
            }
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::merge_patch;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn patched(target: &Value, patch: &Value) -> Value {
        let mut fields = target.as_object().unwrap().clone();
        merge_patch(&mut fields, patch.as_object().unwrap());
        Value::Object(fields)
    }

    /// Those of the RFC's appendix A whose target and patch are objects.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            assert_eq!(patched(&target, &patch), result, "{target} with {patch}");
        }
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[ab]".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                object(inner).prop_map(Value::Object),
            ]
        })
    }

    fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        let fields = proptest::collection::btree_map("[abc]", inner, 0..4);
        fields.prop_map(|fields| fields.into_iter().collect())
    }

    /// The RFC's pseudocode, word for word: a value and a patch to a value.
    fn by_the_rfc(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else {
            return patch.clone();
        };
        let mut fields = match target {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        for (name, value) in patch {
            if value.is_null() {
                fields.remove(name);
            } else {
                let before = fields.remove(name).unwrap_or(Value::Null);
                fields.insert(name.clone(), by_the_rfc(before, value));
            }
        }
        Value::Object(fields)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_patch_of_any_object_is_what_the_rfc_makes_of_it(
            target in object(anything()),
            patch in object(anything()),
        ) {
            let (target, patch) = (Value::Object(target), Value::Object(patch));
            prop_assert_eq!(patched(&target, &patch), by_the_rfc(target.clone(), &patch));
        }
    }
}
