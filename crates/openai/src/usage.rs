//! Token counts as a server gives them.

use crate::left_out::{LeftOuts, Path};
use crate::message::count_of;
use crate::value::Value;

/// Token counts as the server gives them, flattened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// `prompt_tokens`; of `/responses` `input_tokens`, and so on.
    pub prompt_tokens: Option<u64>,
    /// `completion_tokens`, which contains the reasoning tokens.
    pub completion_tokens: Option<u64>,
    /// `prompt_tokens_details.cached_tokens`, or what other servers call it.
    pub cached_tokens: Option<u64>,
    /// `completion_tokens_details.reasoning_tokens`.
    pub reasoning_tokens: Option<u64>,
    /// `total_tokens`.
    pub total_tokens: Option<u64>,
}

/// Under which names the counts came.
#[derive(Default)]
struct Wire {
    prompt: Option<u64>,
    input: Option<u64>,
    completion: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    /// Within the details of the prompt.
    cached_in_details: Option<u64>,
    /// Anthropic's, which its `input_tokens` do not contain.
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    /// `DeepSeek`'s, Moonshot's.
    cached: Option<u64>,
    reasoning_in_details: Option<u64>,
    reasoning: Option<u64>,
}

impl Usage {
    /// Reads what an object counts. A field that is no count is left out.
    pub(crate) fn read(value: &Value<'_, '_>, path: &Path<'_>, odd: &mut LeftOuts) -> Self {
        if !value.is_object() {
            odd.note(path, value);
        }
        let mut wire = Wire::default();
        for (name, value) in value.fields() {
            let place = match &*name {
                "prompt_tokens" => &mut wire.prompt,
                "completion_tokens" => &mut wire.completion,
                "total_tokens" => &mut wire.total,
                "input_tokens" => &mut wire.input,
                "output_tokens" => &mut wire.output,
                "prompt_cache_hit_tokens" | "cached_tokens" => &mut wire.cached,
                "cache_read_input_tokens" => &mut wire.cache_read,
                "cache_creation_input_tokens" => &mut wire.cache_creation,
                "reasoning_tokens" => &mut wire.reasoning,
                "prompt_tokens_details" | "input_tokens_details" => {
                    let cached = detail(&value, "cached_tokens", &path.field(&name), odd);
                    wire.cached_in_details = better(cached, wire.cached_in_details);
                    continue;
                }
                "completion_tokens_details" | "output_tokens_details" => {
                    let thought = detail(&value, "reasoning_tokens", &path.field(&name), odd);
                    wire.reasoning_in_details = better(thought, wire.reasoning_in_details);
                    continue;
                }
                _ => continue,
            };
            *place = count_of(&value, &path.field(&name), odd);
        }
        wire.into()
    }

    /// llama.cpp's own counts, which it sends beside `usage` or in its place.
    pub(crate) fn of_timings(timings: &Value<'_, '_>) -> Self {
        let count = |name: &str| timings.get(name).and_then(|value| value.count());
        let cached = count("cache_n");
        Self {
            prompt_tokens: count("prompt_n").map(|new| new + cached.unwrap_or(0)),
            completion_tokens: count("predicted_n"),
            cached_tokens: cached,
            ..Self::default()
        }
    }

    /// Whether it counts anything, be it 0.
    pub(crate) fn is_told(&self) -> bool {
        *self != Self::default()
    }

    /// Whether it counts more than zeros.
    pub(crate) fn counts_something(&self) -> bool {
        let counts = [
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.reasoning_tokens,
            self.total_tokens,
        ];
        counts.into_iter().flatten().any(|count| count > 0)
    }

    /// What it says, and where it says nothing or 0, what the other does.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            prompt_tokens: better(self.prompt_tokens, other.prompt_tokens),
            completion_tokens: better(self.completion_tokens, other.completion_tokens),
            cached_tokens: better(self.cached_tokens, other.cached_tokens),
            reasoning_tokens: better(self.reasoning_tokens, other.reasoning_tokens),
            total_tokens: better(self.total_tokens, other.total_tokens),
        }
    }
}

/// The first unless it is absent or 0, else the second unless that is absent.
fn better(first: Option<u64>, second: Option<u64>) -> Option<u64> {
    first.filter(|&count| count > 0).or(second).or(first)
}

fn detail(value: &Value<'_, '_>, name: &str, path: &Path<'_>, odd: &mut LeftOuts) -> Option<u64> {
    if !value.is_object() {
        odd.note(path, value);
    }
    count_of(&value.get(name)?, &path.field(name), odd)
}

impl From<Wire> for Usage {
    fn from(wire: Wire) -> Self {
        let in_details = wire.cached_in_details;
        // Without a count in OpenAI's way, `input_tokens` beside Anthropic's counts are those that
        // came from no cache.
        let uncached = wire.prompt.is_none() && in_details.is_none() && wire.cache_read.is_some();
        let more = if uncached {
            wire.cache_read.unwrap_or(0) + wire.cache_creation.unwrap_or(0)
        } else {
            0
        };
        let input = wire.input.map(|input| input + more);
        Self {
            prompt_tokens: better(wire.prompt, input),
            completion_tokens: better(wire.completion, wire.output),
            cached_tokens: better(in_details, better(wire.cached, wire.cache_read)),
            reasoning_tokens: better(wire.reasoning_in_details, wire.reasoning),
            total_tokens: wire.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LeftOuts, Path, Usage};
    use crate::tape::Tape;
    use crate::value::Document;

    fn read(json: &str) -> (Usage, Vec<String>) {
        let (mut tape, mut odd) = (Tape::default(), LeftOuts::default());
        let document = Document::read(&mut tape, json).unwrap();
        let value = document.root();
        let usage = Usage::read(&value, &Path::of("usage"), &mut odd);
        let left_out = odd.finish().into_iter();
        let words = left_out.map(|left_out| format!("{} {}", left_out.field, left_out.value));
        (usage, words.collect())
    }

    fn usage(prompt: u64, completion: u64) -> Usage {
        Usage {
            prompt_tokens: Some(prompt),
            completion_tokens: Some(completion),
            ..Usage::default()
        }
    }

    #[test]
    fn details_are_flattened() {
        let json = r#"{"prompt_tokens":7,"total_tokens":12,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":4},
            "completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":null}}"#;
        let expected = Usage {
            cached_tokens: Some(4),
            reasoning_tokens: Some(2),
            total_tokens: Some(12),
            ..usage(7, 5)
        };
        assert_eq!(read(json), (expected, Vec::new()));
    }

    #[test]
    fn what_came_from_a_cache_is_read_under_every_name() {
        for more in [
            r#""prompt_tokens_details":{"cached_tokens":80}"#,
            r#""prompt_cache_hit_tokens":80,"prompt_cache_miss_tokens":20"#,
            r#""cached_tokens":80"#,
            r#""cache_read_input_tokens":80"#,
            r#""prompt_tokens_details":{"cached_tokens":0},"prompt_cache_hit_tokens":80"#,
            r#""prompt_tokens_details":null,"cached_tokens":80.0"#,
        ] {
            let (read, _) = read(&format!(r#"{{"prompt_tokens":100,{more}}}"#));
            assert_eq!(
                (read.prompt_tokens, read.cached_tokens),
                (Some(100), Some(80)),
                "{more}"
            );
        }
    }

    #[test]
    fn input_tokens_beside_a_cache_read_are_what_came_from_no_cache() {
        let json =
            r#"{"input_tokens":20,"cache_read_input_tokens":70,"cache_creation_input_tokens":10}"#;
        assert_eq!(read(json).0.prompt_tokens, Some(100));
        let json = r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":70}}"#;
        assert_eq!(read(json).0.prompt_tokens, Some(100));
    }

    #[test]
    fn a_field_that_is_no_count_is_left_out_and_the_others_are_kept() {
        for (odd, shown) in [
            ("-1", "-1"),
            ("2.5", "2.5"),
            ("\"many\"", "\"many\""),
            ("true", "true"),
            ("1e999", "1e999"),
            ("{\"n\":1}", "{\"n\":1}"),
        ] {
            let json =
                format!(r#"{{"prompt_tokens":{odd},"completion_tokens":7.0,"total_tokens":null}}"#);
            let expected = Usage {
                prompt_tokens: None,
                ..usage(0, 7)
            };
            assert_eq!(
                read(&json),
                (expected, vec![format!("usage.prompt_tokens {shown}")])
            );
        }
        let (none, words) = read(r#"[{"prompt_tokens":7}]"#);
        assert!(!none.is_told());
        assert_eq!(words, [r#"usage [{"prompt_tokens":7}]"#]);
    }

    #[test]
    fn a_name_with_a_count_wins_over_one_with_none() {
        let json =
            r#"{"prompt_tokens":0,"input_tokens":9,"completion_tokens":"?","output_tokens":3}"#;
        assert_eq!(read(json).0, usage(9, 3));
    }
}
