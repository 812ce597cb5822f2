//! Did tokens come one by one, or in lumps?

use super::bound::Bound;
use super::consequence::by_consequence;
use super::{Doubt, Evidence, Grade, percent};

/// Above this the median gap between tokens is that of reads, and no longer of tokens.
const COALESCED_SHARE_MAX: f64 = 0.2;

/// A client whose median lag is below this part of the time between reads did not merge them.
const PROMPT_LAG_SHARE: f64 = 0.1;

/// A few streams may begin with two tokens that met on the way.
const LUMPED_SHARE_MAX: f64 = 0.1;

impl Evidence<'_> {
    pub(super) fn judge_lumps(&self) -> Vec<Doubt> {
        [self.coalesced(), self.first_together(), self.no_pace()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn coalesced(&self) -> Option<Doubt> {
        let receipt = &self.summary.receipt;
        let share = receipt
            .coalesced_share
            .filter(|&share| share > COALESCED_SHARE_MAX)?;
        let lag = receipt.client_lag.as_ref().map(|lag| lag.p50.value);
        let blame = match lag.zip(receipt.coalesced_width) {
            Some((lag, width)) if lag <= PROMPT_LAG_SHARE * width => format!(
                "The client was prompt (median lag {lag:.2} ms, {width:.2} ms between reads), so \
                 the server or the network sends them together; read {}.",
                self.instead_of_gaps()
            ),
            Some((lag, width)) => format!(
                "The client was late itself (median lag {lag:.2} ms, {width:.2} ms between reads); \
                 give it a processor of its own or lower the load."
            ),
            None => format!(
                "Without the client's own lag it cannot be told whether the server sends them \
                 together or the client reads late; read {}.",
                self.instead_of_gaps()
            ),
        };
        let sentence = format!(
            "{} of token events came in one read with an earlier one (limit {}). {blame}",
            percent(share),
            percent(COALESCED_SHARE_MAX)
        );
        let gap = self.summary.latency.chunk_gap.as_ref();
        let off = receipt.coalesced_width.zip(gap).and_then(|(width, gap)| {
            let value = (gap.mean, gap.mean_interval);
            Bound::new("chunk_gap.mean", "ms", width, value)
        });
        Some(Doubt {
            bounds: off.into_iter().collect(),
            ..Doubt::from((Grade::Suspect, "coalesced_reads", sentence))
        })
    }

    /// What lumps leave as it is: the time per token counts from read to read, unless it is absent too.
    fn instead_of_gaps(&self) -> &'static str {
        if self.summary.latency.tpot.is_some() {
            "tpot and itl, which count from read to read, not the gaps"
        } else {
            "e2e, not the gaps: too few reads came for a tpot"
        }
    }

    /// Time to first token is that of the last token of the lump.
    fn first_together(&self) -> Option<Doubt> {
        let answers = &self.answers;
        let share = answers.first_together as f64 / answers.streams as f64;
        if answers.first_together == 0 || share <= LUMPED_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "In {} of {} streams ({}, limit {}) the first read brought several tokens: something held the first ones \
             back, a buffer on the way or a server that shows a tool's call when it knows its name. tpot and decode \
             rate count what came after that read.",
            answers.first_together,
            answers.streams,
            percent(share),
            percent(LUMPED_SHARE_MAX)
        );
        let held = (answers.held_back_ms, answers.first_together as f64);
        let ttft = self.summary.latency.ttft.as_ref()?;
        let off = Bound::new(
            "ttft.mean",
            "ms",
            held.0 / held.1,
            (ttft.mean, ttft.mean_interval),
        );
        Some(by_consequence(
            "first_tokens_together",
            (
                sentence,
                "Look for what holds them, or read ttft as the time to the first lump.",
            ),
            off.into_iter().collect(),
            (Grade::Suspect, Grade::Suspect),
        ))
    }

    fn no_pace(&self) -> Option<Doubt> {
        let answers = &self.answers;
        let share = answers.no_pace as f64 / answers.streams as f64;
        if answers.no_pace == 0 || share <= LUMPED_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "{} of {} streams ({}, limit {}) have no tpot: how many tokens came with the first read is not known, or \
             too few reads came after it. Time per token and decode rate are those of the others; compare e2e.",
            answers.no_pace,
            answers.streams,
            percent(share),
            percent(LUMPED_SHARE_MAX)
        );
        Some(Doubt::from((Grade::Suspect, "no_time_per_token", sentence)))
    }
}
