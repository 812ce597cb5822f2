//! Requests that compare texts, as vLLM takes them, and their replies: `/v1/score` and `/v1/rerank`.

use crate::embedding_request::{inputs, truncate};
use crate::fields::Fields;
use crate::json::push_json;
use crate::server_request::parse_body;
use crate::{ApiError, EmbeddingInput, EmbeddingLimits};
use std::io::Write;

/// How much each of `texts_2` is like its partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRequest {
    /// `model`, where given.
    pub model: Option<String>,
    /// `text_1`: one text for all of `text_2`, or as many.
    pub texts_1: Vec<EmbeddingInput>,
    /// `text_2`: at least one.
    pub texts_2: Vec<EmbeddingInput>,
    /// `truncate_prompt_tokens`.
    pub truncate: Option<usize>,
}

impl ScoreRequest {
    /// Reads and checks a request body.
    pub fn parse(body: &[u8], limits: &EmbeddingLimits) -> Result<Self, ApiError> {
        let json = parse_body(body)?;
        let fields = Fields::of(&json)?;
        let texts_1 = inputs(&fields, "text_1", limits)?;
        let texts_2 = inputs(&fields, "text_2", limits)?;
        if texts_1.len() != 1 && texts_1.len() != texts_2.len() {
            return Err(ApiError::invalid(
                "text_1",
                format!(
                    "`text_1` has {} texts and `text_2` {}; send one in `text_1`, or as many",
                    texts_1.len(),
                    texts_2.len()
                ),
            ));
        }
        Ok(ScoreRequest {
            model: fields.string("model")?.map(str::to_owned),
            texts_1,
            texts_2,
            truncate: truncate(&fields, limits)?,
        })
    }
}

/// Which documents are most like a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerankRequest {
    /// `model`, where given.
    pub model: Option<String>,
    /// `query`.
    pub query: String,
    /// `documents`: at least one.
    pub documents: Vec<String>,
    /// `top_n`: so many of them are returned; all where absent or 0.
    pub top_n: usize,
    /// `truncate_prompt_tokens`.
    pub truncate: Option<usize>,
}

impl RerankRequest {
    /// Reads and checks a request body.
    pub fn parse(body: &[u8], limits: &EmbeddingLimits) -> Result<Self, ApiError> {
        let json = parse_body(body)?;
        let fields = Fields::of(&json)?;
        let query = fields.string("query")?.ok_or_else(|| {
            ApiError::invalid("query", "the request has no `query`; send a string")
        })?;
        let documents = inputs(&fields, "documents", limits)?.into_iter();
        let documents = documents.map(|document| match document {
            EmbeddingInput::Text(text) => Ok(text),
            EmbeddingInput::Tokens(_) => Err(ApiError::invalid(
                "documents",
                "`documents` must be strings, got token ids",
            )),
        });
        let top_n = fields
            .integer("top_n", 0..=u64::from(u32::MAX))?
            .unwrap_or(0);
        Ok(RerankRequest {
            model: fields.string("model")?.map(str::to_owned),
            query: query.to_owned(),
            documents: documents.collect::<Result<_, _>>()?,
            top_n: match usize::try_from(top_n) {
                Ok(0) | Err(_) => usize::MAX,
                Ok(top_n) => top_n,
            },
            truncate: truncate(&fields, limits)?,
        })
    }
}

/// The body of a reply to a [`ScoreRequest`]; the scores are finite.
pub fn score_body(id: &str, created: u64, model: &str, scores: &[f32], tokens: usize) -> Vec<u8> {
    let mut out = br#"{"id":"#.to_vec();
    push_json(&mut out, id);
    let _ = write!(out, r#","object":"list","created":{created},"model":"#);
    push_json(&mut out, model);
    out.extend_from_slice(br#","data":["#);
    for (index, score) in scores.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, r#"{comma}{{"index":{index},"object":"score","score":"#);
        push_json(&mut out, score);
        out.push(b'}');
    }
    let _ = write!(
        out,
        r#"],"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
    );
    out
}

/// The body of a reply to a [`RerankRequest`] with the scores of its documents, which are finite: the best first, and of
/// equal ones the first of the request.
pub fn rerank_body(
    id: &str,
    model: &str,
    request: &RerankRequest,
    scores: &[f32],
    tokens: usize,
) -> Vec<u8> {
    let mut order: Vec<(usize, (&String, &f32))> =
        request.documents.iter().zip(scores).enumerate().collect();
    order.sort_by(|a, b| b.1.1.total_cmp(a.1.1));
    let mut out = br#"{"id":"#.to_vec();
    push_json(&mut out, id);
    out.extend_from_slice(br#","model":"#);
    push_json(&mut out, model);
    let _ = write!(
        out,
        r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}},"results":["#
    );
    for (place, (index, (document, score))) in order.into_iter().take(request.top_n).enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(out, r#"{comma}{{"index":{index},"document":{{"text":"#);
        push_json(&mut out, document);
        out.extend_from_slice(br#"},"relevance_score":"#);
        push_json(&mut out, score);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

#[cfg(test)]
mod tests {
    use super::{RerankRequest, ScoreRequest, rerank_body, score_body};
    use crate::{EmbeddingLimits, VectorSizes};

    const LIMITS: EmbeddingLimits = EmbeddingLimits {
        vocab_size: 100,
        text_tokens_max: 8,
        texts_max: 3,
        dimensions: 16,
        sizes: VectorSizes::Whole,
    };

    #[test]
    fn scores_have_the_shape_of_vllm() {
        let request =
            ScoreRequest::parse(br#"{"text_1":"a","text_2":["b","c"]}"#, &LIMITS).unwrap();
        assert_eq!((request.texts_1.len(), request.texts_2.len()), (1, 2));
        assert_eq!(
            String::from_utf8(score_body("score-1", 7, "m", &[0.5, -0.25], 9)).unwrap(),
            r#"{"id":"score-1","object":"list","created":7,"model":"m","data":[{"index":0,"object":"score","score":0.5},{"index":1,"object":"score","score":-0.25}],"usage":{"prompt_tokens":9,"total_tokens":9}}"#
        );
        let error =
            ScoreRequest::parse(br#"{"text_1":["a","b"],"text_2":"c"}"#, &LIMITS).unwrap_err();
        assert_eq!(
            error.message,
            "`text_1` has 2 texts and `text_2` 1; send one in `text_1`, or as many"
        );
    }

    #[test]
    fn documents_are_ranked_the_best_first() {
        let request = RerankRequest::parse(
            br#"{"query":"q","documents":["a","b","c"],"top_n":2}"#,
            &LIMITS,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(rerank_body("rerank-1", "m", &request, &[0.1, 0.9, 0.1], 9)).unwrap(),
            r#"{"id":"rerank-1","model":"m","usage":{"prompt_tokens":9,"total_tokens":9},"results":[{"index":1,"document":{"text":"b"},"relevance_score":0.9},{"index":0,"document":{"text":"a"},"relevance_score":0.1}]}"#
        );
        for (body, words) in [
            (
                r#"{"documents":["a"]}"#,
                "the request has no `query`; send a string",
            ),
            (
                r#"{"query":"q","documents":[1]}"#,
                "`documents` must be strings, got token ids",
            ),
            (
                r#"{"query":"q","documents":[]}"#,
                "`documents` is empty; it needs at least one text",
            ),
            (
                r#"{"query":"q","documents":["a"],"top_n":-1}"#,
                "`top_n` must be a whole number from 0 to 4294967295, got `-1`",
            ),
        ] {
            let error = RerankRequest::parse(body.as_bytes(), &LIMITS).unwrap_err();
            assert_eq!(error.message, words);
        }
    }
}
