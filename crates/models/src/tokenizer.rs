//! Text to tokens and back.

mod foreign;
mod json;
mod library;
mod sentencepiece;
mod table;

use crate::contained::{Failed, cut, watched};
use crate::weights::Metadata;
use crate::{ModelsError, TextError, files};
use foreign::Nature;
use library::Library;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;
use table::ByteTable;

/// Ids of the byte tokenizer that are no bytes.
const BYTES_SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const BYTES_VOCAB: usize = 260;
/// Processor time to read a tokenizer, and beside it for each megabyte. A real one takes a tenth.
const LOAD_TIME: Duration = Duration::from_secs(2);

/// Text to tokens, and tokens to bytes of text.
pub struct Tokenizer {
    method: Method,
    table: ByteTable,
    /// Put before a raw prompt.
    before: Vec<u32>,
    /// Put after it.
    after: Vec<u32>,
}

enum Method {
    /// Each byte is a token.
    Bytes,
    Library {
        /// Special tokens in a text become their ids.
        parsing: Library,
        /// Special tokens in a text are text.
        plain: Library,
    },
}

impl Tokenizer {
    /// From a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Self, ModelsError> {
        let bytes = files::read(path, foreign::FILE_BYTES_MAX)?;
        Ok(Self::from_json(&bytes, &format!(" of {}", path.display()))?)
    }

    /// From the text of a `tokenizer.json`; `from` is for errors: ` of FILE`, or nothing.
    pub(crate) fn from_json(json: &[u8], from: &str) -> Result<Self, TextError> {
        let wrong = |what: String| TextError::Tokenizer {
            from: from.to_owned(),
            what,
        };
        foreign::check_size(json).map_err(wrong)?;
        let value: serde_json::Value = serde_json::from_slice(json)
            .map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        let nature = foreign::check(&value).map_err(wrong)?;
        let megabytes = u32::try_from(json.len() >> 20).unwrap_or(u32::MAX);
        let budget = LOAD_TIME.saturating_mul(megabytes.saturating_add(1));
        let made = watched(budget, move || Self::of_value(&value, nature));
        let made = made.map_err(|why| {
            wrong(match why {
                Failed::Panicked => "it contradicts itself, and its library fails on it".to_owned(),
                Failed::TooLong => format!(
                    "its {} bytes take more than {} s of processor time",
                    json.len(),
                    budget.as_secs()
                ),
                Failed::NoThread => "the system gives no thread to read it".to_owned(),
            })
        })?;
        made.map_err(wrong)
    }

    /// Of what was checked: the same value, so that nothing is read in another way than it was checked in.
    fn of_value(value: &serde_json::Value, nature: Nature) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| cut(&error.to_string());
        let mut parsing =
            tokenizers::Tokenizer::deserialize(value).map_err(|error| words(&error))?;
        // Both are a matter of the request: a file that asks for them would cut texts without a word.
        parsing
            .with_truncation(None)
            .map_err(|error| words(&error))?
            .with_padding(None);
        let mut plain = parsing.clone();
        plain.set_encode_special_tokens(true);
        let table = ByteTable::of(&parsing, value)?;
        Ok(Tokenizer {
            method: Method::Library {
                parsing: Library::new(parsing, nature),
                plain: Library::new(plain, nature),
            },
            table,
            before: Vec::new(),
            after: Vec::new(),
        })
    }

    /// From GPT-2's `vocab.json` and `merges.txt`.
    pub fn from_vocab_merges(vocab: &Path, merges: &Path) -> Result<Self, ModelsError> {
        let read = |path: &Path| files::read(path, foreign::FILE_BYTES_MAX);
        let (vocab_bytes, merges_bytes) = (read(vocab)?, read(merges)?);
        let from = format!(" of {}", vocab.display());
        let json = json::of_vocab_merges(&vocab_bytes, &merges_bytes).map_err(|what| {
            TextError::Tokenizer {
                from: from.clone(),
                what,
            }
        })?;
        Ok(Self::from_json(&json, &from)?)
    }

    /// From the vocabulary inside a GGUF file.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TextError> {
        let json = json::of_gguf(metadata).map_err(|what| TextError::Tokenizer {
            from: String::new(),
            what,
        })?;
        let mut tokenizer = Self::from_json(&json, "")?;
        let id = |key: &str| {
            let id = metadata.integer(&format!("tokenizer.ggml.{key}_token_id"))?;
            u32::try_from(id).ok()
        };
        let adds = |key: &str| metadata.bool(&format!("tokenizer.ggml.add_{key}_token"));
        // A file that is silent has the habit of its kind of vocabulary.
        let habit = json::begins_texts(metadata);
        tokenizer.before = id("bos")
            .filter(|_| adds("bos").unwrap_or(habit))
            .into_iter()
            .collect();
        tokenizer.after = id("eos")
            .filter(|_| adds("eos").unwrap_or(false))
            .into_iter()
            .collect();
        Ok(tokenizer)
    }

    /// Each byte is a token; 256 is `<|endoftext|>`, 257 `<|im_start|>`, 258 `<|im_end|>`. Ids from 260 on, which a
    /// larger random model has, are printable fillers, so that its streams carry text.
    pub fn bytes() -> Self {
        Tokenizer {
            method: Method::Bytes,
            table: ByteTable::of_bytes(),
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// With the tokens around a raw prompt: those of the file's post-processor, which is what transformers heeds; a
    /// file without any gets those that its settings ask for.
    pub(crate) fn with_ends_of_text(
        self,
        bos: Option<u32>,
        eos: Option<u32>,
    ) -> Result<Self, TextError> {
        if matches!(self.method, Method::Bytes) {
            return Ok(self);
        }
        let mut tokenizer = self.with_ends()?;
        if tokenizer.end_tokens() == 0 {
            tokenizer.before = bos.into_iter().collect();
            tokenizer.after = eos.into_iter().collect();
        }
        Ok(tokenizer)
    }

    /// With the tokens around a text that the file's post-processor adds, such as `[CLS]` and `[SEP]`. The byte
    /// tokenizer has `<|im_start|>` and `<|im_end|>` there.
    pub(crate) fn with_ends(mut self) -> Result<Self, TextError> {
        /// Any text will do that every vocabulary knows, be it as an unknown one.
        const TEXT: &str = "a";
        let Method::Library { parsing, .. } = &self.method else {
            (self.before, self.after) = (vec![257], vec![258]);
            return Ok(self);
        };
        let (whole, text) = (parsing.encode(TEXT, true)?, parsing.encode(TEXT, false)?);
        // A vocabulary without that letter shows no ends.
        if whole == text || text.is_empty() {
            return Ok(self);
        }
        let place = whole
            .windows(text.len().max(1))
            .position(|part| part == text)
            .ok_or_else(|| TextError::Tokenizer {
                from: String::new(),
                what: "its post-processor does not keep the text's tokens together".to_owned(),
            })?;
        self.after = whole[place + text.len()..].to_vec();
        self.before = whole[..place].to_vec();
        Ok(self)
    }

    /// Tokens that are put around a raw prompt.
    pub fn end_tokens(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Tokens of a text. Where `special`, special tokens in it become their ids, as a rendered chat template needs;
    /// otherwise they are text like any other.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TextError> {
        match &self.method {
            Method::Bytes => Ok(encode_bytes(text, special)),
            Method::Library { parsing, plain } => {
                let tokenizer = if special { parsing } else { plain };
                tokenizer.encode(text, false)
            }
        }
    }

    /// Tokens of a raw prompt: with the tokens around it that the model wants.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encode_prompt_within(text, usize::MAX)
    }

    /// The same, of at most `tokens_max` tokens: what is too much is left out at the text's end.
    pub fn encode_prompt_within(
        &self,
        text: &str,
        tokens_max: usize,
    ) -> Result<Vec<u32>, TextError> {
        let mut ids = self.encode(text, false)?;
        ids.truncate(tokens_max.saturating_sub(self.end_tokens()));
        ids.splice(0..0, self.before.iter().copied());
        ids.extend_from_slice(&self.after);
        Ok(ids)
    }

    /// What a token adds to the text; nothing where it is special or unknown.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.table.bytes(id)
    }

    /// Whether it is a token that is no text.
    pub fn is_special(&self, id: u32) -> bool {
        self.table.is_special(id)
    }

    /// The text of several tokens; U+FFFD for bytes that are none.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|id| self.token_bytes(*id))
            .copied()
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        // Where words begin with a space, so does the first one.
        let text = match text.strip_prefix(' ') {
            Some(rest) if self.table.spaces_words() => rest,
            _ => &text,
        };
        text.to_owned()
    }

    /// Tokens that exist.
    pub fn vocab_size(&self) -> usize {
        self.table.len()
    }

    /// The id of a token by its name.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        match &self.method {
            Method::Bytes => {
                let special = BYTES_SPECIAL.iter().position(|special| *special == token);
                special.and_then(|index| u32::try_from(256 + index).ok())
            }
            Method::Library { parsing, .. } => parsing.inner().token_to_id(token),
        }
    }

    /// A token's name, such as `<|im_end|>`.
    pub(crate) fn id_to_token(&self, id: u32) -> Option<String> {
        match &self.method {
            Method::Bytes => {
                let index = usize::try_from(id).ok()?.checked_sub(256)?;
                BYTES_SPECIAL
                    .get(index)
                    .map(|special| (*special).to_owned())
            }
            Method::Library { parsing, .. } => parsing.inner().id_to_token(id),
        }
    }
}

fn encode_bytes(text: &str, special: bool) -> Vec<u32> {
    let mut ids = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let found = BYTES_SPECIAL
            .iter()
            .position(|token| special && rest.starts_with(token));
        if let Some(index) = found {
            ids.extend(u32::try_from(256 + index));
            rest = &rest[BYTES_SPECIAL[index].len()..];
        } else {
            let (character, after) = rest.split_at(next.len_utf8());
            ids.extend(character.bytes().map(u32::from));
            rest = after;
        }
    }
    ids
}

#[cfg(test)]
mod tests;
