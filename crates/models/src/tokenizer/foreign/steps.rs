//! What is done to a text before and after the vocabulary sees it: normalizers, pre-tokenizers, post-processors.

use super::short;
use serde_json::Value;

/// Steps within steps. Real files have two.
const DEPTH_MAX: usize = 16;
/// Steps of one kind. Real files have some ten.
const STEPS_MAX: usize = 128;
/// Bytes that all normalizers together could make of one. The worst of a real file is some 700: a ligature of 18 letters
/// that is taken apart, in the steps of ALBERT.
const GROWTH_MAX: usize = 4_096;
/// Of a text that a normalizer puts in place of another, or before a whole.
const REPLACEMENT_BYTES_MAX: usize = 1_024;
/// A regular expression. The longest of real files has some 500.
const PATTERN_BYTES_MAX: usize = 2_048;
/// Steps of a pre-tokenizer that can double a text. Real files have one.
const DOUBLING_MAX: usize = 3;
/// Tokens around a text, and pieces of a template. Real files have two.
const AROUND_MAX: usize = 256;

/// What is known of the steps.
pub(super) struct StepsNature {
    pub(super) growth: usize,
    pub(super) watched: bool,
}

pub(super) fn check(json: &Value) -> Result<StepsNature, String> {
    let part = |name: &str| json.get(name).unwrap_or(&Value::Null);
    let mut walk = Walk::default();
    let mut growth = 1_usize;
    walk.each("normalizer", part("normalizer"), 0, &mut |step| {
        growth = growth.saturating_mul(factor(step)?);
        if growth > GROWTH_MAX {
            return Err(format!(
                "its normalizer could make more than {GROWTH_MAX} bytes of each byte of a text"
            ));
        }
        Ok(())
    })?;
    let mut doubling = 0;
    walk.each("pre_tokenizer", part("pre_tokenizer"), 0, &mut |step| {
        if step.get("length").is_some_and(|length| length.as_u64() == Some(0)) {
            return Err("a `FixedLength` of 0 cuts no text".to_owned());
        }
        // Bytes to characters, and a character before each word.
        let doubles = ["add_prefix_space", "replacement", "str_rep", "prepend_scheme", "use_regex"];
        let doubles = doubles.iter().any(|key| step.get(key).is_some());
        doubling += usize::from(doubles || kind(step) == "ByteLevel" || kind(step) == "Metaspace");
        if doubling > DOUBLING_MAX {
            return Err(format!(
                "its pre-tokenizer has {doubling} steps of `ByteLevel` and `Metaspace`; at most {DOUBLING_MAX} are taken"
            ));
        }
        Ok(())
    })?;
    // Only read: what tokens mean comes from the vocabulary.
    walk.each("decoder", part("decoder"), 0, &mut |_| Ok(()))?;
    let mut around = 0;
    walk.each("post_processor", part("post_processor"), 0, &mut |step| {
        around += template(step)?;
        if around > AROUND_MAX {
            return Err(format!(
                "its post-processor puts {around} tokens around a text; at most {AROUND_MAX} are taken"
            ));
        }
        Ok(())
    })?;
    Ok(StepsNature {
        growth,
        watched: walk.unknown_pattern,
    })
}

fn kind(step: &Value) -> &str {
    step.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// A walk over steps and the steps in them. A step is known by what it has and not by its type alone: the library takes
/// it so where it does not know the type.
#[derive(Default)]
struct Walk {
    /// A pattern that no real vocabulary is known to have.
    unknown_pattern: bool,
}

impl Walk {
    fn each(
        &mut self,
        part: &str,
        step: &Value,
        depth: usize,
        check: &mut dyn FnMut(&Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut left = STEPS_MAX;
        self.within(part, step, depth, &mut left, check)
    }

    fn within(
        &mut self,
        part: &str,
        step: &Value,
        depth: usize,
        left: &mut usize,
        check: &mut dyn FnMut(&Value) -> Result<(), String>,
    ) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!(
                "its {part} has steps within steps, more than {DEPTH_MAX} deep"
            ));
        }
        if step.is_object() {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| format!("its {part} has more than {STEPS_MAX} steps"))?;
            self.pattern(step)?;
            check(step)?;
        }
        let inner = ["normalizers", "pretokenizers", "processors", "decoders"];
        let inner = inner.iter().filter_map(|key| step.get(key)?.as_array());
        for step in inner.flatten() {
            self.within(part, step, depth + 1, left, check)?;
        }
        Ok(())
    }

    fn pattern(&mut self, step: &Value) -> Result<(), String> {
        let Some(pattern) = step.get("pattern") else {
            return Ok(());
        };
        let text = |key: &str| pattern.get(key).and_then(Value::as_str);
        let all = [text("String"), text("Regex"), pattern.as_str()];
        for text in all.into_iter().flatten() {
            if text.len() > PATTERN_BYTES_MAX {
                return Err(format!(
                    "a pattern has {} bytes; at most {PATTERN_BYTES_MAX} are read",
                    text.len()
                ));
            }
        }
        self.unknown_pattern |= text("Regex").is_some_and(|regex| !KNOWN.contains(&regex));
        Ok(())
    }
}

/// Bytes that a normalizer can make of one byte.
fn factor(step: &Value) -> Result<usize, String> {
    let bytes = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, str::len);
    for key in ["content", "prepend"] {
        if bytes(step.get(key)) > REPLACEMENT_BYTES_MAX {
            return Err(format!(
                "its normalizer writes {} bytes at once; at most {REPLACEMENT_BYTES_MAX} are taken",
                bytes(step.get(key))
            ));
        }
    }
    let content = bytes(step.get("content"));
    let replaced = match step.get("pattern") {
        Some(pattern) if pattern.get("String").is_some() => {
            let pattern = bytes(pattern.get("String"));
            if pattern == 0 {
                return Err("its normalizer replaces an empty text".to_owned());
            }
            content.div_ceil(pattern).max(1)
        }
        // It may match where there is nothing.
        Some(_) => content + 1,
        None => 1,
    };
    let prepended = 1 + bytes(step.get("prepend"));
    let mapped = match step.get("precompiled_charsmap") {
        Some(map) => charsmap(map)?,
        None => 1,
    };
    // As Unicode's data have it; a lower case of three bytes for two; a space on both sides.
    let unicode = match kind(step) {
        "NFKC" | "NFKD" => 11,
        "NFC" | "NFD" | "BertNormalizer" | "Bert" => 3,
        "Lowercase" | "ByteLevel" => 2,
        _ => 1,
    };
    Ok([prepended, mapped, unicode]
        .into_iter()
        .fold(replaced, usize::saturating_mul))
}

/// The longest text of a `SentencePiece` map, which is a tree of so many bytes, its entries, and texts that end in NUL.
/// Every index that a walk through the tree can take must be one of it: the library takes them all for good.
fn charsmap(map: &Value) -> Result<usize, String> {
    let wrong = || "its `precompiled_charsmap` is no map of characters".to_owned();
    let bytes = decode_base64(map.as_str().ok_or_else(wrong)?).ok_or_else(wrong)?;
    let (size, rest) = bytes.split_at_checked(4).ok_or_else(wrong)?;
    let size: [u8; 4] = size.try_into().map_err(|_| wrong())?;
    let size = usize::try_from(u32::from_le_bytes(size)).map_err(|_| wrong())?;
    let (tree, texts) = rest.split_at_checked(size / 4 * 4).ok_or_else(wrong)?;
    if tree.is_empty() {
        return Err(wrong());
    }
    let texts = std::str::from_utf8(texts).map_err(|_| wrong())?;
    let longest = texts.split('\0').map(str::len).max().unwrap_or(0);
    if longest > REPLACEMENT_BYTES_MAX {
        return Err(format!(
            "its normalizer writes {longest} bytes at once; at most {REPLACEMENT_BYTES_MAX} are taken"
        ));
    }
    Ok(longest.max(1))
}

/// Of the standard alphabet. The library decodes the same again, and says what is wrong with it by a panic.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        let made = group.len().checked_sub(1).filter(|made| *made > 0)?;
        bytes.extend(&bits.to_be_bytes()[1..=made]);
    }
    Some(bytes)
}

/// Tokens that a template puts around a text; the text itself must be in it once.
fn template(step: &Value) -> Result<usize, String> {
    let Some(pieces) = step.get("single").and_then(Value::as_array) else {
        return Ok(2);
    };
    let (mut tokens, mut texts) = (0, 0);
    for piece in pieces.iter().take(AROUND_MAX + 1) {
        if let Some(sequence) = piece.get("Sequence") {
            if sequence.get("id").and_then(Value::as_str) != Some("A") {
                return Err("its post-processor wants a second text for a single one".to_owned());
            }
            texts += 1;
        } else if let Some(id) = piece.pointer("/SpecialToken/id").and_then(Value::as_str) {
            let ids = step
                .get("special_tokens")
                .and_then(|all| all.get(id)?.get("ids"));
            let ids = ids.and_then(Value::as_array).ok_or_else(|| {
                let id = short(&Value::from(id));
                format!("its post-processor puts {id} around a text, and does not say which token that is")
            })?;
            tokens += ids.len();
        }
    }
    if texts != 1 && pieces.len() <= AROUND_MAX {
        return Err(format!("its post-processor has the text {texts} times"));
    }
    Ok(tokens.max(pieces.len()))
}

/// Patterns of real vocabularies, in time that grows with the text; any other is watched, which costs each text a thread.
const KNOWN: [&str; 24] = [
    // GPT-2, CLIP, Llama 3, Qwen 2, cl100k as Phi and others have it, GPT-4o, Llama 4.
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    // BLOOM, and the parts that DeepSeek's and others' cut texts by.
    " ?[^(\\s|[.,!?…。，、।۔،])]+",
    r"\p{N}{1,3}",
    r"\p{N}{1}",
    r"\p{N}",
    r"\d{3}",
    r"\d",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[一-龥ࠀ-一가-퟿]+",
    r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "[\r\n]",
    "\\s?\\p{L}+",
    // Normalizers of T5, CLIP, XLM-R and theirs.
    " {2,}",
    r"\s+",
    r"\s{2,}",
];
