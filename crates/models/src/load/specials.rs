//! Special tokens, from every place that names them: what a template calls them, and which of them end a text.

use crate::Tokenizer;
use crate::config::tokens;
use crate::weights::Metadata;
use serde_json::Value;
use std::collections::HashSet;

/// The names by which templates know special tokens, and the keys of a GGUF file for them.
const NAMES: [(&str, &str); 7] = [
    ("bos_token", "bos"),
    ("eos_token", "eos"),
    ("unk_token", "unknown"),
    ("pad_token", "padding"),
    // As GGUF spells it.
    ("sep_token", "seperator"),
    ("cls_token", "cls"),
    ("mask_token", "mask"),
];

/// Control tokens that end a turn or a text wherever a vocabulary has them: files often name one alone. llama.cpp ends
/// at the same.
const ENDS: [&str; 18] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "</s>",
    "<｜end▁of▁sentence｜>",
];

/// Special tokens by the names that templates call them.
#[derive(Default)]
pub(super) struct Specials(Vec<(&'static str, String)>);

impl Specials {
    /// Of the settings of a folder: the first that names a token says what it is, as text or as an object around it.
    pub(super) fn of_settings(settings: &[&Value]) -> Self {
        let text = |value: &Value| {
            let text = value.as_str().or_else(|| value.get("content")?.as_str());
            text.map(str::to_owned)
        };
        let found = NAMES.iter().filter_map(|(name, _)| {
            let found = settings.iter().find_map(|json| text(json.get(*name)?));
            found.map(|token| (*name, token))
        });
        Self(found.collect())
    }

    /// Of a GGUF file, which names them by their ids.
    pub(super) fn of_gguf(metadata: &Metadata, tokenizer: &Tokenizer) -> Self {
        let found = NAMES.iter().filter_map(|(name, key)| {
            let token = tokenizer.id_to_token(gguf_id(metadata, key)?)?;
            Some((*name, token))
        });
        Self(found.collect())
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, token)| (*name, token.as_str())).collect()
    }

    /// A token's id, where it is there and the vocabulary has it.
    pub(super) fn id(&self, name: &str, tokenizer: &Tokenizer) -> Option<u32> {
        let (_, token) = self.0.iter().find(|(known, _)| *known == name)?;
        tokenizer.token_to_id(token)
    }
}

/// A special token's id in a GGUF file.
pub(super) fn gguf_id(metadata: &Metadata, key: &str) -> Option<u32> {
    let id = metadata.integer(&format!("tokenizer.ggml.{key}_token_id"))?;
    u32::try_from(id).ok()
}

/// All tokens at which a text of a GGUF file's model ends.
pub(super) fn ends_of_gguf(metadata: &Metadata, tokenizer: &Tokenizer) -> Vec<u32> {
    let named = ["eos", "eot", "eom"]
        .iter()
        .filter_map(|key| gguf_id(metadata, key));
    let known = ENDS.iter().filter_map(|name| tokenizer.token_to_id(name));
    // In the vocabularies of gpt-oss `<|end|>` ends a message, and another may follow.
    let goes_on = tokenizer
        .token_to_id("<|return|>")
        .and_then(|_| tokenizer.token_to_id("<|end|>"));
    let known = known.filter(|id| tokenizer.is_special(*id) && goes_on != Some(*id));
    union(named.chain(known))
}

/// All tokens at which a text of a folder's model ends: those of its configurations, and the tokenizer's own.
pub(super) fn ends_of_folder(configs: &[&Value], own: Option<u32>) -> Vec<u32> {
    let configured = configs.iter().flat_map(|json| {
        // Models of several media keep the language model's own configuration inside.
        let inner = json.pointer("/text_config/eos_token_id");
        [tokens(json.get("eos_token_id")), tokens(inner)].concat()
    });
    union(configured.chain(own))
}

fn union(ids: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut known = HashSet::new();
    ids.filter(|id| known.insert(*id)).collect()
}
