//! Writing JSON by hand where the shape is fixed and speed matters.

use serde::Serialize;

/// Appends `value` as JSON: strings are quoted and escaped.
pub(crate) fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("strings and numbers always serialise into a Vec");
}
