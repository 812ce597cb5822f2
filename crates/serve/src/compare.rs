//! `/v1/score` and `/v1/rerank`.

use crate::app::App;
use crate::completion::unix_seconds;
use crate::embedding::{length, prepared};
use crate::http::Whole;
use crate::task::Compare;
use openai::{ApiError, EmbeddingInput, RerankRequest, ScoreRequest, rerank_body, score_body};
use std::sync::Arc;
use std::time::Instant;

impl App {
    /// `/v1/score` and `/v1/rerank`: the cosine between vectors, as vLLM has it for a model of vectors.
    pub(crate) async fn compare(self: &Arc<Self>, compare: Compare, body: Vec<u8>) -> Whole {
        let body = match compare {
            Compare::Score => self.score(body).await,
            Compare::Rerank => self.rerank(body).await,
        };
        match body {
            Ok(body) => Whole::json(body),
            Err(error) => Whole::error(&error),
        }
    }

    async fn score(self: &Arc<Self>, body: Vec<u8>) -> Result<Vec<u8>, ApiError> {
        let arrived = Instant::now();
        let embedder = self.embedder()?;
        let app = Arc::clone(self);
        let prepare = move |body: &[u8]| {
            let embedder = app.embedder()?;
            let request = ScoreRequest::parse(body, &embedder.limits)?;
            app.check_model(request.model.as_deref())?;
            let mut texts = app.texts(embedder, "text_1", request.texts_1, request.truncate)?;
            let first = texts.len();
            texts.extend(app.texts(embedder, "text_2", request.texts_2, request.truncate)?);
            Ok((texts, first))
        };
        let (texts, first) = prepared(body, prepare).await?;
        let tokens = texts.iter().map(Vec::len).sum();
        let (id, vectors) = self.vectors(embedder, texts, arrived).await?;
        let scores = cosines(&vectors, first, embedder.limits.dimensions);
        let id = format!("score-{id}");
        Ok(score_body(
            &id,
            unix_seconds(),
            &self.model_name,
            &scores,
            tokens,
        ))
    }

    async fn rerank(self: &Arc<Self>, body: Vec<u8>) -> Result<Vec<u8>, ApiError> {
        let arrived = Instant::now();
        let embedder = self.embedder()?;
        let app = Arc::clone(self);
        let prepare = move |body: &[u8]| {
            let embedder = app.embedder()?;
            let request = RerankRequest::parse(body, &embedder.limits)?;
            app.check_model(request.model.as_deref())?;
            let query = vec![EmbeddingInput::Text(request.query.clone())];
            let mut texts = app.texts(embedder, "query", query, request.truncate)?;
            let documents = request.documents.iter().cloned().map(EmbeddingInput::Text);
            let documents = documents.collect();
            texts.extend(app.texts(embedder, "documents", documents, request.truncate)?);
            Ok((texts, request))
        };
        let (texts, request) = prepared(body, prepare).await?;
        let tokens = texts.iter().map(Vec::len).sum();
        let (id, vectors) = self.vectors(embedder, texts, arrived).await?;
        let scores = cosines(&vectors, 1, embedder.limits.dimensions);
        let id = format!("rerank-{id}");
        Ok(rerank_body(
            &id,
            &self.model_name,
            &request,
            &scores,
            tokens,
        ))
    }
}

/// The cosine between each vector after the first `first`, and its partner among those: the only one, or that of its place.
fn cosines(vectors: &[f32], first: usize, dimensions: usize) -> Vec<f32> {
    let (left, right) = vectors.split_at(first * dimensions);
    let partners = left.chunks_exact(dimensions).cycle();
    let pairs = right.chunks_exact(dimensions).zip(partners);
    let cosine = |(a, b): (&[f32], &[f32])| {
        let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        dot / (length(a) * length(b)).max(f32::MIN_POSITIVE)
    };
    pairs.map(cosine).collect()
}

#[cfg(test)]
mod tests {
    use super::cosines;

    #[test]
    fn one_partner_is_everybodys_and_several_are_paired_by_place() {
        let vectors = [2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0, -1.0];
        assert_eq!(cosines(&vectors, 1, 2), [0.0, 1.0, 0.0]);
        assert_eq!(cosines(&vectors, 2, 2), [1.0, -1.0]);
        assert_eq!(cosines(&[0.0, 0.0, 1.0, 0.0], 1, 2), [0.0]);
    }
}
