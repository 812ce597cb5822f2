//! Vectors and scores, as they come back.

use super::task::PoolingTask;
use crate::chunk::Chunk;
use crate::error::{excerpt, url_hint};
use crate::left_out::{LeftOuts, Path};
use crate::tape::{Kind, Tape};
use crate::value::{Document, Value};
use crate::{StreamError, Usage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters of a body that is no such reply.
const BODY_CHARS_MAX: usize = 200;

/// Characters of something that should be a number.
const NUMBER_CHARS_MAX: usize = 40;

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
        let malformed = |reason: String| {
            let text = String::from_utf8_lossy(body);
            StreamError::MalformedReply {
                reason,
                excerpt: excerpt(&text, BODY_CHARS_MAX),
                hint: url_hint(&text),
            }
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
        let mut tape = Tape::default();
        let document =
            Document::read(&mut tape, text).map_err(|fault| malformed(fault.to_string()))?;
        let root = document.root();
        let fields = Chunk::of(&root);
        if let Some(message) = fields.server_error() {
            return Err(StreamError::Server { message });
        }
        let list = match task {
            PoolingTask::Rerank => "results",
            PoolingTask::Embed | PoolingTask::Score => "data",
        };
        // Some servers answer with the bare list.
        let entries = root.get(list).unwrap_or(root);
        if !entries.is_list() {
            return Err(malformed(format!("it has no list `{list}`")));
        }
        let entries = entries.items().map(|entry| Entry::of(&entry)).collect();
        // A ranking may be asked for its best only, and comes in its own order.
        let whole = task != PoolingTask::Rerank;
        let entries = in_order(entries, texts, whole).map_err(malformed)?;
        let (vectors, scores) = match task {
            PoolingTask::Embed => (vectors(&entries).map_err(malformed)?, Vec::new()),
            PoolingTask::Score | PoolingTask::Rerank => {
                (Vec::new(), scores(&entries).map_err(malformed)?)
            }
        };
        Ok(Self {
            vectors,
            scores,
            usage: fields.usage.and_then(|usage| counts(&usage)),
        })
    }

    /// Numbers per vector; absent where scores were asked for.
    pub fn dimensions(&self) -> Option<usize> {
        self.vectors.first().map(Vec::len)
    }
}

/// What came for one text.
struct Entry<'t, 'a> {
    /// Of its text, where it is a number.
    index: Option<u64>,
    embedding: Option<Value<'t, 'a>>,
    score: Option<Value<'t, 'a>>,
}

impl<'t, 'a> Entry<'t, 'a> {
    fn of(value: &Value<'t, 'a>) -> Self {
        let mut entry = Self {
            index: None,
            embedding: None,
            score: None,
        };
        for (name, value) in value.fields() {
            match &*name {
                "index" => entry.index = value.count(),
                "embedding" => entry.embedding = Some(value),
                "score" | "relevance_score" => entry.score = Some(value),
                _ => {}
            }
        }
        entry
    }
}

/// Token counts; its total where it says no more.
fn counts(usage: &Value<'_, '_>) -> Option<Usage> {
    // What is none of its kind is as good as absent here: nothing else of a reply is computed from it.
    let usage = Usage::read(usage, &Path::of("usage"), &mut LeftOuts::default());
    usage.is_told().then(|| Usage {
        prompt_tokens: usage.prompt_tokens.or(usage.total_tokens),
        ..usage
    })
}

/// Entries in the order of their texts. Those without an `index` have the places that the others leave, as they
/// came; what names no text, or one twice, is refused.
fn in_order<'t, 'a>(
    entries: Vec<Entry<'t, 'a>>,
    texts: usize,
    whole: bool,
) -> Result<Vec<Entry<'t, 'a>>, String> {
    if entries.is_empty() || entries.len() > texts || (whole && entries.len() < texts) {
        return Err(format!(
            "{texts} texts were sent and {} answers came",
            entries.len()
        ));
    }
    let mut places: Vec<Option<Entry<'t, 'a>>> = Vec::new();
    places.resize_with(texts, || None);
    let mut others = Vec::new();
    for entry in entries {
        let Some(index) = entry.index else {
            others.push(entry);
            continue;
        };
        let place = usize::try_from(index).ok();
        let Some(place) = place.and_then(|place| places.get_mut(place)) else {
            return Err(format!("an answer has the index {index} of {texts} texts"));
        };
        if place.replace(entry).is_some() {
            return Err(format!("two answers have the index {index}"));
        }
    }
    let mut others = others.into_iter();
    let filled = places
        .into_iter()
        .filter_map(|place| place.or_else(|| others.next()));
    Ok(filled.collect())
}

fn scores(entries: &[Entry<'_, '_>]) -> Result<Vec<f64>, String> {
    let score = |(place, entry): (usize, &Entry<'_, '_>)| {
        let score = entry
            .score
            .ok_or_else(|| format!("answer {place} has no score"))?;
        let number = score.number().and_then(|number| number.parse().ok());
        let finite = number.filter(|number: &f64| number.is_finite());
        finite.ok_or_else(|| {
            let shown = excerpt(score.raw(), NUMBER_CHARS_MAX);
            format!("the score of answer {place} is {shown}, which is no finite number")
        })
    };
    entries.iter().enumerate().map(score).collect()
}

fn vectors(entries: &[Entry<'_, '_>]) -> Result<Vec<Vec<f32>>, String> {
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let Some(embedding) = entry.embedding else {
            return Err(format!("answer {place} has no `embedding`"));
        };
        let vector = match embedding.kind() {
            Kind::List => numbers(&embedding, place)?,
            Kind::Plain | Kind::Escaped => base64(&embedding.string().unwrap_or_default(), place)?,
            _ => {
                return Err(format!(
                    "vector {place} is {}, and neither a list of numbers nor base64",
                    embedding.kind_words()
                ));
            }
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
        vectors.push(vector);
    }
    Ok(vectors)
}

fn numbers(list: &Value<'_, '_>, place: usize) -> Result<Vec<f32>, String> {
    let mut numbers = Vec::with_capacity(1024);
    for (at, item) in list.items().enumerate() {
        let number = item.number().and_then(|number| number.parse().ok());
        let Some(number) = number.filter(|number: &f32| number.is_finite()) else {
            return Err(not_finite(
                at,
                place,
                &excerpt(item.raw(), NUMBER_CHARS_MAX),
            ));
        };
        numbers.push(number);
    }
    numbers.shrink_to_fit();
    Ok(numbers)
}

fn base64(text: &str, place: usize) -> Result<Vec<f32>, String> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| format!("vector {place} is not base64: {error}"))?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(format!(
            "vector {place} has {} bytes, which are no 32-bit numbers",
            bytes.len()
        ));
    }
    let numbers: Vec<f32> = numbers
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect();
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(not_finite(at, place, &numbers[at].to_string())),
        None => Ok(numbers),
    }
}

fn not_finite(at: usize, place: usize, shown: &str) -> String {
    format!("number {at} of vector {place} is {shown}, which is no finite number")
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
        assert!(refusal(not_finite, 1).contains("number 1 of vector 0 is null"));
        let sizes = r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}"#;
        assert!(refusal(sizes, 2).contains("vector 1 has 2 numbers and vector 0 has 1"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":[]}]}"#, 1).contains("is empty"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":"AAA"}]}"#, 1).contains("base64"));
        assert!(refusal(r#"{"data":[{"index":0,"embedding":"AAAAAAA="}]}"#, 1).contains("5 bytes"));
        let beyond = r#"{"data":[{"index":0,"embedding":[1e39]}]}"#;
        assert!(refusal(beyond, 1).contains("number 0 of vector 0 is 1e39"));
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
