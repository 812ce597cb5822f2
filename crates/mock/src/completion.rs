//! What a completion says.

use crate::circumstances::Circumstances;
use crate::config::nanos;
use crate::dice::Dice;
use crate::gaps::Gaps;
use crate::replay::RecordedTiming;
use crate::{Fault, MockConfig, RoleChunk};
use openai::{ChoiceBody, DONE, Endpoint, FrameStyle, RequestView};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A word that is one token to the usual tokenizers, so that a client that counts for itself
/// agrees.
const TOKEN: &str = " the";
/// Three bytes a character.
const WIDE_TOKEN: &str = "的";
/// What is called where the request offers no function.
const FUNCTION: &str = "get_weather";
/// What makes a call's arguments JSON: the first of its tokens, which comes with the name, and the last.
const ARGUMENTS: [&str; 2] = ["{\"text\":\"", "\"}"];
/// Added to the seed, so that who calls a function is not who draws something else.
const TOOL_CALLS: u64 = 0x746f_6f6c;

/// What is generated for one request: which tokens in which events, and when each is due.
///
/// Times are nanoseconds from the start of the request's service.
pub(crate) struct Completion<'a> {
    pub(crate) config: &'a MockConfig,
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) style: FrameStyle<'a>,
    /// Of the request: draws the sizes of [`Fault::Ragged`] events.
    sequence: u64,
    /// When the first token is due.
    first_at: u64,
    gaps: Gaps,
    pub(crate) stream: bool,
    pub(crate) choices: u32,
    /// Per choice.
    pub(crate) tokens: u32,
    pub(crate) prompt_tokens: u64,
    /// The function that the answer calls, where it is a call.
    function: Option<&'a str>,
    /// The request's own limit ends it.
    pub(crate) limited: bool,
    usage_chunk: bool,
}

/// Where an event stands among those of its choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventPlace {
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
}

impl EventPlace {
    /// Neither the first nor the last.
    pub(crate) const MIDDLE: Self = Self {
        is_first: false,
        is_last: false,
    };
    /// The only one.
    const WHOLE: Self = Self {
        is_first: true,
        is_last: true,
    };
}

impl<'a> Completion<'a> {
    pub(crate) fn new(
        config: &'a MockConfig,
        view: &'a RequestView,
        style: FrameStyle<'a>,
        fault: Option<&'a Fault>,
        circumstances: Circumstances,
    ) -> Self {
        let Circumstances {
            sequence, serving, ..
        } = circumstances;
        let replay = config.replay.as_ref();
        let recorded = replay.and_then(|replay| replay.of(sequence));
        let own = recorded.map_or(config.tokens, RecordedTiming::tokens);
        let limit = view.max_tokens.filter(|&limit| limit <= u64::from(own));
        let tokens = limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(own);
        let mut dice = Dice::new(config.seed, sequence);
        let prefill = nanos(config.prefill).saturating_mul(view.prompt_words);
        let ttft = match recorded {
            Some(recorded) => recorded.ttft,
            None => dice.span(config.ttft),
        };
        let sums = recorded.map(|recorded| &recorded.sums[..]);
        Self {
            config,
            fault,
            style,
            sequence,
            first_at: ttft.saturating_add(prefill),
            gaps: Gaps::of(config, sums, tokens, serving, &mut dice),
            stream: view.stream,
            choices: view.n.saturating_mul(view.prompts),
            tokens,
            prompt_tokens: view.prompt_words,
            function: calls(config, view, style.endpoint, sequence)
                .then(|| view.tool.as_deref().unwrap_or(FUNCTION)),
            limited: limit.is_some(),
            usage_chunk: config.usage && view.include_usage,
        }
    }

    /// When token `index` of each choice is due.
    pub(crate) fn token_at(&self, index: u32) -> u64 {
        self.first_at.saturating_add(self.gaps.before(index))
    }

    /// The span between tokens, where it is always the same.
    pub(crate) fn even_gap(&self) -> Option<u64> {
        match self.gaps {
            Gaps::Even(gap) => Some(gap),
            Gaps::Sums(_) => None,
        }
    }

    /// When the role chunk is due; none where there is none.
    pub(crate) fn role_at(&self) -> Option<u64> {
        match (self.style.endpoint, self.config.role_chunk) {
            (Endpoint::Completions, _) | (_, RoleChunk::None) => None,
            (Endpoint::ChatCompletions | Endpoint::Responses, RoleChunk::Early) => Some(0),
            (Endpoint::ChatCompletions | Endpoint::Responses, RoleChunk::WithFirstToken) => {
                Some(self.token_at(0))
            }
        }
    }

    /// Tokens of each event of a choice, in order; they add up to `tokens`.
    pub(crate) fn event_sizes(&self) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.sequence);
        let mut sizes = Vec::new();
        let mut left = self.tokens;
        while left > 0 {
            let size = match self.fault {
                Some(Fault::Ragged(most)) => random.random_range(1..=*most),
                _ => self.config.tokens_per_event,
            };
            sizes.push(size.min(left));
            left -= size.min(left);
        }
        sizes
    }

    pub(crate) fn text(&self, tokens: u32) -> String {
        let token = match self.fault {
            Some(Fault::Utf8Split) => WIDE_TOKEN,
            _ => TOKEN,
        };
        token.repeat(tokens as usize)
    }

    /// The frames that open the choices.
    pub(crate) fn role_frames(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.choices).map(|choice| self.style.role(choice))
    }

    /// One event of `tokens` tokens for each choice.
    pub(crate) fn event_frames(
        &self,
        tokens: u32,
        place: EventPlace,
    ) -> impl Iterator<Item = Vec<u8>> {
        let text = match self.function {
            None => self.text(tokens),
            Some(_) => self.arguments(tokens, place),
        };
        (0..self.choices).map(move |choice| match self.function {
            None => self.style.content(choice, &text),
            Some(function) if place.is_first => {
                let id = call_id(self.sequence, choice);
                self.style.tool_call(choice, &id, function, &text)
            }
            Some(_) => self.style.arguments(choice, &text),
        })
    }

    /// Whether the first and the last event differ from the others.
    pub(crate) fn is_call(&self) -> bool {
        self.function.is_some()
    }

    /// The piece of a call's arguments that an event of `tokens` tokens has.
    fn arguments(&self, tokens: u32, place: EventPlace) -> String {
        let (first, last) = (place.is_first, place.is_last);
        let within = tokens.saturating_sub(u32::from(first) + u32::from(last));
        let text = self.text(within);
        match (first, last) {
            (true, true) => [ARGUMENTS[0], &text, ARGUMENTS[1]].concat(),
            (true, false) => [ARGUMENTS[0], &text].concat(),
            (false, true) => [&text, ARGUMENTS[1]].concat(),
            (false, false) => text,
        }
    }

    /// What follows the last token: the choices' ends, usage where asked for, `[DONE]`.
    pub(crate) fn closing_frames(&self) -> impl Iterator<Item = Vec<u8>> {
        let reason = self.finish_reason();
        let ends = (0..self.choices).map(move |choice| self.style.finish(choice, reason));
        let tokens = (self.prompt_tokens, self.completion_tokens());
        let is_response = self.style.endpoint == Endpoint::Responses;
        let usage =
            (self.usage_chunk && !is_response).then(|| self.style.usage(tokens.0, tokens.1));
        let last = if is_response {
            self.style
                .completed(&self.text(self.tokens), reason, tokens)
        } else {
            DONE.to_vec()
        };
        ends.chain(usage).chain([last])
    }

    /// The body of a response that is not a stream.
    pub(crate) fn body(&self) -> Vec<u8> {
        let ids: Vec<String>;
        let text = match self.function {
            None => self.text(self.tokens),
            Some(_) => self.arguments(self.tokens, EventPlace::WHOLE),
        };
        let choices: Vec<ChoiceBody<'_>> = match self.function {
            None => vec![ChoiceBody::Text(&text); self.choices as usize],
            Some(function) => {
                let choices = 0..self.choices;
                ids = choices
                    .map(|choice| call_id(self.sequence, choice))
                    .collect();
                let call = |id| ChoiceBody::ToolCall {
                    id,
                    function,
                    arguments: &text,
                };
                ids.iter().map(|id| call(id)).collect()
            }
        };
        openai::completion_body(
            &self.style,
            &choices,
            self.finish_reason(),
            self.prompt_tokens,
            self.completion_tokens(),
        )
    }

    fn finish_reason(&self) -> &'static str {
        match (self.function, self.limited) {
            (Some(_), _) => "tool_calls",
            (None, true) => "length",
            (None, false) => "stop",
        }
    }

    fn completion_tokens(&self) -> u64 {
        u64::from(self.tokens) * u64::from(self.choices)
    }
}

/// Whether the answer is a call of a function.
fn calls(config: &MockConfig, view: &RequestView, endpoint: Endpoint, sequence: u64) -> bool {
    config.tool_calls > 0.0
        && endpoint == Endpoint::ChatCompletions
        && !view.tools_forbidden
        && Dice::new(config.seed.wrapping_add(TOOL_CALLS), sequence).part() < config.tool_calls
}

fn call_id(sequence: u64, choice: u32) -> String {
    format!("call_{sequence}_{choice}")
}
