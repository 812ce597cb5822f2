//! What each token adds to a text, in bytes.

use super::{BYTES_SPECIAL, BYTES_VOCAB};
use serde_json::Value;
use std::collections::HashMap;

/// Bytes of each id, so that streaming a token costs no more than its length.
pub(super) struct ByteTable {
    /// Where each id's bytes end in `bytes`; they begin where the id before it ends.
    ends: Vec<u32>,
    bytes: Vec<u8>,
    special: Vec<bool>,
    /// Ids beyond the table, of random models, are one printable character.
    fillers: bool,
    /// Each word has a space before it, the first one too.
    spaces_words: bool,
}

/// What a vocabulary's strings mean.
#[derive(Clone, Copy)]
enum Spelling {
    /// Each character stands for a byte.
    ByteLevel,
    /// `▁` is a space, `<0x0A>` a byte.
    SentencePiece,
    /// `##` before what goes on with a word; all else is a word of its own.
    WordPiece,
}

impl ByteTable {
    /// Of a `tokenizer.json`.
    pub(super) fn of(tokenizer: &tokenizers::Tokenizer, json: &Value) -> Result<Self, String> {
        let spelling = spelling(json)?;
        let vocab = tokenizer.get_vocab(true);
        let count = vocab.values().max().map_or(0, |last| *last as usize + 1);
        let added = tokenizer.get_added_tokens_decoder();
        let mut names: Vec<Option<String>> = vec![None; count];
        for (name, id) in vocab {
            names[id as usize] = Some(name);
        }
        let characters = characters();
        let mut table = Self::empty(false);
        table.spaces_words = matches!(spelling, Spelling::WordPiece);
        for (id, name) in (0..).zip(names) {
            let is_added = added.get(&id);
            let bytes = match (&name, is_added) {
                (Some(name), Some(_)) => name.as_bytes().to_vec(),
                (Some(name), None) => spell(spelling, name, &characters),
                (None, _) => Vec::new(),
            };
            table.push(&bytes, is_added.is_some_and(|token| token.special));
        }
        Ok(table)
    }

    /// Of the byte tokenizer.
    pub(super) fn of_bytes() -> Self {
        let mut table = Self::empty(true);
        for byte in 0..=255 {
            table.push(&[byte], false);
        }
        for _ in 256..BYTES_VOCAB {
            table.push(&[], true);
        }
        debug_assert!(256 + BYTES_SPECIAL.len() <= BYTES_VOCAB);
        table
    }

    fn empty(fillers: bool) -> Self {
        ByteTable {
            ends: Vec::new(),
            bytes: Vec::new(),
            special: Vec::new(),
            fillers,
            spaces_words: false,
        }
    }

    fn push(&mut self, bytes: &[u8], special: bool) {
        if !special {
            self.bytes.extend_from_slice(bytes);
        }
        self.ends
            .push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.special.push(special);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn spaces_words(&self) -> bool {
        self.spaces_words
    }

    pub(super) fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        const PRINTABLE: &[u8] =
            b" abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ,0123456789";
        let index = id as usize;
        let Some(end) = self.ends.get(index) else {
            let filler = &PRINTABLE[index % PRINTABLE.len()..][..1];
            return if self.fillers { filler } else { &[] };
        };
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..*end as usize]
    }
}

/// By the decoder, or the pre-tokenizer where there is none.
fn spelling(json: &Value) -> Result<Spelling, String> {
    let text = |part: &str| json.get(part).map(Value::to_string).unwrap_or_default();
    let (decoder, before) = (text("decoder"), text("pre_tokenizer"));
    if decoder.contains("ByteLevel") || before.contains("ByteLevel") {
        Ok(Spelling::ByteLevel)
    } else if decoder.contains("ByteFallback")
        || decoder.contains("Metaspace")
        || decoder.contains('▁')
    {
        Ok(Spelling::SentencePiece)
    } else if decoder.contains("WordPiece") {
        Ok(Spelling::WordPiece)
    } else {
        Err(
            "its decoder is neither ByteLevel, ByteFallback, Metaspace nor WordPiece, and no other is known"
                .to_owned(),
        )
    }
}

fn spell(spelling: Spelling, name: &str, characters: &HashMap<char, u8>) -> Vec<u8> {
    match spelling {
        Spelling::ByteLevel => {
            let bytes: Option<Vec<u8>> =
                name.chars().map(|c| characters.get(&c).copied()).collect();
            bytes.unwrap_or_else(|| name.as_bytes().to_vec())
        }
        Spelling::SentencePiece => {
            let byte = name
                .strip_prefix("<0x")
                .and_then(|rest| rest.strip_suffix('>'));
            match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => vec![byte],
                None => name.replace('▁', " ").into_bytes(),
            }
        }
        Spelling::WordPiece => match name.strip_prefix("##") {
            Some(rest) if !rest.is_empty() => rest.as_bytes().to_vec(),
            _ => format!(" {name}").into_bytes(),
        },
    }
}

/// GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on, in order.
pub(super) fn characters() -> HashMap<char, u8> {
    let mut characters = HashMap::new();
    let mut next = 256;
    for byte in 0..=255u8 {
        let printable = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable {
            u32::from(byte)
        } else {
            next += 1;
            next - 1
        };
        characters.extend(char::from_u32(code).map(|character| (character, byte)));
    }
    characters
}
