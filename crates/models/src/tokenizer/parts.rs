//! What a `tokenizer.json` may hold. The library behind reads more kinds than models of text need, and trusts its files:
//! it panics on a prefix longer than a token and on pieces of length 0, and gives a token another id without a word. So
//! what it gets is looked at first, and what is known to be sound passes.

use super::Around;
use super::table::Spelling;
use serde_json::Value;
use std::collections::HashMap;

/// Holes that a vocabulary may have beside its own size: a table of ids must not be larger than the file justifies.
const HOLES_MAX: u64 = 1 << 16;

const NORMALIZERS: [&str; 12] = [
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Lowercase",
    "Prepend",
    "Replace",
    "Strip",
    "StripAccents",
    "ByteLevel",
    "Sequence",
];
const PRE_TOKENIZERS: [&str; 8] = [
    "ByteLevel",
    "Split",
    "Digits",
    "Metaspace",
    "Whitespace",
    "WhitespaceSplit",
    "Punctuation",
    "Sequence",
];
const POST_PROCESSORS: [&str; 3] = ["ByteLevel", "TemplateProcessing", "Sequence"];

/// Refuses what the library would not survive, or would read as something else.
pub(super) fn check(json: &Value) -> Result<(), String> {
    let model = json.get("model").and_then(Value::as_object);
    let model = model.ok_or("it has no `model`")?;
    match model.get("type").map(|kind| kind.as_str().unwrap_or("?")) {
        None | Some("BPE") => {}
        Some(other) => {
            return Err(format!(
                "its model is `{other}`; BPE can be read, which the known networks use"
            ));
        }
    }
    let vocab = model.get("vocab").and_then(Value::as_object);
    let vocab = vocab.ok_or("it has no `model.vocab` of names and ids")?;
    check_ids(vocab, added_tokens(json))?;
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let affix = model.get(key).and_then(Value::as_str);
        if affix.is_some_and(|affix| !affix.is_empty()) {
            return Err(format!("its model has a `{key}`, which cannot be read"));
        }
    }
    check_kinds(
        "normalizer",
        "normalizers",
        json.get("normalizer"),
        &NORMALIZERS,
    )?;
    check_kinds(
        "pre-tokenizer",
        "pretokenizers",
        json.get("pre_tokenizer"),
        &PRE_TOKENIZERS,
    )?;
    check_kinds(
        "post-processor",
        "processors",
        json.get("post_processor"),
        &POST_PROCESSORS,
    )
}

fn added_tokens(json: &Value) -> impl Iterator<Item = &Value> {
    let added = json.get("added_tokens").and_then(Value::as_array);
    added.into_iter().flatten()
}

fn check_ids<'a>(
    vocab: &'a serde_json::Map<String, Value>,
    added: impl Iterator<Item = &'a Value>,
) -> Result<(), String> {
    if vocab.is_empty() {
        return Err("its vocabulary is empty".to_owned());
    }
    let ids_max = 2 * vocab.len() as u64 + HOLES_MAX;
    let in_range = |id: &Value| match id.as_u64() {
        Some(value) if value < ids_max => Ok(value),
        _ => Err(format!(
            "the token id {id} is not between 0 and {}, which {} tokens justify",
            ids_max - 1,
            vocab.len()
        )),
    };
    let mut names: HashMap<u64, &str> = HashMap::with_capacity(vocab.len());
    for (name, id) in vocab {
        let id = in_range(id)?;
        if let Some(other) = names.insert(id, name) {
            return Err(format!("`{other}` and `{name}` have the same id, {id}"));
        }
    }
    added
        .filter_map(|token| token.get("id"))
        .try_for_each(|id| in_range(id).map(drop))
}

/// A part of a tokenizer, or several in a `Sequence`.
fn check_kinds(
    what: &str,
    inside: &str,
    part: Option<&Value>,
    known: &[&str],
) -> Result<(), String> {
    let Some(part) = part.filter(|part| !part.is_null()) else {
        return Ok(());
    };
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("none");
    if !known.contains(&kind) {
        return Err(format!(
            "its {what} is `{kind}`; {} can be read",
            known.join(", ")
        ));
    }
    let parts = part.get(inside).and_then(Value::as_array);
    let mut parts = parts.into_iter().flatten();
    parts.try_for_each(|part| check_kinds(what, inside, Some(part), known))
}

/// The library gives an added token that its model does not know the next free id, whatever the file says.
pub(super) fn check_added(json: &Value, tokenizer: &tokenizers::Tokenizer) -> Result<(), String> {
    for token in added_tokens(json) {
        let (Some(id), Some(name)) = (
            token.get("id").and_then(Value::as_u64),
            token.get("content").and_then(Value::as_str),
        ) else {
            continue;
        };
        let got = tokenizer.token_to_id(name).map(u64::from);
        if !name.is_empty() && got != Some(id) {
            return Err(format!(
                "the added token `{name}` has the id {id}, and should have {}: the one in the vocabulary, or the next",
                got.map_or_else(|| "none".to_owned(), |got| got.to_string())
            ));
        }
    }
    Ok(())
}

/// Takes out what is done here or must not be done: a prompt is never cut or filled up, its tokens never depend on
/// chance, and tokens become bytes by a table.
pub(super) fn keep_what_encodes(json: &mut Value) {
    if let Some(parts) = json.as_object_mut() {
        for key in ["truncation", "padding", "post_processor", "decoder"] {
            parts.remove(key);
        }
    }
    if let Some(model) = json.get_mut("model").and_then(Value::as_object_mut) {
        model.remove("dropout");
        // Files of the first versions do not say it.
        model.insert("type".to_owned(), "BPE".into());
    }
}

/// What the vocabulary's strings mean: by the decoder, or the pre-tokenizer where there is none.
pub(super) fn spelling(json: &Value) -> Result<Spelling, String> {
    let text = |part: &str| json.get(part).map(Value::to_string).unwrap_or_default();
    let (decoder, before) = (text("decoder"), text("pre_tokenizer"));
    if decoder.contains("ByteLevel") || before.contains("ByteLevel") {
        Ok(Spelling::ByteLevel)
    } else if decoder.contains("ByteFallback")
        || decoder.contains("Metaspace")
        || decoder.contains('▁')
    {
        Ok(Spelling::SentencePiece)
    } else {
        Err(
            "its decoder is neither ByteLevel, ByteFallback nor Metaspace, and no other is known"
                .to_owned(),
        )
    }
}

/// The tokens that the post-processor's template puts around one text.
pub(super) fn around(json: &Value) -> Result<Around, String> {
    let Some(processor) = json.get("post_processor") else {
        return Ok(Around::default());
    };
    let several = processor.get("processors").and_then(Value::as_array);
    let several = several.map_or(std::slice::from_ref(processor), Vec::as_slice);
    let template = several
        .iter()
        .find(|part| part.get("type").and_then(Value::as_str) == Some("TemplateProcessing"));
    let Some(template) = template else {
        return Ok(Around::default());
    };
    let pieces = template.get("single").and_then(Value::as_array);
    let pieces = pieces.ok_or("its post-processor has no `single`")?;
    let mut around = Around::default();
    let mut side = &mut around.before;
    for piece in pieces {
        if piece.get("Sequence").is_some() {
            side = &mut around.after;
            continue;
        }
        let name = piece
            .pointer("/SpecialToken/id")
            .and_then(Value::as_str)
            .unwrap_or("?");
        let ids = template
            .get("special_tokens")
            .and_then(|tokens| tokens.get(name)?.get("ids")?.as_array());
        let ids =
            ids.ok_or_else(|| format!("its post-processor does not know its token `{name}`"))?;
        for id in ids {
            let known = id.as_u64().and_then(|id| u32::try_from(id).ok());
            side.push(known.ok_or_else(|| format!("its post-processor has the token id {id}"))?);
        }
    }
    Ok(around)
}
