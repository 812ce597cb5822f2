use crate::config::nanos;
use crate::{Fault, MockConfig, RoleChunk};
use openai::{DONE, Endpoint, FrameStyle, RequestView};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A word that is one token to the usual tokenizers, so that a client that counts for itself
/// agrees.
const TOKEN: &str = " the";
/// Three bytes a character.
const WIDE_TOKEN: &str = "的";

/// What is generated for one request: which tokens in which events, and when each is due.
///
/// Times are nanoseconds from the start of the request's service.
pub(crate) struct Completion<'a> {
    pub(crate) config: &'a MockConfig,
    pub(crate) style: FrameStyle<'a>,
    /// Draws the sizes of [`Fault::Ragged`] events.
    pub(crate) seed: u64,
    /// When the first token is due.
    first_at: u64,
    gaps: Gaps,
    pub(crate) stream: bool,
    pub(crate) choices: u32,
    /// Per choice.
    pub(crate) tokens: u32,
    pub(crate) prompt_tokens: u64,
    finish_reason: &'static str,
    usage_chunk: bool,
}

/// From one token to the next.
enum Gaps {
    Even(u64),
    /// From the first token to each one.
    Drawn(Vec<u64>),
}

impl<'a> Completion<'a> {
    /// `serving` requests are being answered beside it.
    pub(crate) fn new(
        config: &'a MockConfig,
        view: &RequestView,
        style: FrameStyle<'a>,
        seed: u64,
        serving: u32,
    ) -> Self {
        let limit = view
            .max_tokens
            .filter(|&limit| limit <= u64::from(config.tokens));
        let tokens = limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(config.tokens);
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(seed);
        let prefill = nanos(config.prefill).saturating_mul(view.prompt_words);
        Self {
            config,
            style,
            seed,
            first_at: config.ttft.draw(&mut random).saturating_add(prefill),
            gaps: Gaps::of(config, tokens, serving, &mut random),
            stream: view.stream,
            choices: view.n,
            tokens,
            prompt_tokens: view.prompt_words,
            finish_reason: if limit.is_some() { "length" } else { "stop" },
            usage_chunk: config.usage && view.include_usage,
        }
    }

    /// When token `index` of each choice is due.
    pub(crate) fn token_at(&self, index: u32) -> u64 {
        let gaps = match &self.gaps {
            Gaps::Even(gap) => gap.saturating_mul(u64::from(index)),
            Gaps::Drawn(sums) => {
                let sum = sums.get(index as usize).or(sums.last());
                sum.copied().unwrap_or(0)
            }
        };
        self.first_at.saturating_add(gaps)
    }

    /// The span between tokens, where it is always the same.
    pub(crate) fn even_gap(&self) -> Option<u64> {
        match self.gaps {
            Gaps::Even(gap) => Some(gap),
            Gaps::Drawn(_) => None,
        }
    }

    /// When the role chunk is due; none where there is none.
    pub(crate) fn role_at(&self) -> Option<u64> {
        match (self.style.endpoint, self.config.role_chunk) {
            (Endpoint::Completions, _) | (_, RoleChunk::None) => None,
            (Endpoint::ChatCompletions, RoleChunk::Early) => Some(0),
            (Endpoint::ChatCompletions, RoleChunk::WithFirstToken) => Some(self.token_at(0)),
        }
    }

    /// Tokens of each event of a choice, in order; they add up to `tokens`.
    pub(crate) fn event_sizes(&self) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut sizes = Vec::new();
        let mut left = self.tokens;
        while left > 0 {
            let size = match self.config.fault {
                Some(Fault::Ragged(most)) => random.random_range(1..=most),
                _ => self.config.tokens_per_event,
            };
            sizes.push(size.min(left));
            left -= size.min(left);
        }
        sizes
    }

    pub(crate) fn text(&self, tokens: u32) -> String {
        let token = match self.config.fault {
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
    pub(crate) fn event_frames(&self, tokens: u32) -> impl Iterator<Item = Vec<u8>> {
        let text = self.text(tokens);
        (0..self.choices).map(move |choice| self.style.content(choice, &text))
    }

    /// What follows the last token: the choices' ends, usage where asked for, `[DONE]`.
    pub(crate) fn closing_frames(&self) -> impl Iterator<Item = Vec<u8>> {
        let ends = (0..self.choices).map(|choice| self.style.finish(choice, self.finish_reason));
        let usage = self.usage_chunk.then(|| {
            self.style
                .usage(self.prompt_tokens, self.completion_tokens())
        });
        ends.chain(usage).chain([DONE.to_vec()])
    }

    /// The body of a response that is not a stream.
    pub(crate) fn body(&self) -> Vec<u8> {
        let texts = vec![self.text(self.tokens); self.choices as usize];
        openai::completion_body(
            &self.style,
            &texts,
            self.finish_reason,
            self.prompt_tokens,
            self.completion_tokens(),
        )
    }

    fn completion_tokens(&self) -> u64 {
        u64::from(self.tokens) * u64::from(self.choices)
    }
}

impl Gaps {
    fn of(config: &MockConfig, tokens: u32, serving: u32, random: &mut ChaCha8Rng) -> Self {
        let factor = 1.0 + config.slowdown * f64::from(serving);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few hours at most"
        )]
        let slowed = |gap: u64| {
            if serving == 0 || config.slowdown <= 0.0 {
                gap
            } else {
                (gap as f64 * factor) as u64
            }
        };
        if let Some(gap) = config.itl.constant() {
            return Gaps::Even(slowed(gap));
        }
        let mut at = 0_u64;
        let mut sums = Vec::with_capacity(tokens as usize);
        for _ in 0..tokens {
            sums.push(at);
            at = at.saturating_add(slowed(config.itl.draw(random)));
        }
        Gaps::Drawn(sums)
    }
}
