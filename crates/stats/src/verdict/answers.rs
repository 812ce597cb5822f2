//! Is what came back what was asked for?

use super::{Evidence, Finding, Grade, percent, suspect};

/// An answer that ends early frees its place early: with one in a hundred the work is still that
/// which was asked for.
const EARLY_STOPS_MAX: f64 = 0.01;

/// Streams that come in one piece have no time between tokens, and a first token as late as the
/// last. A few may have waited for a busy client; one in ten is a buffer on the way.
const ONE_BURST_MAX: f64 = 0.1;

impl Evidence<'_> {
    pub(super) fn judge_answers(&self) -> Vec<(Grade, &'static str, String)> {
        [self.early_stops(), self.one_burst()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn early_stops(&self) -> Finding {
        let answers = self.answers;
        let share = answers.early_stops as f64 / answers.complete as f64;
        if answers.early_stops == 0 || share <= EARLY_STOPS_MAX {
            return None;
        }
        suspect(
            "early_stops",
            format!(
                "{} of {} answers ended by themselves ({}, limit {}), though the end of sequence \
                 was to be ignored: the server did less work than was asked for. Check that it \
                 knows `ignore_eos`, or compare by tokens and not by requests.",
                answers.early_stops,
                answers.complete,
                percent(share),
                percent(EARLY_STOPS_MAX)
            ),
        )
    }

    fn one_burst(&self) -> Finding {
        let answers = self.answers;
        let share = answers.one_burst as f64 / answers.streams as f64;
        if answers.one_burst == 0 || share <= ONE_BURST_MAX {
            return None;
        }
        suspect(
            "one_burst_streams",
            format!(
                "{} of {} streams came in one piece ({}, limit {}): their first token is as late \
                 as their last. Look for a buffer in the server or in a proxy before it, and read \
                 e2e, not ttft and tpot.",
                answers.one_burst,
                answers.streams,
                percent(share),
                percent(ONE_BURST_MAX)
            ),
        )
    }
}
