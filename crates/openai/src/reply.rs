//! What a server answers: frames of a stream and whole bodies, written without an intermediate tree.

use crate::Endpoint;
use crate::json::push_json;
use std::borrow::Cow;

/// Token counts of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Of the prompt.
    pub prompt: usize,
    /// Generated, in all choices.
    pub completion: usize,
    /// Of the prompt's, those that came from the prefix cache, where that is known.
    pub cached: Option<usize>,
}

/// The log-probability of a token, natural logarithm.
#[derive(Clone, Debug, PartialEq)]
pub struct LogprobEntry<'a> {
    /// What the token adds to the text.
    pub bytes: &'a [u8],
    /// Its log-probability.
    pub logprob: f32,
    /// The most probable tokens in its place.
    pub top: Vec<(&'a [u8], f32)>,
}

/// The next piece of a choice, or all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece<'a> {
    /// Which choice.
    pub choice: usize,
    /// Its text.
    pub text: &'a str,
    /// The tokens it is made of, where their log-probabilities are wanted.
    pub logprobs: Option<Vec<LogprobEntry<'a>>>,
    /// Characters of the choice's text before this piece.
    pub text_offset: usize,
    /// Why the choice ended, where it did.
    pub finish_reason: Option<&'a str>,
}

/// Writes one response. What all its frames have in common is rendered once.
#[derive(Clone, Debug)]
pub struct ReplyWriter {
    endpoint: Endpoint,
    /// `{"id":…,"object":`
    id: Vec<u8>,
    /// `,"created":…,"model":…,"choices":[`
    head: Vec<u8>,
}

impl ReplyWriter {
    /// For a response with this `id`, of this `model`, at a Unix time in seconds. It speaks as chats and
    /// completions do; `/responses` is written by [`crate::FrameStyle`].
    pub fn new(endpoint: Endpoint, id: &str, model: &str, created: u64) -> Self {
        let mut start = br#"{"id":"#.to_vec();
        push_json(&mut start, id);
        start.extend_from_slice(br#","object":"#);
        let mut head = br#","created":"#.to_vec();
        push_json(&mut head, &created);
        head.extend_from_slice(br#","model":"#);
        push_json(&mut head, model);
        head.extend_from_slice(br#","choices":["#);
        ReplyWriter {
            endpoint,
            id: start,
            head,
        }
    }

    /// Appends a frame. `role` is set in the first frame of a chat's choice; `usage` where token
    /// counts are wanted in every chunk.
    pub fn frame(
        &self,
        out: &mut Vec<u8>,
        piece: &Piece<'_>,
        role: bool,
        usage: Option<&TokenCounts>,
    ) {
        self.frame_head(out);
        out.extend_from_slice(br#"{"index":"#);
        push_json(out, &piece.choice);
        match self.endpoint {
            Endpoint::ChatCompletions => {
                out.extend_from_slice(if role {
                    br#","delta":{"role":"assistant","content":"#
                } else {
                    br#","delta":{"content":"#
                });
                push_json(out, piece.text);
                out.push(b'}');
            }
            Endpoint::Completions | Endpoint::Responses => {
                out.extend_from_slice(br#","text":"#);
                push_json(out, piece.text);
            }
        }
        self.ending(out, piece);
        out.push(b']');
        if let Some(counts) = usage {
            out.push(b',');
            push_counts(out, counts);
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Appends the frame after the last choice, which has token counts and no choice.
    pub fn usage_frame(&self, out: &mut Vec<u8>, counts: &TokenCounts) {
        self.frame_head(out);
        out.extend_from_slice(b"],");
        push_counts(out, counts);
        out.extend_from_slice(b"}\n\n");
    }

    /// The body of a response that is not a stream.
    pub fn body(&self, choices: &[Piece<'_>], counts: &TokenCounts) -> Vec<u8> {
        let text_bytes: usize = choices.iter().map(|choice| choice.text.len() + 128).sum();
        let mut out = Vec::with_capacity(self.id.len() + self.head.len() + text_bytes + 256);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(match self.endpoint {
            Endpoint::ChatCompletions => br#""chat.completion""#,
            Endpoint::Completions | Endpoint::Responses => br#""text_completion""#,
        });
        out.extend_from_slice(&self.head);
        for (index, choice) in choices.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(br#"{"index":"#);
            push_json(&mut out, &choice.choice);
            match self.endpoint {
                Endpoint::ChatCompletions => {
                    out.extend_from_slice(br#","message":{"role":"assistant","content":"#);
                    push_json(&mut out, choice.text);
                    out.extend_from_slice(br#","refusal":null}"#);
                }
                Endpoint::Completions | Endpoint::Responses => {
                    out.extend_from_slice(br#","text":"#);
                    push_json(&mut out, choice.text);
                }
            }
            self.ending(&mut out, choice);
        }
        out.extend_from_slice(b"],");
        push_counts(&mut out, counts);
        out.push(b'}');
        out
    }

    fn frame_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.id);
        out.extend_from_slice(match self.endpoint {
            Endpoint::ChatCompletions => br#""chat.completion.chunk""#,
            Endpoint::Completions | Endpoint::Responses => br#""text_completion""#,
        });
        out.extend_from_slice(&self.head);
    }

    fn ending(&self, out: &mut Vec<u8>, piece: &Piece<'_>) {
        out.extend_from_slice(br#","logprobs":"#);
        match (&piece.logprobs, self.endpoint) {
            (None, _) => out.extend_from_slice(b"null"),
            (Some(entries), Endpoint::ChatCompletions) => push_chat_logprobs(out, entries),
            (Some(entries), Endpoint::Completions | Endpoint::Responses) => {
                push_text_logprobs(out, entries, piece.text_offset);
            }
        }
        out.extend_from_slice(br#","finish_reason":"#);
        push_json(out, &piece.finish_reason);
        out.push(b'}');
    }
}

/// JSON has no infinity: a token that cannot come is as improbable as vLLM says it.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() {
        logprob
    } else {
        -9999.0
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn push_chat_logprobs(out: &mut Vec<u8>, entries: &[LogprobEntry<'_>]) {
    fn token(out: &mut Vec<u8>, bytes: &[u8], logprob: f32) {
        out.extend_from_slice(br#"{"token":"#);
        push_json(out, &lossy(bytes));
        out.extend_from_slice(br#","logprob":"#);
        push_json(out, &finite(logprob));
        out.extend_from_slice(br#","bytes":"#);
        push_json(out, bytes);
    }
    out.extend_from_slice(br#"{"content":["#);
    separated(out, entries, |out, entry| {
        token(out, entry.bytes, entry.logprob);
        out.extend_from_slice(br#","top_logprobs":["#);
        separated(out, &entry.top, |out, (bytes, logprob)| {
            token(out, bytes, *logprob);
            out.push(b'}');
        });
        out.extend_from_slice(b"]}");
    });
    out.extend_from_slice(br#"],"refusal":null}"#);
}

fn push_text_logprobs(out: &mut Vec<u8>, entries: &[LogprobEntry<'_>], text_offset: usize) {
    out.extend_from_slice(br#"{"tokens":["#);
    separated(out, entries, |out, entry| {
        push_json(out, &lossy(entry.bytes));
    });
    out.extend_from_slice(br#"],"token_logprobs":["#);
    separated(out, entries, |out, entry| {
        push_json(out, &finite(entry.logprob));
    });
    out.extend_from_slice(br#"],"top_logprobs":["#);
    separated(out, entries, |out, entry| {
        // Two tokens may look the same where bytes are no whole characters; the likelier one counts.
        let mut seen: Vec<Cow<'_, str>> = Vec::with_capacity(entry.top.len());
        out.push(b'{');
        for (bytes, logprob) in &entry.top {
            let text = lossy(bytes);
            if seen.contains(&text) {
                continue;
            }
            if !seen.is_empty() {
                out.push(b',');
            }
            push_json(out, &text);
            out.push(b':');
            push_json(out, &finite(*logprob));
            seen.push(text);
        }
        out.push(b'}');
    });
    out.extend_from_slice(br#"],"text_offset":["#);
    let mut offset = text_offset;
    separated(out, entries, |out, entry| {
        push_json(out, &offset);
        offset += lossy(entry.bytes).chars().count();
    });
    out.extend_from_slice(b"]}");
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

fn push_counts(out: &mut Vec<u8>, counts: &TokenCounts) {
    out.extend_from_slice(br#""usage":{"prompt_tokens":"#);
    push_json(out, &counts.prompt);
    out.extend_from_slice(br#","total_tokens":"#);
    push_json(out, &counts.prompt.saturating_add(counts.completion));
    out.extend_from_slice(br#","completion_tokens":"#);
    push_json(out, &counts.completion);
    if let Some(cached) = counts.cached {
        out.extend_from_slice(br#","prompt_tokens_details":{"cached_tokens":"#);
        push_json(out, &cached);
        out.push(b'}');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::{LogprobEntry, Piece, ReplyWriter, TokenCounts};
    use crate::{Completion, Endpoint, StreamDecoder};

    const COUNTS: TokenCounts = TokenCounts {
        prompt: 7,
        completion: 3,
        cached: Some(4),
    };

    fn writer(endpoint: Endpoint) -> ReplyWriter {
        ReplyWriter::new(endpoint, "id-1", "m\"1", 5)
    }

    fn piece() -> Piece<'static> {
        Piece {
            choice: 1,
            text: "a \"b\"\n",
            logprobs: Some(vec![LogprobEntry {
                bytes: b"a",
                logprob: -0.5,
                top: vec![(b"a", -0.5), (b"\xff", f32::NEG_INFINITY), (b"\xfe", -9.0)],
            }]),
            text_offset: 10,
            finish_reason: None,
        }
    }

    #[test]
    fn replies_have_the_shape_of_openai() {
        let mut out = Vec::new();
        let end = Piece {
            finish_reason: Some("stop"),
            ..Piece::default()
        };
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
            let writer = writer(endpoint);
            writer.frame(&mut out, &piece(), true, None);
            writer.frame(&mut out, &end, false, Some(&COUNTS));
            writer.usage_frame(&mut out, &COUNTS);
            out.extend(writer.body(&[end.clone(), piece()], &COUNTS));
            out.extend_from_slice(b"\n\n");
        }
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn our_own_client_reads_them() {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
            let writer = writer(endpoint);
            let mut out = Vec::new();
            writer.frame(&mut out, &piece(), true, Some(&COUNTS));
            let mut decoder = StreamDecoder::new(1);
            decoder.push(&out, ()).unwrap();
            let end = decoder.finish();
            let event = end.events[0];
            assert_eq!(event.choice, 1);
            assert_eq!(event.text_bytes as usize, piece().text.len());
            assert_eq!(end.usage.unwrap().cached_tokens, Some(4));
            let body = writer.body(&[piece()], &COUNTS);
            assert!(Completion::parse(&body).is_ok());
        }
    }
}
