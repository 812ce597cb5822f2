//! Text to tokens and back.

mod gguf;
mod json;
mod parts;
mod table;

use crate::weights::Metadata;
use crate::{ModelsError, TextError};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use table::ByteTable;

/// Ids of the byte tokenizer that are no bytes.
const BYTES_SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const BYTES_VOCAB: usize = 260;
/// The largest known `tokenizer.json`, of 262,144 tokens, has 33 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Text to tokens, and tokens to bytes of text.
pub struct Tokenizer {
    method: Method,
    table: ByteTable,
    /// Around a raw prompt: mostly the token that begins a text, and nothing.
    around: Around,
}

/// What a model wants before and after a raw prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Around {
    before: Vec<u32>,
    after: Vec<u32>,
}

enum Method {
    /// Each byte is a token.
    Bytes,
    Library {
        /// Special tokens in a text become their ids.
        parsing: Box<tokenizers::Tokenizer>,
        /// Special tokens in a text are text.
        plain: Box<tokenizers::Tokenizer>,
    },
}

impl Tokenizer {
    /// From a `tokenizer.json` with byte pair encoding.
    pub fn from_file(path: &Path) -> Result<Self, ModelsError> {
        Ok(Self::from_json(
            &read(path)?,
            &format!(" of {}", path.display()),
        )?)
    }

    /// From the text of a `tokenizer.json`; `from` is for errors: ` of FILE`, or nothing.
    pub(crate) fn from_json(json: &[u8], from: &str) -> Result<Self, TextError> {
        let parsed =
            serde_json::from_slice(json).map_err(|error| format!("it is no JSON: {error}"));
        parsed
            .and_then(Self::of_value)
            .map_err(|what| wrong(from, what))
    }

    fn of_value(mut value: serde_json::Value) -> Result<Self, String> {
        parts::check(&value)?;
        let spelling = parts::spelling(&value)?;
        let around = parts::around(&value)?;
        parts::keep_what_encodes(&mut value);
        let parsing = tokenizers::Tokenizer::from_bytes(value.to_string().as_bytes())
            .map_err(|error| error.to_string())?;
        parts::check_added(&value, &parsing)?;
        let mut plain = parsing.clone();
        plain.set_encode_special_tokens(true);
        let table = ByteTable::of(&parsing, spelling);
        let known = |id: &&u32| (**id as usize) < table.len();
        if let Some(id) = around
            .before
            .iter()
            .chain(&around.after)
            .find(|id| !known(id))
        {
            return Err(format!(
                "it puts the token {id} around a prompt, and has {} tokens",
                table.len()
            ));
        }
        Ok(Tokenizer {
            method: Method::Library {
                parsing: Box::new(parsing),
                plain: Box::new(plain),
            },
            table,
            around,
        })
    }

    /// From GPT-2's `vocab.json` and `merges.txt`.
    pub fn from_vocab_merges(vocab: &Path, merges: &Path) -> Result<Self, ModelsError> {
        let made = json::of_vocab_merges(&read(vocab)?, &read(merges)?).and_then(Self::of_value);
        let from = format!(" of {} and {}", vocab.display(), merges.display());
        Ok(made.map_err(|what| wrong(&from, what))?)
    }

    /// From the vocabulary inside a GGUF file: `gpt2` (byte-level, with the ways to cut a text that `gguf.rs` knows) and
    /// `llama` (`SentencePiece`).
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TextError> {
        let vocabulary = gguf::GgufVocabulary::of(metadata);
        let made = vocabulary.and_then(|vocabulary| {
            let around = vocabulary.around()?;
            let mut tokenizer = Self::of_value(vocabulary.json()?)?;
            tokenizer.around = around;
            Ok(tokenizer)
        });
        made.map_err(|what| wrong("", what))
    }

    /// Each byte is a token; 256 is `<|endoftext|>`, 257 `<|im_start|>`, 258 `<|im_end|>`. Ids from 260 on, which a
    /// larger random model has, are printable fillers, so that its streams carry text.
    pub fn bytes() -> Self {
        Tokenizer {
            method: Method::Bytes,
            table: ByteTable::of_bytes(),
            around: Around::default(),
        }
    }

    /// Puts a token before raw prompts. Without one, what the tokenizer's own file says stays.
    #[must_use]
    pub(crate) fn with_bos(mut self, bos: Option<u32>) -> Self {
        if let Some(bos) = bos {
            self.around.before = vec![bos];
        }
        self
    }

    /// Tokens of a text. Where `special`, special tokens in it become their ids, as a rendered chat template needs;
    /// otherwise they are text like any other, and a prompt cannot forge them.
    ///
    /// A template puts messages and its own special tokens into one text, so special tokens that a message spells are
    /// parsed as well. `transformers` and vLLM do the same. Tokens that a vocabulary adds without calling them special
    /// are parsed in both cases, as there.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TextError> {
        match &self.method {
            Method::Bytes => Ok(encode_bytes(text, special)),
            Method::Library { parsing, plain } => {
                let tokenizer = if special { parsing } else { plain };
                let encoding = tokenizer
                    .encode_fast(text, false)
                    .map_err(|error| TextError::Encode(error.to_string()))?;
                Ok(encoding.get_ids().to_vec())
            }
        }
    }

    /// Tokens of a raw prompt: special tokens in it are text, and around it is what the model wants there.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut ids = self.encode(text, false)?;
        ids.splice(0..0, self.around.before.iter().copied());
        ids.extend(&self.around.after);
        Ok(ids)
    }

    /// What a token adds to the text; nothing where it is special or unknown.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.table.bytes(id)
    }

    /// A token as people read it: its text, with U+FFFD for a part of a character, or the name of a special token.
    pub fn token_text(&self, id: u32) -> String {
        if self.is_special(id) {
            return self.id_to_token(id).unwrap_or_default();
        }
        String::from_utf8_lossy(self.token_bytes(id)).into_owned()
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
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One more than the largest id.
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
            Method::Library { parsing, .. } => parsing.token_to_id(token),
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
            Method::Library { parsing, .. } => parsing.id_to_token(id),
        }
    }
}

fn wrong(from: &str, what: String) -> TextError {
    TextError::Tokenizer {
        from: from.to_owned(),
        what,
    }
}

/// A file of a size that a tokenizer can have.
fn read(path: &Path) -> Result<Vec<u8>, ModelsError> {
    let failed = |error| ModelsError::read(path, error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One more tells a file that is too long from one that just fits.
    let mut bounded = file.take(FILE_BYTES_MAX + 1);
    bounded.read_to_end(&mut bytes).map_err(failed)?;
    if bounded.limit() == 0 {
        return Err(ModelsError::file(
            path,
            format!("has more than {FILE_BYTES_MAX} bytes, which no tokenizer has"),
        ));
    }
    Ok(bytes)
}

fn encode_bytes(text: &str, special: bool) -> Vec<u32> {
    let mut ids = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let found = BYTES_SPECIAL
            .iter()
            .position(|token| special && rest.starts_with(token.as_bytes()));
        if let Some(index) = found {
            ids.extend(u32::try_from(256 + index));
            rest = &rest[BYTES_SPECIAL[index].len()..];
        } else {
            ids.push(u32::from(*byte));
            rest = after;
        }
    }
    ids
}

#[cfg(test)]
mod tests;
