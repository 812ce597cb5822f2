//! What a `tokenizer.json` may ask of the library that reads it, checked before that library sees it.
//!
//! The file comes from somebody else, and the library believes it: it indexes by what it says, recurses as deep as it
//! nests, and makes of a text whatever its steps say. So sizes, depths and growths are bounded here, by what no real
//! vocabulary comes near, and what is left is held by [`crate::contained`].

mod model;
mod steps;

use serde_json::Value;

/// A tokenizer's file. The largest of real models has 35 MB.
pub(super) const FILE_BYTES_MAX: usize = 128 << 20;
/// Values in it, each of which takes some 70 bytes in memory, however few it takes in the file. Real ones have 2 million.
const VALUES_MAX: usize = 8_000_000;

/// What is known of a tokenizer before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nature {
    /// Bytes that its normalizer can make of one byte.
    pub(super) growth: usize,
    /// Its work on a text may be out of all proportion to the text: it is watched.
    pub(super) watched: bool,
}

/// Refuses bytes that would take memory out of proportion before anything is known of them.
pub(super) fn check_size(json: &[u8]) -> Result<(), String> {
    if json.len() > FILE_BYTES_MAX {
        return Err(format!(
            "it has {} bytes; at most {FILE_BYTES_MAX} are read",
            json.len()
        ));
    }
    // Commas within texts count too, which no real file has so many of.
    let values = json
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'));
    let values = values.count();
    if values > VALUES_MAX {
        return Err(format!(
            "it has {values} values; at most {VALUES_MAX} are read"
        ));
    }
    Ok(())
}

/// Refuses what the library does not check.
pub(super) fn check(json: &Value) -> Result<Nature, String> {
    let model = model::check(json)?;
    let steps = steps::check(json)?;
    Ok(Nature {
        growth: steps.growth,
        watched: steps.watched || model.watched,
    })
}

/// A text of the file for an error.
fn short(value: &Value) -> String {
    crate::contained::cut(&value.to_string())
}
