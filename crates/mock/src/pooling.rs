//! What a request for embeddings, scores or a ranking gets. Pure, but for vectors that are kept.

use crate::MockConfig;
use crate::config::{DIMENSIONS_MAX, nanos};
use crate::dice::Dice;
use crate::vectors::{Query, VectorStyle, Vectors};
use openai::{EmbeddingView, PoolingInput, PoolingStyle, RerankView, ScoreView};
use std::borrow::Cow;

/// Numbers in one answer, which is some 200 MB of text.
const NUMBERS_MAX: u64 = 1 << 24;

/// What is asked of a model that generates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Embeddings,
    Score,
    Rerank,
}

/// An answer, and what it counts for.
pub(crate) struct Pooled {
    pub(crate) body: Vec<u8>,
    pub(crate) prompt_tokens: u64,
    /// When it is due, in nanoseconds from the start of the request's service.
    pub(crate) at: u64,
}

/// Answers request number `sequence`, or says why not.
pub(crate) fn answer(
    config: &MockConfig,
    vectors: &mut Vectors,
    pooling: Pooling,
    body: &[u8],
    sequence: u64,
    created: u64,
) -> Result<Pooled, String> {
    let (body, prompt_tokens) = match pooling {
        Pooling::Embeddings => embeddings(config, vectors, body)?,
        Pooling::Score => scores(config, body, sequence, created)?,
        Pooling::Rerank => ranking(config, body, sequence, created)?,
    };
    let recorded = config.replay.as_ref().and_then(|all| all.of(sequence));
    let ttft = recorded.map_or_else(
        || Dice::new(config.seed, sequence).span(config.ttft),
        |recorded| recorded.ttft,
    );
    Ok(Pooled {
        body,
        prompt_tokens,
        at: ttft.saturating_add(nanos(config.prefill).saturating_mul(prompt_tokens)),
    })
}

fn embeddings(
    config: &MockConfig,
    vectors: &mut Vectors,
    body: &[u8],
) -> Result<(Vec<u8>, u64), String> {
    let view = EmbeddingView::parse(body).map_err(|refused| refused.to_string())?;
    let dimensions = view.dimensions.unwrap_or(config.embedding_dimensions);
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Err(format!(
            "`dimensions` is {dimensions}; it must be 1 to {DIMENSIONS_MAX}"
        ));
    }
    let numbers = (view.inputs.len() as u64).saturating_mul(u64::from(dimensions));
    if numbers > NUMBERS_MAX {
        return Err(format!(
            "{} inputs of {dimensions} dimensions are {numbers} numbers; an answer has {NUMBERS_MAX} at most: \
             send fewer inputs",
            view.inputs.len()
        ));
    }
    let prompt_tokens = view.inputs.iter().map(PoolingInput::words).sum();
    let style = PoolingStyle {
        id: "",
        model: view.model.as_deref().unwrap_or(&config.model),
        created: 0,
        prompt_tokens,
    };
    let kind = VectorStyle {
        seed: config.seed,
        dimensions,
        base64: view.base64,
    };
    // A number takes 13 bytes at most, as a rule, and 6 as base64.
    let each = if view.base64 { 6 } else { 13 };
    let bytes = usize::try_from(numbers).unwrap_or_default() * each;
    let mut out = Vec::with_capacity(bytes + 256 + 64 * view.inputs.len());
    style.embeddings(vectors.of(kind, &view.inputs), &mut out);
    Ok((out, prompt_tokens))
}

fn scores(
    config: &MockConfig,
    body: &[u8],
    sequence: u64,
    created: u64,
) -> Result<(Vec<u8>, u64), String> {
    let view = ScoreView::parse(body).map_err(|refused| refused.to_string())?;
    let queries = view.first.iter();
    let queries = queries.map(|first| (Query::new(config.seed, first), first.words()));
    let queries: Vec<(Query, u64)> = queries.collect();
    // One text is compared with each of the others.
    let queries = queries.iter().cycle().take(view.second.len());
    let mut prompt_tokens = 0;
    let mut scores = Vec::with_capacity(view.second.len());
    for ((query, words), second) in queries.zip(&view.second) {
        prompt_tokens += words + second.words();
        scores.push(query.score(second));
    }
    let style = PoolingStyle {
        id: &format!("score-{sequence}"),
        model: view.model.as_deref().unwrap_or(&config.model),
        created,
        prompt_tokens,
    };
    let mut out = Vec::with_capacity(256 + 64 * scores.len());
    style.scores(&scores, &mut out);
    Ok((out, prompt_tokens))
}

fn ranking(
    config: &MockConfig,
    body: &[u8],
    sequence: u64,
    created: u64,
) -> Result<(Vec<u8>, u64), String> {
    let view = RerankView::parse(body).map_err(|refused| refused.to_string())?;
    let query = PoolingInput::Text(Cow::Borrowed(&*view.query));
    let words = query.words();
    let query = Query::new(config.seed, &query);
    // The query is read once with each document.
    let mut prompt_tokens = words * view.documents.len() as u64;
    let mut ranked = Vec::with_capacity(view.documents.len());
    for (index, document) in view.documents.iter().enumerate() {
        let compared = PoolingInput::Text(Cow::Borrowed(document));
        prompt_tokens += compared.words();
        ranked.push((index, &**document, query.score(&compared)));
    }
    ranked.sort_by(|(_, _, a), (_, _, b)| b.total_cmp(a));
    ranked.truncate(view.top_n.unwrap_or(usize::MAX));
    let style = PoolingStyle {
        id: &format!("rerank-{sequence}"),
        model: view.model.as_deref().unwrap_or(&config.model),
        created,
        prompt_tokens,
    };
    let mut out = Vec::with_capacity(256 + body.len());
    style.ranking(ranked.into_iter(), &mut out);
    Ok((out, prompt_tokens))
}

#[cfg(test)]
mod tests;
