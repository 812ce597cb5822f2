//! The fields of a chunk, or of a whole body, wherever they stand in it.

use crate::Usage;
use crate::error_words::message_of;
use crate::left_out::{LeftOuts, Path};
use crate::usage_so_far::{UsagePlace, UsageSoFar};
use crate::value::Value;
use std::borrow::Cow;

/// One chunk of a stream, of chat or of completions, an event of `/responses`, or a body that is no stream.
/// Fields that are absent, null, unknown or of another kind are no error: servers differ in them.
#[derive(Debug, Default)]
pub(crate) struct Chunk<'t, 'a> {
    pub(crate) choices: Option<Value<'t, 'a>>,
    pub(crate) model: Option<Value<'t, 'a>>,
    pub(crate) object: Cow<'a, str>,
    /// `type`, of an event of `/responses`.
    pub(crate) event_type: Cow<'a, str>,
    pub(crate) delta: Option<Value<'t, 'a>>,
    pub(crate) item: Option<Value<'t, 'a>>,
    pub(crate) response: Option<Value<'t, 'a>>,
    pub(crate) output: Option<Value<'t, 'a>>,
    pub(crate) status: Option<Value<'t, 'a>>,
    pub(crate) incomplete_details: Option<Value<'t, 'a>>,
    pub(crate) usage: Option<Value<'t, 'a>>,
    /// `usage` of something else in it.
    usage_within: Option<Value<'t, 'a>>,
    /// llama.cpp's.
    timings: Option<Value<'t, 'a>>,
    /// Ollama's.
    eval_counts: Usage,
    error: Option<Value<'t, 'a>>,
    message: Option<Value<'t, 'a>>,
}

impl<'t, 'a> Chunk<'t, 'a> {
    /// Finds the fields of an object; of anything else there are none.
    pub(crate) fn of(root: &Value<'t, 'a>) -> Self {
        let mut chunk = Self::default();
        for (name, value) in root.fields() {
            let place = match &*name {
                "choices" => &mut chunk.choices,
                "model" => &mut chunk.model,
                "delta" => &mut chunk.delta,
                "item" => &mut chunk.item,
                "response" => &mut chunk.response,
                "output" => &mut chunk.output,
                "status" => &mut chunk.status,
                "incomplete_details" => &mut chunk.incomplete_details,
                "usage" => &mut chunk.usage,
                "timings" => &mut chunk.timings,
                "error" => &mut chunk.error,
                "object" => {
                    chunk.object = value.string().unwrap_or_default();
                    continue;
                }
                "type" => {
                    chunk.event_type = value.string().unwrap_or_default();
                    continue;
                }
                "prompt_eval_count" => {
                    chunk.eval_counts.prompt_tokens = value.count();
                    continue;
                }
                "eval_count" => {
                    chunk.eval_counts.completion_tokens = value.count();
                    continue;
                }
                _ => {
                    if value.is_object() {
                        chunk.note_within(&name, value);
                    } else if name == "message" {
                        chunk.message = Some(value);
                    }
                    continue;
                }
            };
            *place = Some(value);
        }
        chunk
    }

    /// Something else that it holds, which may have counts.
    fn note_within(&mut self, name: &str, value: Value<'t, 'a>) {
        if let Some(usage) = value.get("usage").filter(Value::is_object) {
            self.usage_within = Some(usage);
        }
        if name == "message" {
            self.message = Some(value);
        }
    }

    /// The server's message where this is an error in place of an answer: an `error` that says something, or
    /// `"object": "error"` or `"type": "error"` with the message beside it. An error counts, whatever else came
    /// with it.
    pub(crate) fn server_error(&self) -> Option<String> {
        if let Some(error) = self.error.filter(|error| !error.says_nothing()) {
            return Some(message_of(&error));
        }
        let named = self.object == "error" || self.event_type == "error";
        let message = |message: Value<'_, '_>| message_of(&message);
        named.then(|| self.message.map(message).unwrap_or_default())
    }

    /// Its choices, with the place of each.
    pub(crate) fn choices(
        &self,
        odd: &mut LeftOuts,
    ) -> impl Iterator<Item = (usize, Value<'t, 'a>)> + use<'t, 'a> {
        if let Some(choices) = self
            .choices
            .filter(|choices| !choices.is_list() && !choices.is_object())
        {
            odd.note(&Path::of("choices"), &choices);
        }
        self.choices
            .into_iter()
            .flat_map(|choices| choices.items_or_itself())
            .enumerate()
    }

    /// Whether it counts tokens anywhere, be it nothing.
    pub(crate) fn has_usage(&self) -> bool {
        let usual = self.usage.is_some_and(|usage| !usage.is_null());
        let native = self.timings.is_some() || self.eval_counts.is_told();
        usual || native || self.usage_within.is_some()
    }

    /// Adds what it counts to what was counted before, but for what its choices count themselves. Gives the
    /// tokens that were generated so far, by its own count.
    pub(crate) fn add_usage(&self, so_far: &mut UsageSoFar, odd: &mut LeftOuts) -> Option<u64> {
        let mut counted = Usage::default();
        let path = Path::of("usage");
        for (place, value) in [
            (UsagePlace::Usage, self.usage),
            (UsagePlace::Within, self.usage_within),
        ] {
            let Some(value) = value else { continue };
            let usage = Usage::read(&value, &path, odd);
            so_far.add(place, usage, value.raw());
            counted = counted.or(usage);
        }
        if let Some(timings) = self.timings {
            so_far.add(
                UsagePlace::Native,
                Usage::of_timings(&timings),
                timings.raw(),
            );
        }
        if self.eval_counts.is_told() {
            let counts = [
                ("prompt_eval_count", self.eval_counts.prompt_tokens),
                ("eval_count", self.eval_counts.completion_tokens),
            ];
            let told = counts
                .iter()
                .filter_map(|(name, count)| Some(format!("\"{name}\":{}", (*count)?)));
            let json = format!("{{{}}}", told.collect::<Vec<_>>().join(","));
            so_far.add(UsagePlace::Native, self.eval_counts, &json);
        }
        counted.completion_tokens
    }
}
