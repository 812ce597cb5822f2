use super::PoolingTask;
use crate::error::excerpt;
use crate::response::server_error;
use crate::{StreamError, Usage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Characters of a body that is no such reply.
const BODY_CHARS_MAX: usize = 200;

/// What a server answers to texts, checked: one vector or score for each, all of one size and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct PooledReply {
    /// In the order of the texts; empty where scores were asked for.
    pub vectors: Vec<Vec<f32>>,
    /// In the order of the texts, absent ones left out; empty where vectors were asked for.
    pub scores: Vec<f64>,
    /// Token counts, where the server gives them; its total where it says no more.
    pub usage: Option<Usage>,
}

impl PooledReply {
    /// Decodes a whole body that answers `texts` texts.
    ///
    /// # Errors
    /// It is not such a reply, answers another number of texts, or holds vectors of several sizes, of none, or with
    /// numbers that are not finite.
    pub fn parse(body: &[u8], task: PoolingTask, texts: usize) -> Result<Self, StreamError> {
        let malformed = |reason: String| StreamError::MalformedReply {
            reason,
            excerpt: excerpt(&String::from_utf8_lossy(body), BODY_CHARS_MAX),
        };
        let wire: WireReply =
            serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        let object = wire.object.as_deref().unwrap_or_default();
        if let Some(message) = server_error(object, wire.error.as_ref(), wire.message.as_ref()) {
            return Err(StreamError::Server { message });
        }
        let usage = wire.usage.map(Usage::from);
        let entries = match task {
            PoolingTask::Rerank => wire.results.ok_or("results"),
            PoolingTask::Embed | PoolingTask::Score => wire.data.ok_or("data"),
        };
        let mut entries = entries.map_err(|field| malformed(format!("it has no `{field}`")))?;
        // A ranking may be asked for its best only, and comes in its own order.
        let whole = task != PoolingTask::Rerank;
        order(&mut entries, texts, whole).map_err(malformed)?;
        if task == PoolingTask::Embed {
            let vectors = vectors(entries).map_err(malformed)?;
            return Ok(Self {
                vectors,
                scores: Vec::new(),
                usage,
            });
        }
        let scores: Option<Vec<f64>> = entries
            .into_iter()
            .map(|entry| entry.score.filter(|score| score.is_finite()))
            .collect();
        Ok(Self {
            vectors: Vec::new(),
            scores: scores.ok_or_else(|| malformed("an entry has no score".to_owned()))?,
            usage,
        })
    }

    /// Numbers per vector; absent where scores were asked for.
    pub fn dimensions(&self) -> Option<usize> {
        self.vectors.first().map(Vec::len)
    }
}

/// Brings entries into the order of their texts; what names no text, or one twice, is refused.
fn order(entries: &mut [WireEntry], texts: usize, whole: bool) -> Result<(), String> {
    if entries.is_empty() || entries.len() > texts || (whole && entries.len() < texts) {
        return Err(format!(
            "{texts} texts were sent and {} answers came",
            entries.len()
        ));
    }
    if entries.iter().all(|entry| entry.index.is_none()) {
        return Ok(());
    }
    entries.sort_by_key(|entry| entry.index);
    for (place, entry) in entries.iter().enumerate() {
        let Some(index) = entry.index else {
            return Err("some answers have an `index` and some have none".to_owned());
        };
        if index >= texts {
            return Err(format!("an answer has the index {index} of {texts} texts"));
        }
        if place > 0 && entries[place - 1].index == Some(index) {
            return Err(format!("two answers have the index {index}"));
        }
    }
    Ok(())
}

fn vectors(entries: Vec<WireEntry>) -> Result<Vec<Vec<f32>>, String> {
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        let Some(Numbers(vector)) = entry.embedding else {
            return Err(format!("answer {place} has no `embedding`"));
        };
        if vector.is_empty() {
            return Err(format!("vector {place} is empty"));
        }
        if let Some(first) = vectors.first().filter(|first| first.len() != vector.len()) {
            return Err(format!(
                "vector {place} has {} numbers and vector 0 has {}",
                vector.len(),
                first.len()
            ));
        }
        if let Some(at) = vector.iter().position(|number| !number.is_finite()) {
            return Err(format!(
                "number {at} of vector {place} is {}, which is not finite",
                vector[at]
            ));
        }
        vectors.push(vector);
    }
    Ok(vectors)
}

#[derive(serde::Deserialize)]
struct WireReply {
    data: Option<Vec<WireEntry>>,
    results: Option<Vec<WireEntry>>,
    usage: Option<WireUsage>,
    object: Option<String>,
    error: Option<Value>,
    message: Option<Value>,
}

#[derive(serde::Deserialize)]
struct WireEntry {
    index: Option<usize>,
    embedding: Option<Numbers>,
    #[serde(alias = "relevance_score")]
    score: Option<f64>,
}

#[derive(serde::Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        Self {
            prompt_tokens: wire.prompt_tokens.or(wire.total_tokens),
            ..Self::default()
        }
    }
}

/// A vector, as a list of numbers or as base64. What JSON cannot say (`NaN` comes as `null` from some servers) is
/// kept as not finite, to be named by its place.
struct Numbers(Vec<f32>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumbersVisitor).map(Numbers)
    }
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Vec<f32>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of numbers, or their bytes in base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
        let mut numbers = Vec::with_capacity(1024);
        while let Some(number) = seq.next_element::<Option<f32>>()? {
            numbers.push(number.unwrap_or(f32::NAN));
        }
        numbers.shrink_to_fit();
        Ok(numbers)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<f32>, E> {
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| E::custom(format_args!("a vector is not base64: {error}")))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom(format_args!(
                "a vector has {} bytes, which are no 32-bit numbers",
                bytes.len()
            )));
        }
        Ok(numbers
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::PooledReply;
    use crate::{PoolingTask, StreamError};
    use base64::Engine;
    use proptest::prelude::*;
    use serde_json::json;

    fn embed(body: &str, texts: usize) -> Result<PooledReply, StreamError> {
        PooledReply::parse(body.as_bytes(), PoolingTask::Embed, texts)
    }

    fn refusal(body: &str, texts: usize) -> String {
        embed(body, texts).unwrap_err().to_string()
    }

    #[test]
    fn vectors_come_back_in_the_order_of_the_texts() {
        let body = r#"{"object":"list","data":[{"index":1,"embedding":[3,4]},
            {"index":0,"embedding":[1.5,-2e-3]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        let reply = embed(body, 2).unwrap();
        assert_eq!(reply.vectors, [vec![1.5, -0.002], vec![3.0, 4.0]]);
        assert_eq!(reply.usage.unwrap().prompt_tokens, Some(7));
        assert_eq!(reply.dimensions(), Some(2));
    }

    #[test]
    fn scores_and_rankings_are_read() {
        let score = br#"{"data":[{"index":0,"score":0.5}],"usage":{"total_tokens":9}}"#;
        let reply = PooledReply::parse(score, PoolingTask::Score, 1).unwrap();
        assert_eq!(
            (reply.scores, reply.usage.unwrap().prompt_tokens),
            (vec![0.5], Some(9))
        );
        let best =
            br#"{"results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}"#;
        let reply = PooledReply::parse(best, PoolingTask::Rerank, 3).unwrap();
        assert_eq!(reply.scores, [0.1, 0.9]);
    }

    #[test]
    fn what_answers_other_texts_than_were_sent_is_refused() {
        let one = r#"{"data":[{"index":0,"embedding":[1]}]}"#;
        assert!(refusal(one, 2).contains("2 texts were sent and 1 answers came"));
        let twice = r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
        assert!(refusal(twice, 2).contains("two answers have the index 0"));
        let beyond = r#"{"data":[{"index":5,"embedding":[1]}]}"#;
        assert!(refusal(beyond, 1).contains("the index 5 of 1 texts"));
    }

    #[test]
    fn bad_input_28_a_vector_that_is_no_vector_is_refused_with_its_place() {
        let not_finite = r#"{"data":[{"index":0,"embedding":[1,null]}]}"#;
        assert!(refusal(not_finite, 1).contains("number 1 of vector 0 is NaN"));
        let sizes = r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}"#;
        assert!(refusal(sizes, 2).contains("vector 1 has 2 numbers and vector 0 has 1"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":[]}]}"#, 1).contains("is empty"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":"AAA"}]}"#, 1).contains("base64"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":"AAAAAAA="}]}"#, 1).contains("5 bytes"));
        let beyond = refusal(r#"{"data":[{"index":0,"embedding":[1e39]}]}"#, 1);
        // The JSON parser itself refuses it where it reads numbers to the last bit.
        let named = beyond.contains("is inf") || beyond.contains("out of range");
        assert!(named, "{beyond}");
        assert!(refusal("<html>", 1).contains("<html>"));
        let error = embed(r#"{"error":{"message":"too long"}}"#, 1).unwrap_err();
        assert_eq!(
            error,
            StreamError::Server {
                message: "too long".to_owned()
            }
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn both_encodings_give_the_same_vectors(
            vectors in (1_usize..6).prop_flat_map(|size| {
                prop::collection::vec(prop::collection::vec(-1e3_f32..1e3, size), 1..5)
            }),
        ) {
            let entry = |index, embedding| json!({"index": index, "embedding": embedding});
            let floats: Vec<_> = vectors.iter().enumerate().map(|(i, v)| entry(i, json!(v))).collect();
            let bytes = vectors.iter().map(|v| v.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
            let texts = bytes.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
            let base64: Vec<_> = texts.enumerate().map(|(i, text)| entry(i, json!(text))).collect();
            for data in [floats, base64] {
                let reply = embed(&json!({"data": data}).to_string(), vectors.len()).unwrap();
                prop_assert_eq!(&reply.vectors, &vectors);
            }
        }

        #[test]
        fn no_body_makes_the_parser_panic(body in any::<Vec<u8>>(), texts in 0_usize..4) {
            for task in [PoolingTask::Embed, PoolingTask::Score, PoolingTask::Rerank] {
                prop_assert!(PooledReply::parse(&body, task, texts).is_err());
            }
        }
    }
}
