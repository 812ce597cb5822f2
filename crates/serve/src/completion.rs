//! `/v1/chat/completions` and `/v1/completions`.

use crate::answer::{Answer, Ask, AskError};
use crate::app::App;
use crate::http::{Reply, Whole};
use crate::prepare::{Capacity, engine_request, prompt_field, prompt_tokens, refusal};
use crate::stream::{Progress, TokenStream, whole};
use crate::task::Task;
use engine::EngineRequest;
use openai::{ApiError, Endpoint, Prompt, ReplyWriter, ServerRequest};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bodies up to this size are tokenised in place; longer ones beside the threads that speak HTTP,
/// since others' tokens would wait meanwhile.
pub(crate) const IN_PLACE_BYTES_MAX: usize = 32 << 10;

impl App {
    /// `/v1/chat/completions` and `/v1/completions`.
    pub(crate) async fn complete(self: &Arc<Self>, endpoint: Endpoint, body: Vec<u8>) -> Reply {
        match self.try_complete(endpoint, body).await {
            Ok(reply) => reply,
            Err(error) => Reply::Whole(Whole::error(&error)),
        }
    }

    async fn try_complete(
        self: &Arc<Self>,
        endpoint: Endpoint,
        body: Vec<u8>,
    ) -> Result<Reply, ApiError> {
        let arrived = Instant::now();
        let Task::Generate(generator) = &self.task else {
            return Err(self.task.elsewhere());
        };
        // Before any work: who is turned away shall be it at once.
        if let Some(closed) = self.admission.closed() {
            return Err(self.turned_away(closed));
        }
        let (key, random) = self.serial.pair();
        let in_place = body.len() <= IN_PLACE_BYTES_MAX;
        let (app, capacity) = (Arc::clone(self), generator.capacity);
        let prepare = move || app.prepare(endpoint, &body, &capacity, random);
        let (request, engine_request) = if in_place {
            prepare()?
        } else {
            tokio::task::spawn_blocking(prepare).await.map_err(|_| {
                ApiError::refused(500, "the request could not be read", "internal")
            })??
        };
        let prompt_tokens = engine_request.prompt.len();
        let pieces_max = if request.stream {
            // A step may bring a piece to each choice.
            generator.pieces_max.max(2 * request.n)
        } else {
            // We are the reader; there are no more pieces than tokens, and an end.
            request.n * (engine_request.params.tokens_max + 1)
        };
        let ask = Ask {
            key,
            request: engine_request,
            stop: request.stop,
            arrived,
            pieces_max,
        };
        let answer = Answer::ask(ask, &generator.commands, &self.admission)
            .await
            .map_err(|error| self.ask_error(error, endpoint))?;
        let kind = match endpoint {
            Endpoint::ChatCompletions => "chatcmpl",
            Endpoint::Completions | Endpoint::Responses => "cmpl",
        };
        let id = format!("{kind}-{random:016x}{key:08x}");
        let writer = ReplyWriter::new(endpoint, &id, &self.model_name, unix_seconds());
        let progress = Progress::new(
            answer,
            Arc::clone(&self.codec),
            prompt_tokens,
            request.n,
            request.logprobs.is_some(),
        );
        if request.stream {
            let stream = TokenStream::new(progress, writer, request.usage);
            return Ok(Reply::Stream(Box::new(stream)));
        }
        match whole(progress, &writer).await {
            Ok(body) => Ok(Reply::Whole(Whole::json(body))),
            Err(cut) => Err(cut.error()),
        }
    }

    /// From bytes to what the engine gets.
    fn prepare(
        &self,
        endpoint: Endpoint,
        body: &[u8],
        capacity: &Capacity,
        seed: u64,
    ) -> Result<(ServerRequest, EngineRequest), ApiError> {
        let mut request = ServerRequest::parse(body, endpoint, &capacity.limits)?;
        self.check_model(request.model.as_deref())?;
        let prompt = std::mem::replace(&mut request.prompt, Prompt::Tokens(Vec::new()));
        let tokens = prompt_tokens(prompt, &self.codec)?;
        let engine_request =
            engine_request(&request, tokens, endpoint, capacity, &self.codec, seed)?;
        Ok((request, engine_request))
    }

    fn ask_error(&self, error: AskError, endpoint: Endpoint) -> ApiError {
        match error {
            AskError::Closed(closed) => self.turned_away(closed),
            AskError::Refused(refused) => {
                if matches!(refused, engine::Refusal::QueueFull { .. }) {
                    self.metrics().reject("queue_full");
                }
                refusal(&refused, prompt_field(endpoint))
            }
            AskError::Cut(cut) => cut.error(),
        }
    }

    pub(crate) fn turned_away(&self, closed: crate::admission::Closed) -> ApiError {
        self.metrics().reject(closed.label());
        closed.error()
    }
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
