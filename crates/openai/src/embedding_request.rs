//! A request for vectors as a server takes it: every field checked, and what it cannot do refused by name.

use crate::fields::{Fields, wrong};
use crate::server_request::{RequestLimits, parse_body, token_ids};
use crate::{ApiError, Json};

/// What a model and its server set the limits of a request by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingLimits {
    /// Tokens that exist.
    pub vocab_size: usize,
    /// Tokens of one text, at most.
    pub text_tokens_max: usize,
    /// Texts of a request, at most.
    pub texts_max: usize,
    /// Numbers of a vector.
    pub dimensions: usize,
    /// What else a vector may be cut to.
    pub sizes: VectorSizes,
}

/// To how many numbers a model's vectors may be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VectorSizes {
    /// They are whole or nothing.
    Whole,
    /// Any number.
    Any,
    /// These.
    Listed(Vec<usize>),
}

/// One text of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddingInput {
    /// A text.
    Text(String),
    /// Token ids, never empty, all in the vocabulary: nothing is added to them.
    Tokens(Vec<u32>),
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VectorEncoding {
    /// A list of numbers.
    #[default]
    Float,
    /// 32-bit numbers, little-endian, in base64: what OpenAI's own client asks for.
    Base64,
}

impl VectorEncoding {
    /// Its name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}

/// A request whose values are all within their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// `model`, where given.
    pub model: Option<String>,
    /// `input`: at least one text.
    pub inputs: Vec<EmbeddingInput>,
    /// `encoding_format`.
    pub encoding: VectorEncoding,
    /// `dimensions`: numbers of a vector; those of the model where absent.
    pub dimensions: usize,
    /// `truncate_prompt_tokens`: longer texts are cut to so many tokens; refused where absent.
    pub truncate: Option<usize>,
}

impl EmbeddingRequest {
    /// Reads and checks a request body. Not yet how long each text is: only its tokens say that.
    pub fn parse(body: &[u8], limits: &EmbeddingLimits) -> Result<Self, ApiError> {
        let json = parse_body(body)?;
        let fields = Fields::of(&json)?;
        for name in ["messages", "prompt_embeds"] {
            if fields.get(name).is_some() {
                return Err(ApiError::unsupported(name));
            }
        }
        Ok(EmbeddingRequest {
            model: fields.string("model")?.map(str::to_owned),
            inputs: inputs(&fields, "input", limits)?,
            encoding: match fields.string("encoding_format")? {
                None | Some("float") => VectorEncoding::Float,
                Some("base64") => VectorEncoding::Base64,
                Some(other) => {
                    let other = Json::String(other.into());
                    return Err(fields.wrong("encoding_format", "float or base64", &other));
                }
            },
            dimensions: dimensions(&fields, limits)?,
            truncate: truncate(&fields, limits)?,
        })
    }
}

/// A string, several, token ids, or several lists of them.
pub(crate) fn inputs(
    fields: &Fields<'_, '_>,
    name: &str,
    limits: &EmbeddingLimits,
) -> Result<Vec<EmbeddingInput>, ApiError> {
    let wanted = "a string, a list of strings, a list of token ids, or a list of such lists";
    let value = fields.get(name).ok_or_else(|| {
        ApiError::invalid(name, format!("the request has no `{name}`; send {wanted}"))
    })?;
    let items = match value {
        Json::String(text) => return Ok(vec![EmbeddingInput::Text(text.clone().into_owned())]),
        Json::Array(items) => items,
        other => return Err(fields.wrong(name, wanted, other)),
    };
    match items.first() {
        None => {
            return Err(ApiError::invalid(
                name,
                format!("`{name}` is empty; it needs at least one text"),
            ));
        }
        Some(Json::Number(_)) => {
            return Ok(vec![EmbeddingInput::Tokens(ids(name, value, limits)?)]);
        }
        Some(_) if items.len() > limits.texts_max => {
            let wanted = format!("a list of at most {} texts", limits.texts_max);
            return Err(fields.wrong(name, &wanted, value));
        }
        Some(_) => {}
    }
    let are_texts = matches!(items.first(), Some(Json::String(_)));
    let each = items.iter().enumerate().map(|(index, item)| match item {
        Json::String(text) if are_texts => Ok(EmbeddingInput::Text(text.clone().into_owned())),
        Json::Array(_) if !are_texts => {
            let ids = ids(&format!("{name}[{index}]"), item, limits)?;
            Ok(EmbeddingInput::Tokens(ids))
        }
        other => {
            let kind = if are_texts {
                "a string"
            } else {
                "a list of token ids"
            };
            let wanted = format!("{kind}, as the first one is");
            Err(wrong(&format!("{name}[{index}]"), &wanted, other))
        }
    });
    each.collect()
}

fn ids(name: &str, value: &Json<'_>, limits: &EmbeddingLimits) -> Result<Vec<u32>, ApiError> {
    let of_tokens = RequestLimits {
        vocab_size: limits.vocab_size,
        context_tokens: limits.text_tokens_max,
        n_max: 1,
    };
    let ids = token_ids(name, value, &of_tokens, usize::MAX)?;
    if ids.is_empty() {
        return Err(ApiError::invalid(
            name,
            format!("`{name}` is empty; it needs at least one token"),
        ));
    }
    Ok(ids)
}

/// The model's own number asks for nothing, and is always taken.
fn dimensions(fields: &Fields<'_, '_>, limits: &EmbeddingLimits) -> Result<usize, ApiError> {
    let whole = limits.dimensions;
    let Some(value) = fields.get("dimensions") else {
        return Ok(whole);
    };
    let asked = fields.integer("dimensions", 1..=whole as u64)?;
    let asked = asked.and_then(|asked| usize::try_from(asked).ok());
    let asked = asked.unwrap_or(whole);
    match &limits.sizes {
        _ if asked == whole => Ok(whole),
        VectorSizes::Any => Ok(asked),
        VectorSizes::Listed(sizes) if sizes.contains(&asked) => Ok(asked),
        VectorSizes::Listed(sizes) => {
            let wanted = format!("one of {sizes:?}, which the model was trained for");
            Err(fields.wrong("dimensions", &wanted, value))
        }
        VectorSizes::Whole => {
            let wanted = format!(
                "{whole} or left out: the model was not trained for shorter vectors (Matryoshka \
                 representation), and a part of one means little"
            );
            Err(fields.wrong("dimensions", &wanted, value))
        }
    }
}

/// As in vLLM: −1 stands for the longest text that the model takes.
pub(crate) fn truncate(
    fields: &Fields<'_, '_>,
    limits: &EmbeddingLimits,
) -> Result<Option<usize>, ApiError> {
    const NAME: &str = "truncate_prompt_tokens";
    let most = limits.text_tokens_max;
    match fields.get(NAME) {
        None => Ok(None),
        Some(Json::Number("-1")) => Ok(Some(most)),
        Some(value) => {
            let asked = crate::fields::integer(value, &(1..=most as u64));
            let asked = asked.and_then(|asked| usize::try_from(asked).ok());
            asked.map(Some).ok_or_else(|| {
                let wanted =
                    format!("a whole number from 1 to {most}, or -1 for {most}, which is the most");
                fields.wrong(NAME, &wanted, value)
            })
        }
    }
}

#[cfg(test)]
#[path = "embedding_request/tests.rs"]
mod tests;
