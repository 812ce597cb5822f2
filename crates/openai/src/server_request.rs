//! A completion request as a server takes it: every field checked, and what it cannot do refused by name.

use crate::fields::{Fields, integer, number, wrong};
use crate::messages::messages;
use crate::{ApiError, Endpoint, Json, Message};

/// Stop strings of a request, at most: OpenAI's limit.
const STOPS_MAX: usize = 4;
/// Bytes of one stop string, at most: text that may be its beginning is held back.
const STOP_BYTES_MAX: usize = 1024;
/// Tokens in `stop_token_ids` and entries of `logit_bias`, at most: each costs time in every step.
const TOKENS_LISTED_MAX: usize = 1024;
/// Alternatives to a token, at most: OpenAI's limit for chats.
const TOP_LOGPROBS_MAX: u64 = 20;

/// What a model and its server set the limits of a request by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Tokens that exist.
    pub vocab_size: usize,
    /// Positions of a sequence, prompt and answer together.
    pub context_tokens: usize,
    /// Choices of a request.
    pub n_max: usize,
}

/// What the answer goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A chat, never empty.
    Messages(Vec<Message>),
    /// A text, never empty.
    Text(String),
    /// Token ids, never empty, all in the vocabulary.
    Tokens(Vec<u32>),
}

/// When token counts are sent in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamUsage {
    /// Never.
    #[default]
    Absent,
    /// In a chunk after the last one.
    Last,
    /// In every chunk, and in one after the last.
    Continuous,
}

/// A request whose values are all within their limits.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerRequest {
    /// `model`, where given.
    pub model: Option<String>,
    /// `messages` or `prompt`.
    pub prompt: Prompt,
    /// Where given: which of the names it came by, and its value.
    pub tokens_max: Option<(&'static str, usize)>,
    /// `min_tokens`.
    pub tokens_min: usize,
    /// `temperature`; 1 where absent.
    pub temperature: f32,
    /// `top_p`; 1 where absent.
    pub top_p: f32,
    /// `top_k`; 0, which keeps all, where absent or −1.
    pub top_k: usize,
    /// `min_p`.
    pub min_p: f32,
    /// `seed`.
    pub seed: Option<u64>,
    /// `n`.
    pub n: usize,
    /// `stop`: never an empty string.
    pub stop: Vec<String>,
    /// `stop_token_ids`.
    pub stop_tokens: Vec<u32>,
    /// `ignore_eos`.
    pub ignore_eos: bool,
    /// `stream`.
    pub stream: bool,
    /// `stream_options`.
    pub usage: StreamUsage,
    /// Log-probabilities are wanted, with those of so many most probable tokens.
    pub logprobs: Option<usize>,
    /// `logit_bias`.
    pub logit_bias: Vec<(u32, f32)>,
    /// `presence_penalty`.
    pub presence_penalty: f32,
    /// `frequency_penalty`.
    pub frequency_penalty: f32,
}

impl ServerRequest {
    /// Reads and checks a request body.
    pub fn parse(
        body: &[u8],
        endpoint: Endpoint,
        limits: &RequestLimits,
    ) -> Result<Self, ApiError> {
        let json = parse_body(body)?;
        let fields = Fields::of(&json)?;
        refuse_unsupported(&fields)?;
        let stream = fields.boolean("stream")?.unwrap_or(false);
        let context = limits.context_tokens as u64;
        let tokens_max = tokens_max(&fields, context)?;
        let tokens_min = size(fields.integer("min_tokens", 0..=context)?.unwrap_or(0));
        if let Some((name, most)) = tokens_max
            && tokens_min > most
        {
            return Err(ApiError::invalid(
                "min_tokens",
                format!("`min_tokens` ({tokens_min}) must not exceed `{name}` ({most})"),
            ));
        }
        let n = fields.integer("n", 1..=limits.n_max as u64)?.unwrap_or(1);
        refuse_best_of(&fields, n)?;
        Ok(ServerRequest {
            model: fields.string("model")?.map(str::to_owned),
            prompt: match endpoint {
                Endpoint::ChatCompletions => Prompt::Messages(messages(&fields)?),
                Endpoint::Completions | Endpoint::Responses => prompt(&fields, limits)?,
            },
            tokens_max,
            tokens_min,
            temperature: fields.number("temperature", 0.0..=2.0)?.unwrap_or(1.0),
            top_p: top_p(&fields)?,
            top_k: top_k(&fields)?,
            min_p: fields.number("min_p", 0.0..=1.0)?.unwrap_or(0.0),
            seed: fields.integer("seed", 0..=u64::MAX)?,
            n: size(n),
            stop: stop(&fields)?,
            stop_tokens: match fields.get("stop_token_ids") {
                None => Vec::new(),
                Some(value) => token_ids("stop_token_ids", value, limits, TOKENS_LISTED_MAX)?,
            },
            ignore_eos: fields.boolean("ignore_eos")?.unwrap_or(false),
            stream,
            usage: stream_usage(&fields, stream)?,
            logprobs: logprobs(&fields, endpoint)?,
            logit_bias: logit_bias(&fields, limits)?,
            presence_penalty: fields
                .number("presence_penalty", -2.0..=2.0)?
                .unwrap_or(0.0),
            frequency_penalty: fields
                .number("frequency_penalty", -2.0..=2.0)?
                .unwrap_or(0.0),
        })
    }
}

/// The body as JSON; every endpoint that takes one begins here.
pub fn parse_body(body: &[u8]) -> Result<Json<'_>, ApiError> {
    let fault = |message| ApiError::refused(400, message, "invalid_json");
    if body.is_empty() {
        return Err(fault(
            "the request body is empty; send a JSON object".to_owned(),
        ));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        fault(format!(
            "the request body is not UTF-8 at byte {}",
            error.valid_up_to()
        ))
    })?;
    Json::parse(text).map_err(|error| fault(format!("the request body is not valid JSON: {error}")))
}

/// Checked against a limit that is a `usize`.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// What would change the answer, and is not done here. Each may be sent with the value that means
/// that it is not used, since clients send their defaults.
fn refuse_unsupported(fields: &Fields<'_, '_>) -> Result<(), ApiError> {
    const NAMES: [&str; 31] = [
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "response_format",
        "grammar",
        "regex",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "structured_outputs",
        "chat_template",
        "chat_template_kwargs",
        "documents",
        "prompt_embeds",
        "suffix",
        "echo",
        "audio",
        "modalities",
        "prediction",
        "web_search_options",
        "prompt_logprobs",
        "allowed_token_ids",
        "bad_words",
        "logits_processors",
        "truncate_prompt_tokens",
        "use_beam_search",
        "repetition_penalty",
        "continue_final_message",
        "include_stop_str_in_output",
    ];
    for name in NAMES {
        if fields.get(name).is_some_and(|value| !unused(name, value)) {
            return Err(ApiError::unsupported(name));
        }
    }
    Ok(())
}

/// Whether a field that is not supported has the value that asks for nothing.
fn unused(name: &str, value: &Json<'_>) -> bool {
    match (name, value) {
        (_, Json::Bool(false)) => true,
        (_, Json::Array(items)) if items.is_empty() => true,
        ("suffix", Json::String(text)) => text.is_empty(),
        ("tool_choice", Json::String(text)) => text == "none" || text == "auto",
        ("function_call", Json::String(text)) => text == "none",
        ("repetition_penalty", value) => number(value, &(1.0..=1.0)).is_some(),
        ("chat_template_kwargs", Json::Object(fields)) => fields.is_empty(),
        ("modalities", Json::Array(items)) => items
            .iter()
            .all(|item| matches!(item, Json::String(text) if text == "text")),
        ("response_format", Json::Object(fields)) => fields
            .iter()
            .any(|(key, value)| key == "type" && *value == Json::String("text".into())),
        _ => false,
    }
}

/// To generate as many as are returned is to choose nothing; old clients send that.
fn refuse_best_of(fields: &Fields<'_, '_>, n: u64) -> Result<(), ApiError> {
    match fields.get("best_of") {
        Some(value) if integer(value, &(n..=n)).is_none() => Err(ApiError::unsupported("best_of")),
        _ => Ok(()),
    }
}

fn tokens_max(
    fields: &Fields<'_, '_>,
    context: u64,
) -> Result<Option<(&'static str, usize)>, ApiError> {
    let newer = fields.integer("max_completion_tokens", 1..=context)?;
    let older = fields.integer("max_tokens", 1..=context)?;
    Ok(newer
        .map(|value| ("max_completion_tokens", size(value)))
        .or(older.map(|value| ("max_tokens", size(value)))))
}

fn top_p(fields: &Fields<'_, '_>) -> Result<f32, ApiError> {
    match fields.get("top_p") {
        None => Ok(1.0),
        Some(value) => number(value, &(0.0..=1.0))
            .filter(|&number| number > 0.0)
            .ok_or_else(|| fields.wrong("top_p", "a number above 0 and at most 1", value)),
    }
}

fn top_k(fields: &Fields<'_, '_>) -> Result<usize, ApiError> {
    match fields.get("top_k") {
        None | Some(Json::Number("-1")) => Ok(0),
        Some(value) => integer(value, &(0..=u64::from(u32::MAX)))
            .map(size)
            .ok_or_else(|| {
                let wanted = format!("a whole number from 1 to {}, or -1 to keep all", u32::MAX);
                fields.wrong("top_k", &wanted, value)
            }),
    }
}

fn stop(fields: &Fields<'_, '_>) -> Result<Vec<String>, ApiError> {
    let items = match fields.get("stop") {
        None => return Ok(Vec::new()),
        Some(text @ Json::String(_)) => std::slice::from_ref(text),
        Some(Json::Array(items)) if items.len() <= STOPS_MAX => items,
        Some(other) => {
            let wanted = format!("a string or a list of at most {STOPS_MAX} strings");
            return Err(fields.wrong("stop", &wanted, other));
        }
    };
    items
        .iter()
        .map(|item| match item {
            Json::String(text) if (1..=STOP_BYTES_MAX).contains(&text.len()) => {
                Ok(text.clone().into_owned())
            }
            other => {
                let wanted = format!("strings of 1 to {STOP_BYTES_MAX} bytes");
                Err(fields.wrong("stop", &wanted, other))
            }
        })
        .collect()
}

/// A list of ids of the vocabulary.
pub fn token_ids(
    param: &str,
    value: &Json<'_>,
    limits: &RequestLimits,
    count_max: usize,
) -> Result<Vec<u32>, ApiError> {
    let Json::Array(items) = value else {
        return Err(wrong(param, "a list of token ids", value));
    };
    if items.len() > count_max {
        return Err(wrong(
            param,
            &format!("a list of at most {count_max} token ids"),
            value,
        ));
    }
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            token_id(item, limits).ok_or_else(|| {
                let wanted = format!(
                    "a token id from 0 to {}",
                    limits.vocab_size.saturating_sub(1)
                );
                wrong(&format!("{param}[{index}]"), &wanted, item)
            })
        })
        .collect()
}

fn token_id(value: &Json<'_>, limits: &RequestLimits) -> Option<u32> {
    let last = limits.vocab_size.checked_sub(1)? as u64;
    integer(value, &(0..=last)).and_then(|id| u32::try_from(id).ok())
}

fn prompt(fields: &Fields<'_, '_>, limits: &RequestLimits) -> Result<Prompt, ApiError> {
    let empty = || ApiError::invalid("prompt", "`prompt` is empty; it needs at least one token");
    let value = fields.get("prompt").ok_or_else(|| {
        ApiError::invalid(
            "prompt",
            "the request has no `prompt`; send a string or token ids",
        )
    })?;
    // A list of one prompt is one prompt; more in one request are not taken.
    let value = match value {
        Json::Array(items) => match items.as_slice() {
            [] => return Err(empty()),
            [one @ (Json::String(_) | Json::Array(_))] => one,
            [Json::String(_) | Json::Array(_), ..] => {
                return Err(wrong(
                    "prompt",
                    "one prompt (send a request for each, they are batched)",
                    value,
                ));
            }
            _ => value,
        },
        other => other,
    };
    match value {
        Json::String(text) if text.is_empty() => Err(empty()),
        Json::String(text) => Ok(Prompt::Text(text.clone().into_owned())),
        Json::Array(items) if items.is_empty() => Err(empty()),
        Json::Array(_) => token_ids("prompt", value, limits, usize::MAX).map(Prompt::Tokens),
        other => Err(wrong("prompt", "a string or a list of token ids", other)),
    }
}

fn stream_usage(fields: &Fields<'_, '_>, stream: bool) -> Result<StreamUsage, ApiError> {
    let Some(options) = fields.object("stream_options", "stream_options.")? else {
        return Ok(StreamUsage::Absent);
    };
    let include = options.boolean("include_usage")?.unwrap_or(false);
    let continuous = options.boolean("continuous_usage_stats")?.unwrap_or(false);
    if !stream {
        return Err(ApiError::invalid(
            "stream_options",
            "`stream_options` is only for `stream` true; leave it out or set `stream`",
        ));
    }
    Ok(match (include, continuous) {
        (false, _) => StreamUsage::Absent,
        (true, false) => StreamUsage::Last,
        (true, true) => StreamUsage::Continuous,
    })
}

fn logprobs(fields: &Fields<'_, '_>, endpoint: Endpoint) -> Result<Option<usize>, ApiError> {
    match endpoint {
        Endpoint::Completions | Endpoint::Responses => {
            Ok(fields.integer("logprobs", 0..=TOP_LOGPROBS_MAX)?.map(size))
        }
        Endpoint::ChatCompletions => {
            let wanted = fields.boolean("logprobs")?.unwrap_or(false);
            let top = fields.integer("top_logprobs", 0..=TOP_LOGPROBS_MAX)?;
            match (wanted, top) {
                (false, Some(1..)) => Err(ApiError::invalid(
                    "top_logprobs",
                    "`top_logprobs` needs `logprobs` true",
                )),
                (false, _) => Ok(None),
                (true, top) => Ok(Some(size(top.unwrap_or(0)))),
            }
        }
    }
}

fn logit_bias(
    fields: &Fields<'_, '_>,
    limits: &RequestLimits,
) -> Result<Vec<(u32, f32)>, ApiError> {
    let entries = match fields.get("logit_bias") {
        None => return Ok(Vec::new()),
        Some(Json::Object(entries)) if entries.len() <= TOKENS_LISTED_MAX => entries,
        Some(other) => {
            let wanted = format!("an object with at most {TOKENS_LISTED_MAX} token ids");
            return Err(fields.wrong("logit_bias", &wanted, other));
        }
    };
    entries
        .iter()
        .map(|(key, value)| {
            let id = token_id(&Json::Number(key), limits).ok_or_else(|| {
                let last = limits.vocab_size.saturating_sub(1);
                let wanted = format!("an object whose keys are token ids from 0 to {last}");
                fields.wrong("logit_bias", &wanted, &Json::String(key.clone()))
            })?;
            let bias = number(value, &(-100.0..=100.0)).ok_or_else(|| {
                fields.wrong("logit_bias", "made of numbers from -100 to 100", value)
            })?;
            Ok((id, bias))
        })
        .collect()
}

#[cfg(test)]
#[path = "server_request/tests.rs"]
mod tests;
