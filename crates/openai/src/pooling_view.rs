//! What a provider that runs no model needs to know of a request for embeddings, scores or a ranking.

use crate::RequestError;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// One thing to embed or to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolingInput<'a> {
    /// A text, borrowed from the body where it has no escapes.
    Text(Cow<'a, str>),
    /// Token ids.
    Tokens(Vec<u32>),
}

impl PoolingInput<'_> {
    /// Whitespace-separated words; of token ids, the ids.
    pub fn words(&self) -> u64 {
        match self {
            Self::Text(text) => text.split_whitespace().count() as u64,
            Self::Tokens(ids) => ids.len() as u64,
        }
    }
}

/// A request to `/v1/embeddings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingView<'a> {
    /// `model`, where given.
    pub model: Option<String>,
    /// At least one.
    pub inputs: Vec<PoolingInput<'a>>,
    /// `dimensions`, where given.
    pub dimensions: Option<u32>,
    /// Whether `encoding_format` is `base64`, and not `float`.
    pub base64: bool,
}

impl<'a> EmbeddingView<'a> {
    /// Reads a request body. Fields that are not in the view are not checked.
    pub fn parse(body: &'a [u8]) -> Result<Self, RequestError> {
        let wire: WireEmbedding<'a> = read(body)?;
        let base64 = match wire.encoding_format.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                return Err(malformed(format!(
                    "`encoding_format` must be \"float\" or \"base64\", got \"{}\"",
                    crate::excerpt(other, 40)
                )));
            }
        };
        Ok(Self {
            model: wire.model,
            inputs: some("input", wire.input)?,
            dimensions: wire.dimensions,
            base64,
        })
    }
}

/// A request to vLLM's `/v1/score`: texts compared one by one, or the first with each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreView<'a> {
    /// `model`, where given.
    pub model: Option<String>,
    /// `text_1`: one, or as many as there are in `text_2`.
    pub first: Vec<PoolingInput<'a>>,
    /// `text_2`: at least one, and a score for each.
    pub second: Vec<PoolingInput<'a>>,
}

impl<'a> ScoreView<'a> {
    /// Reads a request body. Fields that are not in the view are not checked.
    pub fn parse(body: &'a [u8]) -> Result<Self, RequestError> {
        let wire: WireScore<'a> = read(body)?;
        let first = some("text_1", wire.text_1)?;
        let second = some("text_2", wire.text_2)?;
        let (here, there) = (first.len(), second.len());
        if here != 1 && here != there {
            return Err(malformed(format!(
                "`text_1` has {here} texts and `text_2` has {there}; `text_1` must have one, or as many as `text_2`"
            )));
        }
        Ok(Self {
            model: wire.model,
            first,
            second,
        })
    }
}

/// A request to vLLM's `/v1/rerank`, which is that of Jina and Cohere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerankView<'a> {
    /// `model`, where given.
    pub model: Option<String>,
    /// What is looked for.
    pub query: Cow<'a, str>,
    /// At least one.
    pub documents: Vec<Cow<'a, str>>,
    /// So many of the best are wanted; all where absent or 0.
    pub top_n: Option<usize>,
}

impl<'a> RerankView<'a> {
    /// Reads a request body. Fields that are not in the view are not checked.
    pub fn parse(body: &'a [u8]) -> Result<Self, RequestError> {
        let wire: WireRerank<'a> = read(body)?;
        let documents = some("documents", wire.documents)?
            .into_iter()
            .map(|document| match document {
                PoolingInput::Text(text) => Ok(text),
                PoolingInput::Tokens(_) => Err(malformed("`documents` must be texts".into())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            model: wire.model,
            query: wire
                .query
                .ok_or_else(|| malformed("`query` is missing".into()))?,
            documents,
            top_n: wire.top_n.filter(|&top_n| top_n > 0),
        })
    }
}

#[derive(Deserialize)]
struct WireEmbedding<'a> {
    model: Option<String>,
    #[serde(borrow)]
    input: Option<Inputs<'a>>,
    dimensions: Option<u32>,
    #[serde(borrow)]
    encoding_format: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct WireScore<'a> {
    model: Option<String>,
    #[serde(borrow)]
    text_1: Option<Inputs<'a>>,
    #[serde(borrow)]
    text_2: Option<Inputs<'a>>,
}

#[derive(Deserialize)]
struct WireRerank<'a> {
    model: Option<String>,
    #[serde(borrow)]
    query: Option<Cow<'a, str>>,
    #[serde(borrow)]
    documents: Option<Inputs<'a>>,
    top_n: Option<usize>,
}

fn malformed(reason: String) -> RequestError {
    RequestError::MalformedRequest { reason }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
}

/// The field's inputs, of which there must be one.
fn some<'a>(
    field: &str,
    inputs: Option<Inputs<'a>>,
) -> Result<Vec<PoolingInput<'a>>, RequestError> {
    match inputs {
        Some(Inputs(inputs)) if !inputs.is_empty() => Ok(inputs),
        Some(_) => Err(malformed(format!(
            "`{field}` is an empty list; give at least one text"
        ))),
        None => Err(malformed(format!("`{field}` is missing"))),
    }
}

/// A text, texts, token ids, or lists of token ids.
struct Inputs<'a>(Vec<PoolingInput<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Inputs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(ItemVisitor)? {
            Item::One(input) => Ok(Inputs(vec![input])),
            Item::Many(inputs) => Ok(Inputs(inputs)),
            Item::Token(_) => Err(D::Error::custom(ItemVisitor::WANTED)),
        }
    }
}

/// What stands at a place of a request's input: how deep the place is decides what may.
enum Item<'a> {
    Token(u32),
    One(PoolingInput<'a>),
    Many(Vec<PoolingInput<'a>>),
}

struct ItemVisitor;

impl ItemVisitor {
    const WANTED: &'static str = "a text, texts, token ids or lists of token ids";
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::WANTED)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Item::One(PoolingInput::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Item::One(PoolingInput::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Self::Value, E> {
        u32::try_from(id)
            .map(Item::Token)
            .map_err(|_| E::custom(format_args!("{id} is no token id")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut ids, mut inputs) = (Vec::new(), Vec::new());
        while let Some(item) = items.next_element()? {
            match item {
                Item::Token(id) if inputs.is_empty() => ids.push(id),
                Item::One(input) if ids.is_empty() => inputs.push(input),
                _ => {
                    return Err(A::Error::custom(format_args!(
                        "a list mixes what does not belong together; it must be {}",
                        Self::WANTED
                    )));
                }
            }
        }
        Ok(if ids.is_empty() {
            Item::Many(inputs)
        } else {
            Item::One(PoolingInput::Tokens(ids))
        })
    }
}

#[cfg(test)]
mod tests;
