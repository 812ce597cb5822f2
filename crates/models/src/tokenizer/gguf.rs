//! The vocabulary of a GGUF file.

use super::Around;
use super::json::{Cut, added, byte_level, pair, sentence_piece};
use crate::weights::Metadata;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The values of `tokenizer.ggml.token_type` that matter here.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// Pieces of `SentencePiece` have 16 characters; merges are looked for in every place of a token.
const PIECE_BYTES_MAX: usize = 1024;

const WAY_OUT: &str = "give the model's tokenizer.json with --tokenizer-name";

/// What a GGUF file says of its tokens, each list as long as it must be.
#[derive(Clone, Debug, Default)]
pub(super) struct GgufVocabulary {
    /// `tokenizer.ggml.model`.
    pub(super) model: String,
    /// `tokenizer.ggml.pre`: the way to cut a text.
    pub(super) pre: String,
    pub(super) tokens: Vec<String>,
    /// As many as tokens, or none.
    pub(super) types: Vec<i64>,
    pub(super) merges: Vec<String>,
    /// As many as tokens, or none.
    pub(super) scores: Vec<f32>,
    pub(super) bos: Option<u64>,
    pub(super) eos: Option<u64>,
    pub(super) add_bos: Option<bool>,
    pub(super) add_eos: Option<bool>,
    pub(super) add_space_prefix: Option<bool>,
}

impl GgufVocabulary {
    pub(super) fn of(metadata: &Metadata) -> Result<Self, String> {
        let text = |key: &str| metadata.text(key).unwrap_or("none").to_owned();
        let vocabulary = GgufVocabulary {
            model: text("tokenizer.ggml.model"),
            pre: text("tokenizer.ggml.pre"),
            tokens: metadata
                .texts("tokenizer.ggml.tokens")
                .ok_or("it has no `tokenizer.ggml.tokens`")?
                .to_vec(),
            types: list(metadata.integers("tokenizer.ggml.token_type")),
            merges: list(metadata.texts("tokenizer.ggml.merges")),
            scores: list(metadata.floats("tokenizer.ggml.scores")),
            bos: metadata.integer("tokenizer.ggml.bos_token_id"),
            eos: metadata.integer("tokenizer.ggml.eos_token_id"),
            add_bos: metadata.bool("tokenizer.ggml.add_bos_token"),
            add_eos: metadata.bool("tokenizer.ggml.add_eos_token"),
            add_space_prefix: metadata.bool("tokenizer.ggml.add_space_prefix"),
        };
        let count = vocabulary.tokens.len();
        for (what, length) in [
            ("types of tokens", vocabulary.types.len()),
            ("scores", vocabulary.scores.len()),
        ] {
            if length != 0 && length != count {
                return Err(format!("it has {count} tokens and {length} {what}"));
            }
        }
        Ok(vocabulary)
    }

    /// The same as a `tokenizer.json`.
    pub(super) fn json(&self) -> Result<Value, String> {
        let mut vocab = Map::new();
        let mut specials = Vec::new();
        for (id, name) in self.tokens.iter().enumerate() {
            if vocab.insert(name.clone(), json!(id)).is_some() {
                return Err(format!("it has the token `{name}` twice"));
            }
            match self.types.get(id) {
                Some(&CONTROL | &UNKNOWN) => specials.push(added(&json!(id), name, true)),
                Some(&USER_DEFINED) => specials.push(added(&json!(id), name, false)),
                _ => {}
            }
        }
        match self.model.as_str() {
            "gpt2" => {
                let cut = cut(&self.pre)?;
                if self.merges.is_empty() {
                    return Err("it has no `tokenizer.ggml.merges`".to_owned());
                }
                let merges = self.merges.iter().map(|line| pair(line));
                let merges = merges.collect::<Result<_, _>>()?;
                Ok(byte_level(vocab, merges, specials, cut))
            }
            "llama" => {
                let unknown = self.types.iter().position(|kind| *kind == UNKNOWN);
                let unknown = unknown.map(|id| self.tokens[id].as_str());
                let before = self.add_space_prefix.unwrap_or(true);
                let merges = self.merges_by_score()?;
                Ok(sentence_piece(vocab, merges, specials, unknown, before))
            }
            other => Err(format!(
                "`tokenizer.ggml.model` is `{other}`; gpt2 and llama can be read: {WAY_OUT}"
            )),
        }
    }

    /// The merges that `SentencePiece` implies: two neighbours become one where that is a token, best score first.
    fn merges_by_score(&self) -> Result<Vec<Value>, String> {
        if self.scores.is_empty() {
            return Err("it has no `tokenizer.ggml.scores`".to_owned());
        }
        // A control token or a byte comes from no text, so nothing merges into one.
        let merges_into =
            |id: usize| !matches!(self.types.get(id), Some(&(UNKNOWN | CONTROL | BYTE)));
        let ids: HashMap<&str, usize> = (0..self.tokens.len())
            .filter(|id| merges_into(*id))
            .map(|id| (self.tokens[id].as_str(), id))
            .collect();
        let mut merges = Vec::new();
        for (token, id) in &ids {
            if token.len() > PIECE_BYTES_MAX {
                return Err(format!(
                    "the token {id} has {} bytes; a piece has at most {PIECE_BYTES_MAX}",
                    token.len()
                ));
            }
            for (at, _) in token.char_indices().skip(1) {
                let (left, right) = token.split_at(at);
                if ids.contains_key(left) && ids.contains_key(right) {
                    merges.push((*id, left, right));
                }
            }
        }
        merges.sort_unstable_by(|(a, left_a, _), (b, left_b, _)| {
            let by_score = self.scores[*b].total_cmp(&self.scores[*a]);
            by_score
                .then(a.cmp(b))
                .then(left_a.len().cmp(&left_b.len()))
        });
        let pairs = merges.iter().map(|(_, left, right)| json!([left, right]));
        Ok(pairs.collect())
    }

    /// Where the file is silent, its kind of vocabulary has a habit: `SentencePiece` and Llama 3 begin texts with a token.
    pub(super) fn around(&self) -> Result<Around, String> {
        let is_llama = self.model == "llama";
        let habit = is_llama || LLAMA3.contains(&self.pre.as_str());
        let token = |wanted: bool, id: Option<u64>, usual: u64, name: &str| match id
            .or(is_llama.then_some(usual))
        {
            _ if !wanted => Ok(Vec::new()),
            Some(id) if id < self.tokens.len() as u64 => {
                Ok(u32::try_from(id).into_iter().collect())
            }
            Some(id) => Err(format!(
                "`tokenizer.ggml.{name}_token_id` is {id}, and it has {} tokens",
                self.tokens.len()
            )),
            None => Err(format!(
                "it has `tokenizer.ggml.add_{name}_token` and no `tokenizer.ggml.{name}_token_id`"
            )),
        };
        Ok(Around {
            before: token(self.add_bos.unwrap_or(habit), self.bos, 1, "bos")?,
            after: token(self.add_eos.unwrap_or(false), self.eos, 2, "eos")?,
        })
    }
}

fn list<T: Clone>(values: Option<&[T]>) -> Vec<T> {
    values.unwrap_or_default().to_vec()
}

const LLAMA3: [&str; 3] = ["llama-bpe", "llama3", "llama-v3"];

/// The way to cut a text, by the name that GGUF files give it. The patterns are those of the models' own
/// `tokenizer.json`. A file without a name is older than the names, and GPT-2's way is the nearest.
fn cut(name: &str) -> Result<Cut, String> {
    Ok(match name {
        "none" | "default" | "gpt-2" => Cut::gpt2(),
        "smollm" => Cut::digits_and_gpt2(),
        _ if LLAMA3.contains(&name) => Cut {
            ignore_merges: true,
            ..Cut::pattern(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            )
        },
        "qwen2" => Cut {
            normalizer: json!({"type": "NFC"}),
            ..Cut::pattern(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            )
        },
        other => {
            return Err(format!(
                "`tokenizer.ggml.pre` is `{other}`; gpt-2, smollm, llama-bpe and qwen2 can be read: {WAY_OUT}"
            ));
        }
    })
}
