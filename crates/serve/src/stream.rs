//! A streamed answer.

use crate::answer::{Answer, Cut, Delta};
use crate::codec::TextCodec;
use engine::{TokenLogprob, TokenLogprobs};
use openai::{DONE, LogprobEntry, Piece, ReplyWriter, StreamUsage, TokenCounts};
use std::sync::Arc;

/// What has come of an answer so far.
pub(crate) struct Progress {
    answer: Answer,
    codec: Arc<TextCodec>,
    counts: TokenCounts,
    logprobs: bool,
    choices: Vec<State>,
    deltas: Vec<Delta>,
}

/// What has come of one choice.
#[derive(Clone, Default)]
struct State {
    /// Its first frame went out.
    begun: bool,
    finish: Option<&'static str>,
    /// Characters of text so far.
    characters: usize,
}

/// What the answer did.
enum Received {
    /// There are new deltas.
    Some,
    /// All choices have ended.
    End,
    /// It ended before.
    Cut,
}

impl Progress {
    pub(crate) fn new(
        answer: Answer,
        codec: Arc<TextCodec>,
        prompt_tokens: usize,
        n: usize,
        logprobs: bool,
    ) -> Self {
        Progress {
            answer,
            codec,
            counts: TokenCounts {
                prompt: prompt_tokens,
                completion: 0,
                cached: None,
            },
            logprobs,
            choices: vec![State::default(); n],
            deltas: Vec::new(),
        }
    }

    /// Waits for what comes next.
    async fn receive(&mut self) -> Received {
        if self.choices.iter().all(|choice| choice.finish.is_some()) {
            return Received::End;
        }
        match self.answer.receive(&mut self.deltas).await {
            0 => Received::Cut,
            _ => Received::Some,
        }
    }

    /// Gives each new delta to `write`, with the counts that it brings.
    fn each(&mut self, mut write: impl FnMut(&Delta, &mut State, &TokenCounts, &TextCodec)) {
        for delta in self.deltas.drain(..) {
            self.counts.completion += delta.tokens;
            if let Some(finish) = delta.finish {
                self.counts.cached = self.counts.cached.or(finish.cached_tokens);
            }
            let state = &mut self.choices[delta.choice];
            write(&delta, state, &self.counts, &self.codec);
            state.characters += delta.text.chars().count();
            if let Some(finish) = delta.finish {
                state.finish = Some(finish.reason);
            }
        }
    }
}

/// A streamed answer: frames, as they come.
pub(crate) struct TokenStream {
    progress: Progress,
    writer: ReplyWriter,
    usage: StreamUsage,
}

impl TokenStream {
    pub(crate) fn new(progress: Progress, writer: ReplyWriter, usage: StreamUsage) -> Self {
        TokenStream {
            progress,
            writer,
            usage,
        }
    }

    /// Waits for what the next step brings and appends its frames: all that there are go out in one
    /// write. False after the last ones. Nothing is lost where the wait is given up.
    pub(crate) async fn next(&mut self, out: &mut Vec<u8>) -> bool {
        match self.progress.receive().await {
            Received::Some => {
                self.frames(out);
                true
            }
            Received::End => {
                if self.usage != StreamUsage::Absent {
                    self.writer.usage_frame(out, &self.progress.counts);
                }
                out.extend_from_slice(DONE);
                false
            }
            Received::Cut => {
                out.extend(self.progress.answer.cut().error().frame());
                false
            }
        }
    }

    /// A frame for each piece of text, and one for an end.
    fn frames(&mut self, out: &mut Vec<u8>) {
        let (writer, logprobs) = (&self.writer, self.progress.logprobs);
        let continuous = self.usage == StreamUsage::Continuous;
        self.progress.each(|delta, state, counts, codec| {
            let usage = continuous.then_some(counts);
            let entries = logprobs.then(|| entries(&delta.logprobs, codec));
            let mut piece = Piece {
                choice: delta.choice,
                text: &delta.text,
                logprobs: entries,
                text_offset: state.characters,
                finish_reason: None,
            };
            if !delta.text.is_empty() {
                writer.frame(out, &piece, !state.begun, usage);
                state.begun = true;
                piece.logprobs = None;
            }
            if let Some(finish) = delta.finish {
                piece.text = "";
                piece.finish_reason = Some(finish.reason);
                // Log-probabilities of tokens without text, a stop token's as a rule.
                piece.logprobs = piece.logprobs.filter(|entries| !entries.is_empty());
                writer.frame(out, &piece, !state.begun, usage);
                state.begun = true;
            }
        });
    }
}

/// Waits for the whole answer, and renders it; else why it was cut.
pub(crate) async fn whole(mut progress: Progress, writer: &ReplyWriter) -> Result<Vec<u8>, Cut> {
    let mut texts = vec![String::new(); progress.choices.len()];
    let mut logprobs: Vec<Vec<TokenLogprobs>> = vec![Vec::new(); texts.len()];
    loop {
        match progress.receive().await {
            Received::Some => progress.each(|delta, _, _, _| {
                texts[delta.choice].push_str(&delta.text);
                logprobs[delta.choice].extend_from_slice(&delta.logprobs);
            }),
            Received::End => break,
            Received::Cut => return Err(progress.answer.cut()),
        }
    }
    let choices: Vec<Piece<'_>> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Piece {
            choice: index,
            text,
            logprobs: progress
                .logprobs
                .then(|| entries(&logprobs[index], &progress.codec)),
            text_offset: 0,
            finish_reason: progress.choices[index].finish,
        })
        .collect();
    Ok(writer.body(&choices, &progress.counts))
}

fn entries<'a>(logprobs: &[TokenLogprobs], codec: &'a TextCodec) -> Vec<LogprobEntry<'a>> {
    let bytes = |token: &TokenLogprob| codec.tokenizer.token_bytes(token.token);
    logprobs
        .iter()
        .map(|logprobs| LogprobEntry {
            bytes: bytes(&logprobs.chosen),
            logprob: logprobs.chosen.logprob,
            top: logprobs
                .top
                .iter()
                .map(|token| (bytes(token), token.logprob))
                .collect(),
        })
        .collect()
}
