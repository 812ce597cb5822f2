//! From a request to its answer. Pure, but for vectors that are kept.

use crate::circumstances::Circumstances;
use crate::completion::Completion;
use crate::http::{Refused, Request};
use crate::pooling::{self, Pooling};
use crate::response::Envelope;
use crate::script::{End, Script};
use crate::vectors::Vectors;
use crate::{Fault, MockConfig, fault_choice};
use openai::{Endpoint, FrameStyle, RequestView, error_body, models_body};

/// Most choices of one prompt, as the API has it.
const CHOICES_MAX: u32 = 128;
/// Most choices of all prompts of one request.
const CHOICES_OF_ALL_MAX: u32 = 4_096;
const JSON: &str = "application/json";
/// Where the counters are.
pub(crate) const METRICS: &str = "/metrics";

/// What a path leads to.
#[derive(Clone, Copy)]
enum Route {
    Health,
    Models,
    Metrics,
    Work(Work),
}

/// What a model would have to do.
#[derive(Clone, Copy)]
enum Work {
    Completion(Endpoint),
    Pooling(Pooling),
}

/// What a request asks for.
enum Asked<'a> {
    Completion(Endpoint, RequestView),
    /// And the body, not read yet.
    Pooling(Pooling, &'a [u8]),
}

/// What a request gets.
pub(crate) struct Answer {
    pub(crate) script: Script,
    /// Whether it came to a route that does a model's work: only those count and enter the truth
    /// log.
    pub(crate) served: bool,
    /// Whether a stream was asked for, and begins.
    pub(crate) stream: bool,
    pub(crate) account: Account,
    /// What happens to it, where that is the server's stop: it is for the server to do.
    pub(crate) freeze: Option<Fault>,
}

/// What an answer counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) outcome: Outcome,
    pub(crate) prompt_tokens: u64,
    /// Choices, and whether they end at the request's own limit.
    pub(crate) choices: u32,
    pub(crate) limited: bool,
}

/// How an answer ends, if its client stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    #[default]
    Refused,
    Fault,
}

/// Answers `request`, unless that is one for [`METRICS`].
pub(crate) fn answer(
    config: &MockConfig,
    vectors: &mut Vectors,
    request: &Request<'_>,
    circumstances: Circumstances,
) -> Answer {
    let envelope = envelope(request);
    let Some(route) = Route::of(request.path) else {
        let message = format!("there is no route {}", request.path);
        return unserved(error(&envelope, 404, "NotFoundError", &message));
    };
    if request.method != route.method() {
        return unserved(wrong_method(&envelope, request, route.method()));
    }
    let authorized = authorized(config, request);
    match route {
        Route::Health | Route::Metrics => unserved(Script::whole(
            envelope.whole(200, JSON, &[], b"{}"),
            &envelope,
        )),
        Route::Models if authorized => {
            let body = models_body(&[&config.model]);
            unserved(Script::whole(
                envelope.whole(200, JSON, &[], &body),
                &envelope,
            ))
        }
        Route::Work(work) if authorized => serve(config, vectors, request, work, circumstances)
            .unwrap_or_else(|reason| refused(error(&envelope, 400, "BadRequestError", &reason))),
        Route::Models | Route::Work(_) => {
            let message = "the API key is missing or wrong";
            let script = error(&envelope, 401, "invalid_request_error", message);
            Answer {
                served: matches!(route, Route::Work(_)),
                ..refused(script)
            }
        }
    }
}

/// Answers a request for [`METRICS`].
pub(crate) fn metrics(request: &Request<'_>, text: impl FnOnce() -> String) -> Answer {
    let envelope = envelope(request);
    if request.method != "GET" {
        return unserved(wrong_method(&envelope, request, "GET"));
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let bytes = envelope.whole(200, kind, &[], text().as_bytes());
    unserved(Script::whole(bytes, &envelope))
}

/// Answers bytes that are no request; the connection ends with it.
pub(crate) fn refuse(refused: &Refused) -> Answer {
    let envelope = Envelope {
        request_id: None,
        close: true,
    };
    unserved(error(
        &envelope,
        refused.status,
        "BadRequestError",
        &refused.reason,
    ))
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let work = match path {
            "/v1/chat/completions" => Work::Completion(Endpoint::ChatCompletions),
            "/v1/completions" => Work::Completion(Endpoint::Completions),
            "/v1/embeddings" => Work::Pooling(Pooling::Embeddings),
            // vLLM has them at all of these.
            "/v1/score" | "/score" => Work::Pooling(Pooling::Score),
            "/v1/rerank" | "/v2/rerank" | "/rerank" => Work::Pooling(Pooling::Rerank),
            "/health" | "/v1/health" => return Some(Self::Health),
            "/v1/models" => return Some(Self::Models),
            METRICS => return Some(Self::Metrics),
            _ => return None,
        };
        Some(Self::Work(work))
    }

    fn method(self) -> &'static str {
        match self {
            Self::Work(_) => "POST",
            Self::Health | Self::Models | Self::Metrics => "GET",
        }
    }
}

/// A key that a fault belongs to is known, and let in.
fn authorized(config: &MockConfig, request: &Request<'_>) -> bool {
    let Some(key) = &config.api_key else {
        return true;
    };
    request.key() == Some(key.as_bytes()) || fault_choice::of_key(config, request).is_some()
}

/// Does a model's work, or says why the request asks for none.
fn serve(
    config: &MockConfig,
    vectors: &mut Vectors,
    request: &Request<'_>,
    work: Work,
    circumstances: Circumstances,
) -> Result<Answer, String> {
    let envelope = envelope(request);
    let fault = fault_choice::of(config, request, circumstances)?;
    let fault = fault.as_deref();
    let outcome = match fault {
        None | Some(Fault::Freeze { .. }) => Outcome::Complete,
        Some(_) => Outcome::Fault,
    };
    let failed = |script| Answer {
        account: Account {
            outcome,
            ..Account::default()
        },
        ..refused(script)
    };
    if fault == Some(&Fault::Stale) && circumstances.earlier_on_connection > 0 {
        return Ok(failed(Script::silent(End::Close)));
    }
    let asked = match work {
        Work::Completion(endpoint) => Asked::Completion(endpoint, view(&request.body, endpoint)?),
        Work::Pooling(pooling) => Asked::Pooling(pooling, &request.body),
    };
    let instead = fault.and_then(|fault| fault_choice::instead(fault, &envelope));
    if let Some(bytes) = instead {
        return Ok(failed(Script::whole(bytes, &envelope)));
    }
    let (script, stream, account) = match &asked {
        Asked::Completion(endpoint, view) => {
            completion(config, view, *endpoint, &envelope, fault, circumstances)
        }
        Asked::Pooling(pooling, body) => {
            let what = (*pooling, *body);
            pooled(config, vectors, what, &envelope, fault, circumstances)?
        }
    };
    Ok(Answer {
        script,
        served: true,
        stream,
        account: Account { outcome, ..account },
        freeze: fault
            .filter(|fault| matches!(fault, Fault::Freeze { .. }))
            .cloned(),
    })
}

fn view(body: &[u8], endpoint: Endpoint) -> Result<RequestView, String> {
    let view = RequestView::parse(body, endpoint).map_err(|refused| refused.to_string())?;
    if !(1..=CHOICES_MAX).contains(&view.n) {
        return Err(format!("`n` is {}; it must be 1 to {CHOICES_MAX}", view.n));
    }
    let choices = view.n.saturating_mul(view.prompts);
    if choices > CHOICES_OF_ALL_MAX {
        return Err(format!(
            "{} prompts with {} choices each are {choices} choices; {CHOICES_OF_ALL_MAX} are the most",
            view.prompts, view.n
        ));
    }
    Ok(view)
}

fn completion(
    config: &MockConfig,
    view: &RequestView,
    endpoint: Endpoint,
    envelope: &Envelope<'_>,
    fault: Option<&Fault>,
    circumstances: Circumstances,
) -> (Script, bool, Account) {
    let prefix = match endpoint {
        Endpoint::ChatCompletions => "chatcmpl",
        Endpoint::Completions => "cmpl",
    };
    let style = FrameStyle {
        endpoint,
        id: &format!("{prefix}-{}", circumstances.sequence),
        model: view.model.as_deref().unwrap_or(&config.model),
        created: circumstances.created,
    };
    let completion = Completion::new(config, view, style, fault, circumstances);
    let account = Account {
        prompt_tokens: completion.prompt_tokens,
        choices: completion.choices,
        limited: completion.limited,
        ..Account::default()
    };
    (Script::of(&completion, envelope), view.stream, account)
}

fn pooled(
    config: &MockConfig,
    vectors: &mut Vectors,
    (pooling, body): (Pooling, &[u8]),
    envelope: &Envelope<'_>,
    fault: Option<&Fault>,
    circumstances: Circumstances,
) -> Result<(Script, bool, Account), String> {
    let Circumstances {
        sequence, created, ..
    } = circumstances;
    let pooled = pooling::answer(config, vectors, pooling, body, sequence, created)?;
    let account = Account {
        prompt_tokens: pooled.prompt_tokens,
        choices: 1,
        ..Account::default()
    };
    let script = Script::in_one(pooled.at, &pooled.body, 0, envelope, fault);
    Ok((script, false, account))
}

fn envelope<'a>(request: &Request<'a>) -> Envelope<'a> {
    Envelope {
        request_id: request.id,
        close: request.close,
    }
}

/// What does not count.
fn unserved(script: Script) -> Answer {
    Answer {
        served: false,
        ..refused(script)
    }
}

fn refused(script: Script) -> Answer {
    Answer {
        script,
        served: true,
        stream: false,
        account: Account::default(),
        freeze: None,
    }
}

fn error(envelope: &Envelope<'_>, status: u16, kind: &str, message: &str) -> Script {
    Script::whole(
        envelope.whole(status, JSON, &[], &error_body(message, kind, status)),
        envelope,
    )
}

fn wrong_method(envelope: &Envelope<'_>, request: &Request<'_>, allowed: &str) -> Script {
    let message = format!("{} takes {allowed}, not {}", request.path, request.method);
    let body = error_body(&message, "MethodNotAllowedError", 405);
    Script::whole(
        envelope.whole(405, JSON, &[("allow", allowed)], &body),
        envelope,
    )
}

#[cfg(test)]
mod tests;
