//! `/v1/embeddings`.

use crate::app::App;
use crate::completion::{IN_PLACE_BYTES_MAX, unix_seconds};
use crate::http::Whole;
use crate::prepare::context_exceeded;
use crate::task::{Embedder, Task};
use crate::vector_answer::{NoVectors, vectors};
use openai::{ApiError, EmbeddingInput, EmbeddingReply, EmbeddingRequest};
use std::sync::Arc;
use std::time::Instant;

/// Numbers that are written in place; more are written beside the threads that speak HTTP.
const IN_PLACE_NUMBERS_MAX: usize = 32 << 10;

impl App {
    /// `/v1/embeddings`.
    pub(crate) async fn embed(self: &Arc<Self>, body: Vec<u8>) -> Whole {
        match self.try_embed(body).await {
            Ok(body) => Whole::json(body),
            Err(error) => Whole::error(&error),
        }
    }

    async fn try_embed(self: &Arc<Self>, body: Vec<u8>) -> Result<Vec<u8>, ApiError> {
        let arrived = Instant::now();
        let embedder = self.embedder()?;
        let app = Arc::clone(self);
        let prepare = move |body: &[u8]| {
            let embedder = app.embedder()?;
            let request = EmbeddingRequest::parse(body, &embedder.limits)?;
            app.check_model(request.model.as_deref())?;
            let texts = app.texts(embedder, "input", request.inputs, request.truncate)?;
            Ok((texts, request.encoding, request.dimensions))
        };
        let (texts, encoding, dimensions) = prepared(body, prepare).await?;
        let (count, prompt_tokens) = (texts.len(), texts.iter().map(Vec::len).sum());
        let (id, vectors) = self.vectors(embedder, texts, arrived).await?;
        let (app, whole) = (Arc::clone(self), embedder.limits.dimensions);
        let write = move || {
            let reply = EmbeddingReply {
                id: &format!("embd-{id}"),
                created: unix_seconds(),
                model: &app.model_name,
                encoding,
                prompt_tokens,
            };
            reply.body(&cut(vectors, whole, dimensions), dimensions)
        };
        beside(count * dimensions > IN_PLACE_NUMBERS_MAX, write).await
    }

    /// What turns texts into vectors, where the model does and takes requests.
    pub(crate) fn embedder(&self) -> Result<&Embedder, ApiError> {
        let Task::Embed(embedder) = &self.task else {
            return Err(self.task.elsewhere());
        };
        // Before any work: who is turned away shall be it at once.
        match self.admission.closed() {
            Some(closed) => Err(self.turned_away(closed)),
            None => Ok(embedder),
        }
    }

    /// The tokens of texts, none more than the model takes; `field` is where they came from.
    pub(crate) fn texts(
        &self,
        embedder: &Embedder,
        field: &str,
        inputs: Vec<EmbeddingInput>,
        truncate: Option<usize>,
    ) -> Result<Vec<Vec<u32>>, ApiError> {
        let most = embedder.limits.text_tokens_max;
        let several = inputs.len() > 1;
        let each = inputs.into_iter().enumerate().map(|(index, input)| {
            let name = || {
                if several {
                    format!("{field}[{index}]")
                } else {
                    field.to_owned()
                }
            };
            let tokens = match input {
                EmbeddingInput::Text(text) => self.codec.text(&text, truncate, name)?,
                EmbeddingInput::Tokens(mut tokens) => {
                    tokens.truncate(truncate.unwrap_or(usize::MAX));
                    tokens
                }
            };
            match tokens.len() {
                0 => Err(ApiError::invalid(
                    name(),
                    format!("`{0}` is empty; it needs at least one token", name()),
                )),
                count if count > most => Err(context_exceeded(
                    &name(),
                    format!(
                        "`{}` has {count} tokens, and the model takes texts of at most {most}; send a shorter \
                         one, or cut it with `truncate_prompt_tokens`",
                        name()
                    ),
                )),
                _ => Ok(tokens),
            }
        });
        each.collect()
    }

    /// The vectors of texts, and the id of their reply.
    pub(crate) async fn vectors(
        &self,
        embedder: &Embedder,
        texts: Vec<Vec<u32>>,
        arrived: Instant,
    ) -> Result<(String, Vec<f32>), ApiError> {
        let (key, random) = self.serial.pair();
        let found = vectors(key, texts, arrived, &embedder.commands, &self.admission).await;
        let vectors = found.map_err(|error| match error {
            NoVectors::Closed(closed) => self.turned_away(closed),
            NoVectors::Cut(cut) => cut.error(),
        })?;
        if vectors.iter().all(|number| number.is_finite()) {
            return Ok((format!("{random:016x}{key:08x}"), vectors));
        }
        Err(ApiError::refused(
            500,
            "the model's vector of a text is not finite; its weights may be damaged",
            "model_failed",
        ))
    }
}

/// What `prepare` makes of a body: in place where it is short, since others' answers would wait meanwhile.
pub(crate) async fn prepared<T: Send + 'static>(
    body: Vec<u8>,
    prepare: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    beside(body.len() > IN_PLACE_BYTES_MAX, move || prepare(&body)).await?
}

/// Computes something here, or beside the threads that speak HTTP where it is `long`.
async fn beside<T: Send + 'static>(
    long: bool,
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    if !long {
        return Ok(compute());
    }
    let computed = tokio::task::spawn_blocking(compute).await;
    computed.map_err(|_| ApiError::refused(500, "the request could not be computed", "internal"))
}

/// The first `dimensions` numbers of each vector of `whole`, at its length before; as they are where that is all.
fn cut(mut vectors: Vec<f32>, whole: usize, dimensions: usize) -> Vec<f32> {
    if dimensions == whole {
        return vectors;
    }
    let mut parts = Vec::with_capacity(vectors.len() / whole * dimensions);
    for vector in vectors.chunks_exact_mut(whole) {
        let (before, part) = (length(vector), &mut vector[..dimensions]);
        let scale = before / length(part).max(f32::MIN_POSITIVE);
        parts.extend(part.iter().map(|number| number * scale));
    }
    parts
}

/// The length of a vector.
pub(crate) fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_part_of_a_vector_has_the_length_of_the_whole() {
        let vectors = vec![0.6, 0.0, 0.8, 0.0, 0.0, 2.0];
        assert_eq!(cut(vectors.clone(), 3, 3), vectors);
        assert_eq!(cut(vectors, 3, 2), [1.0, 0.0, 0.0, 0.0]);
    }
}
