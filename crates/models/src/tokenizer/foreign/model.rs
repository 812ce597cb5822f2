//! The vocabulary: its ids, its pieces and the tokens that are added to it.

use super::short;
use serde_json::Value;

/// Ids beyond any vocabulary.
const IDS_MAX: u64 = 1 << 22;
/// Ids may have gaps, and the table of them has an entry for each: so many for each token that there is, beside some.
const IDS_OF_A_TOKEN: u64 = 16;
const IDS_FREE: u64 = 1 << 16;
/// What begins or ends a part of a word, as `##` and `</w>` do: it is put to every part of every text.
const AFFIX_BYTES_MAX: usize = 64;
/// Of a word that is looked up by its parts, of which it has the square of its length. Real files say 100.
const WORD_CHARACTERS_MAX: u64 = 1_000;
const WORD_CHARACTERS_TAME: u64 = 200;
/// A piece of a unigram vocabulary: a tree of them is one node deep for each byte, and is walked by recursion.
const PIECE_BYTES_MAX: usize = 1_024;
const PIECE_BYTES_TAME: usize = 256;
/// All pieces: a node takes some 300 bytes in memory. The largest real vocabularies have 3 MB.
const PIECES_BYTES_MAX: usize = 16 << 20;
/// A token that is added, which is found by an automaton with a state for each byte of each of them.
const ADDED_BYTES_MAX: usize = 4_096;
const ADDED_BYTES_OF_ALL_MAX: usize = 4 << 20;

/// What is known of the model.
pub(super) struct ModelNature {
    pub(super) watched: bool,
}

pub(super) fn check(json: &Value) -> Result<ModelNature, String> {
    let model = json.get("model").unwrap_or(&Value::Null);
    let mut nature = ModelNature { watched: false };
    let pieces = match model.get("vocab") {
        Some(Value::Object(vocab)) => {
            check_ids(vocab.values(), vocab.len() as u64)?;
            vocab.len()
        }
        Some(Value::Array(pieces)) => {
            nature.watched |= check_pieces(pieces, model.get("unk_id"))?;
            pieces.len()
        }
        _ => return Err("it has no `model.vocab`".to_owned()),
    };
    check_added(json, pieces)?;
    check_affixes(model)?;
    match model.get("max_input_chars_per_word") {
        None => {}
        Some(most) => match most.as_u64() {
            Some(most) if most <= WORD_CHARACTERS_MAX => {
                nature.watched |= most > WORD_CHARACTERS_TAME;
            }
            _ => {
                return Err(format!(
                    "`max_input_chars_per_word` must be between 0 and {WORD_CHARACTERS_MAX}, got {}",
                    short(most)
                ));
            }
        },
    }
    Ok(nature)
}

fn check_ids<'a>(ids: impl Iterator<Item = &'a Value>, tokens: u64) -> Result<(), String> {
    let most = IDS_MAX.min(tokens * IDS_OF_A_TOKEN + IDS_FREE);
    for id in ids {
        if id.as_u64().is_none_or(|id| id >= most) {
            return Err(format!(
                "the token id {} is not between 0 and {}, and it has {tokens} tokens",
                short(id),
                most - 1
            ));
        }
    }
    Ok(())
}

/// Pieces with scores; whether texts of them are to be watched.
fn check_pieces(pieces: &[Value], unknown: Option<&Value>) -> Result<bool, String> {
    if pieces.is_empty() || pieces.len() as u64 > IDS_MAX {
        return Err(format!(
            "its vocabulary has {} pieces, and must have between 1 and {IDS_MAX}",
            pieces.len()
        ));
    }
    let (mut bytes, mut longest) = (0, 0);
    for (id, piece) in pieces.iter().enumerate() {
        let (text, score) = match piece.as_array().map(Vec::as_slice) {
            Some([Value::String(text), score]) => (text, score.as_f64()),
            _ => return Err(format!("its piece {id} is no pair of a text and a score")),
        };
        // A sum of scores beyond this is no number, and no path through a text is the best then.
        if score.is_none_or(|score| score.abs() > 1e30) {
            return Err(format!(
                "its piece {id} has no score between -1e30 and 1e30"
            ));
        }
        longest = longest.max(text.len());
        bytes += text.len();
        if longest > PIECE_BYTES_MAX {
            return Err(format!(
                "its piece {id} has {longest} bytes; a piece has at most {PIECE_BYTES_MAX}"
            ));
        }
    }
    if bytes > PIECES_BYTES_MAX {
        return Err(format!(
            "its pieces have {bytes} bytes together; at most {PIECES_BYTES_MAX} are read"
        ));
    }
    match unknown {
        None | Some(Value::Null) => {}
        Some(id) if id.as_u64().is_some_and(|id| id < pieces.len() as u64) => {}
        Some(id) => {
            return Err(format!(
                "`unk_id` is {}, and it has {} pieces",
                short(id),
                pieces.len()
            ));
        }
    }
    Ok(longest > PIECE_BYTES_TAME)
}

fn check_added(json: &Value, pieces: usize) -> Result<(), String> {
    let added = json.get("added_tokens").and_then(Value::as_array);
    let added = added.map_or(&[][..], Vec::as_slice);
    let ids = added.iter().filter_map(|token| token.get("id"));
    check_ids(ids, (pieces + added.len()) as u64)?;
    let mut bytes = 0;
    for text in added
        .iter()
        .filter_map(|token| token.get("content")?.as_str())
    {
        if text.len() > ADDED_BYTES_MAX {
            return Err(format!(
                "an added token has {} bytes; at most {ADDED_BYTES_MAX} are read",
                text.len()
            ));
        }
        bytes += text.len();
    }
    if bytes > ADDED_BYTES_OF_ALL_MAX {
        return Err(format!(
            "its added tokens have {bytes} bytes together; at most {ADDED_BYTES_OF_ALL_MAX} are read"
        ));
    }
    Ok(())
}

fn check_affixes(model: &Value) -> Result<(), String> {
    for key in [
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "unk_token",
    ] {
        let bytes = model.get(key).and_then(Value::as_str).map_or(0, str::len);
        if bytes > AFFIX_BYTES_MAX {
            return Err(format!(
                "`{key}` has {bytes} bytes; at most {AFFIX_BYTES_MAX} are read"
            ));
        }
    }
    let prefix = model
        .get("continuing_subword_prefix")
        .and_then(Value::as_str);
    let prefix = prefix.unwrap_or_default();
    let merges = model.get("merges").and_then(Value::as_array);
    // The library cuts so many bytes off whatever the second token of a merge is.
    for merge in merges.into_iter().flatten().filter(|_| !prefix.is_empty()) {
        let second = match merge {
            Value::String(line) => line.split_once(' ').map_or("", |(_, second)| second),
            other => other.get(1).and_then(Value::as_str).unwrap_or_default(),
        };
        if !second.starts_with(prefix) {
            return Err(format!(
                "the merge {} does not go on with `{prefix}`, its `continuing_subword_prefix`",
                short(merge)
            ));
        }
    }
    Ok(())
}
