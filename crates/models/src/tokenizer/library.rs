//! The library's door: every text goes in and every token comes out here.

use super::foreign::Nature;
use crate::TextError;
use crate::contained::{Failed, contained, cut, watched};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokenizers::{NormalizedString, Normalizer, Tokenizer};

/// Bytes that a normalizer may make of a text without a look at how many it does: some 25 bytes of memory each.
const UNSEEN_BYTES_MAX: usize = 16 << 20;
/// Of a text that is looked at; no real one makes more than 11 of one.
const TIMES_MAX: usize = 16;
/// Processor time of a text that is watched, and beside it of each megabyte. A real tokenizer takes a tenth.
const TEXT_TIME: Duration = Duration::from_secs(2);
/// Texts that were left behind and still take a processor: with so many, no other is begun.
const LEFT_MAX: usize = 2;

/// A tokenizer of the library, with what is known of its file.
pub(super) struct Library {
    inner: Arc<Tokenizer>,
    nature: Nature,
    left: Arc<AtomicUsize>,
}

impl Library {
    pub(super) fn new(inner: Tokenizer, nature: Nature) -> Self {
        Self {
            inner: Arc::new(inner),
            nature,
            left: Arc::default(),
        }
    }

    pub(super) fn inner(&self) -> &Tokenizer {
        &self.inner
    }

    /// Tokens of a text; with those that its post-processor puts around it where `ends`.
    pub(super) fn encode(&self, text: &str, ends: bool) -> Result<Vec<u32>, TextError> {
        let grown = text.len().saturating_mul(self.nature.growth);
        let unseen = grown <= UNSEEN_BYTES_MAX || self.nature.growth <= 1;
        if !self.nature.watched && unseen {
            return contained(|| encode(&self.inner, text, ends)).unwrap_or_else(|| Err(failed()));
        }
        let growth = self.nature.growth;
        if !self.nature.watched {
            let work = || {
                check_growth(&self.inner, text, growth)?;
                encode(&self.inner, text, ends)
            };
            return contained(work).unwrap_or_else(|| Err(failed()));
        }
        let (inner, owned) = (Arc::clone(&self.inner), text.to_owned());
        self.watch(text.len(), move || {
            if !unseen {
                check_growth(&inner, &owned, growth)?;
            }
            encode(&inner, &owned, ends)
        })
    }

    fn watch(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<Vec<u32>, TextError> + Send + 'static,
    ) -> Result<Vec<u32>, TextError> {
        if self.left.load(Ordering::Acquire) >= LEFT_MAX {
            return Err(TextError::Encode(format!(
                "{LEFT_MAX} texts before it still take the tokenizer's time; its patterns are not fit for such texts"
            )));
        }
        let megabytes = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let budget = TEXT_TIME.saturating_mul(megabytes.saturating_add(1));
        let fate = Fate::default();
        let (end, left) = (fate.clone(), Arc::clone(&self.left));
        let done = watched(budget, move || {
            let _end = AtEnd { fate: end, left };
            work()
        });
        if matches!(done, Err(Failed::TooLong)) {
            self.left.fetch_add(1, Ordering::AcqRel);
            if fate.is_second() {
                // It ended in this very moment.
                self.left.fetch_sub(1, Ordering::AcqRel);
            }
        }
        done.unwrap_or_else(|why| {
            Err(match why {
                Failed::TooLong => TextError::Encode(format!(
                    "the tokenizer takes more than {} s of processor time for its {bytes} bytes; its patterns are not \
                     fit for such texts",
                    budget.as_secs()
                )),
                Failed::Panicked => failed(),
                Failed::NoThread => TextError::Encode("the system gives no thread".to_owned()),
            })
        })
    }
}

/// Two things happen to a text that is given up: that, and the end of its work. Whoever comes second knows of the first.
#[derive(Clone, Default)]
struct Fate(Arc<AtomicBool>);

impl Fate {
    fn is_second(&self) -> bool {
        self.0.swap(true, Ordering::AcqRel)
    }
}

/// Dropped when a text's work ends, in whatever way.
struct AtEnd {
    fate: Fate,
    left: Arc<AtomicUsize>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if self.fate.is_second() {
            self.left.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn failed() -> TextError {
    TextError::Encode(
        "the tokenizer's file contradicts itself, and its library fails on it".to_owned(),
    )
}

fn encode(inner: &Tokenizer, text: &str, ends: bool) -> Result<Vec<u32>, TextError> {
    let encoding = inner.encode_fast(text, ends);
    let encoding = encoding.map_err(|error| TextError::Encode(cut(&error.to_string())))?;
    Ok(encoding.get_ids().to_vec())
}

/// Counts what the normalizer makes of a text, a part at a time, so that no part can become too much.
fn check_growth(inner: &Tokenizer, text: &str, growth: usize) -> Result<(), TextError> {
    let Some(normalizer) = inner.get_normalizer() else {
        return Ok(());
    };
    let most = text.len().saturating_mul(TIMES_MAX).max(UNSEEN_BYTES_MAX);
    let part_bytes = (UNSEEN_BYTES_MAX / growth).max(1);
    let (mut rest, mut made) = (text, 0_usize);
    while !rest.is_empty() {
        let (part, after) =
            rest.split_at(rest.floor_char_boundary(part_bytes).max(first_bytes(rest)));
        let mut part = NormalizedString::from(part);
        normalizer
            .normalize(&mut part)
            .map_err(|error| TextError::Encode(cut(&error.to_string())))?;
        made = made.saturating_add(part.len());
        if made > most {
            return Err(TextError::Encode(format!(
                "the tokenizer's normalizer makes more than {most} bytes of its {}",
                text.len()
            )));
        }
        rest = after;
    }
    Ok(())
}

fn first_bytes(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
