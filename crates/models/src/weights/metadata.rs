//! What a GGUF file says of its model.

use std::collections::BTreeMap;

/// A value of a GGUF file's header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Floats(Vec<f32>),
}

/// What a GGUF file says of its model, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub(crate) BTreeMap<String, Value>);

impl Metadata {
    /// A whole number that is not negative; `None` where it is absent or something else.
    pub fn integer(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Value::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.0.get(key)? {
            Value::Float(value) => Some(*value),
            Value::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Option<&[String]> {
        match self.0.get(key)? {
            Value::Texts(values) => Some(values),
            _ => None,
        }
    }

    /// A list of whole numbers.
    pub fn integers(&self, key: &str) -> Option<&[i64]> {
        match self.0.get(key)? {
            Value::Integers(values) => Some(values),
            _ => None,
        }
    }

    /// A list of numbers.
    pub fn floats(&self, key: &str) -> Option<&[f32]> {
        match self.0.get(key)? {
            Value::Floats(values) => Some(values),
            _ => None,
        }
    }
}
