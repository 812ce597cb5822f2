//! Records to the numbers of a gateway benchmark.

use super::config::GatewayConfig;
use super::phases::{Arm, Phase, Usage};
use super::sides::{Kind, Side};
use stats::{
    Added, AddedLatency, BlockPair, Estimate, Grade, Reason, RequestMetrics, StreamHarm,
    StreamShape, Told, Verdict, added, added_at_rate, quantile, stream_harm, turns,
};
use trace::{Nanos, Outcome, Record, RunFacts};

/// More of a processor than this, and the client or the mock may be what is measured.
const SHARE_MAX: f64 = 0.7;

/// Latencies of one closed loop, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LoopStats {
    pub(super) requests: usize,
    pub(super) failures: usize,
    /// Complete ones per second.
    pub(super) rps: f64,
    pub(super) latency: Option<Figures>,
    /// What the gateway says that it added.
    pub(super) overhead: Option<Figures>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Figures {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        stats::sort(&mut values);
        Some(Figures {
            mean,
            p50: quantile(&values, 0.5)?,
            p95: quantile(&values, 0.95)?,
            p99: quantile(&values, 0.99)?,
        })
    }
}

/// One pass over the closed loops.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Loops {
    pub(super) direct: LoopStats,
    pub(super) through: LoopStats,
    pub(super) direct_first_token: LoopStats,
    pub(super) first_token: LoopStats,
    pub(super) direct_full: LoopStats,
    pub(super) full: LoopStats,
}

/// Everything that is reported.
pub(super) struct Results {
    /// The pass whose p50 through the gateway is the median.
    pub(super) loops: Loops,
    pub(super) passes: Vec<Loops>,
    pub(super) whole: Option<Added>,
    /// Time to first token, to each event on average, to the end.
    pub(super) streams: Option<[(&'static str, Added); 3]>,
    pub(super) shapes: Option<(StreamShape, StreamShape)>,
    pub(super) harm: Vec<StreamHarm>,
    pub(super) at_rate: Option<[Estimate; 3]>,
    pub(super) usage: Vec<(Phase, Usage)>,
    pub(super) verdict: Verdict,
}

impl Results {
    pub(super) fn of(
        config: &GatewayConfig,
        facts: &[RunFacts],
        records: &[Record],
        usage: Vec<(Phase, Usage)>,
    ) -> Self {
        let passes: Vec<Loops> = (0..config.args.repeats)
            .map(|repeat| Loops::of(facts, records, repeat))
            .collect();
        let seed = config.args.seed;
        let latency = |kind, of| {
            let arms = Arm::ALL.map(|arm| of_phase(records, Phase::Turn(kind, arm)));
            added(&turns(&arms[0], &arms[1], &arms[2], of), seed)
        };
        let whole = latency(Kind::Whole, AddedLatency::EndToEnd);
        let stream = |of| latency(Kind::Stream, of);
        let streams = match (
            stream(AddedLatency::FirstToken),
            stream(AddedLatency::Event),
            stream(AddedLatency::StreamEnd),
        ) {
            (Some(first), Some(event), Some(end)) => Some([
                ("first token", first),
                ("each event", event),
                ("stream end", end),
            ]),
            _ => None,
        };
        let shape = |arm| StreamShape::of(&of_phase(records, Phase::Turn(Kind::Stream, arm)));
        let shapes = shape(Arm::Direct).zip(shape(Arm::Through));
        let harm = shapes
            .map(|(direct, through)| stream_harm(direct, through))
            .unwrap_or_default();
        let mut results = Results {
            loops: median_pass(&passes),
            passes,
            whole,
            streams,
            shapes,
            harm,
            at_rate: added_at_rate(&blocks(records), seed),
            usage,
            verdict: Verdict::of(Vec::new()),
        };
        results.verdict = Verdict::of(results.reasons(records));
        results
    }

    fn reasons(&self, records: &[Record]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let reason = |grade, code: &str, sentence: String| Reason::new(grade, code, None, sentence);
        // What we stopped ourselves failed for no fault of theirs.
        let is_failure = |record: &&Record| {
            !record.outcome.is_complete() && record.outcome != Outcome::Cancelled
        };
        let failed: Vec<&Record> = records.iter().filter(is_failure).collect();
        if let Some(first) = failed.first() {
            let words = first.detail.as_deref().unwrap_or("no words");
            reasons.push(reason(
                Grade::Invalid,
                "failures",
                format!(
                    "{} of {} requests failed ({}: {words}): what answers wrongly answers at another speed",
                    failed.len(),
                    records.len(),
                    first.outcome.name()
                ),
            ));
        }
        if let Some(whole) = &self.whole {
            let unlike = whole
                .floor
                .interval
                .is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
            if unlike {
                reasons.push(reason(
                    Grade::Suspect,
                    "floor_not_zero",
                    format!(
                        "The two direct arms differ by {:.4} ms, where nothing differs: something here depends on the order",
                        whole.floor.value
                    ),
                ));
            }
            if whole.told == Told::Saves {
                reasons.push(reason(
                    Grade::Suspect,
                    "faster_through",
                    "Answers come sooner through the gateway than directly: it may answer from a cache, or the provider \
                     treats the two differently"
                        .to_owned(),
                ));
            }
        }
        for (phase, usage) in &self.usage {
            reasons.extend(
                bound(*phase, usage)
                    .map(|(grade, sentence)| reason(grade, "instrument_bound", sentence)),
            );
        }
        reasons
    }
}

/// Where the client or the mock, and not the gateway, may have been what was measured.
fn bound(phase: Phase, usage: &Usage) -> Option<(Grade, String)> {
    let share = |used: std::time::Duration| used.as_secs_f64() / usage.wall.as_secs_f64().max(1e-9);
    let busiest = [("client", Some(usage.client)), ("mock", usage.mock)]
        .into_iter()
        .filter_map(|(who, used)| Some((who, share(used?))))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    if busiest.1 <= SHARE_MAX {
        return None;
    }
    let (grade, what) = match phase {
        // Only the gateway's figures are claimed.
        Phase::DirectClosed | Phase::DirectStreams | Phase::Rate(Side::Direct) => return None,
        Phase::ThroughClosed | Phase::ThroughStreams => {
            (Grade::Suspect, "its capacity is at least what is shown")
        }
        Phase::Turn(..) | Phase::Rate(Side::Through) => {
            (Grade::Invalid, "what it adds cannot be told")
        }
    };
    Some((
        grade,
        format!(
            "{}: the {} used {:.0} % of a processor (limit {:.0} %), so it, and not the gateway, may have been the \
             bottleneck: {what}",
            phase.key(),
            busiest.0,
            busiest.1 * 100.0,
            SHARE_MAX * 100.0
        ),
    ))
}

/// Measured records of a phase, in the order in which they were asked.
fn of_phase(records: &[Record], phase: Phase) -> Vec<&Record> {
    let mut found: Vec<&Record> = records
        .iter()
        .filter(|record| record.run.point == phase.point() && !record.run.warmup)
        .collect();
    found.sort_by_key(|record| record.id);
    found
}

impl Loops {
    fn of(facts: &[RunFacts], records: &[Record], repeat: u32) -> Self {
        let of = |phase: Phase, latency| {
            let records: Vec<&Record> = of_phase(records, phase)
                .into_iter()
                .filter(|record| record.run.run == repeat)
                .collect();
            let wall = facts
                .iter()
                .find(|facts| {
                    facts.run.point == phase.point() && facts.run.run == repeat && !facts.run.warmup
                })
                .map_or(Nanos::ZERO, |facts| facts.end - facts.start);
            LoopStats::of(&records, wall, latency)
        };
        Loops {
            direct: of(Phase::DirectClosed, AddedLatency::EndToEnd),
            through: of(Phase::ThroughClosed, AddedLatency::EndToEnd),
            direct_first_token: of(Phase::DirectStreams, AddedLatency::FirstToken),
            first_token: of(Phase::ThroughStreams, AddedLatency::FirstToken),
            direct_full: of(Phase::DirectStreams, AddedLatency::StreamEnd),
            full: of(Phase::ThroughStreams, AddedLatency::StreamEnd),
        }
    }
}

impl LoopStats {
    fn of(records: &[&Record], wall: Nanos, latency: AddedLatency) -> Self {
        let latencies: Vec<f64> = records
            .iter()
            .filter_map(|record| latency.of(record))
            .collect();
        let overheads = records
            .iter()
            .filter(|record| RequestMetrics::from_record(record).is_some())
            .filter_map(|record| record.gateway_overhead);
        LoopStats {
            requests: records.len(),
            failures: records.len() - latencies.len(),
            rps: if wall > Nanos::ZERO {
                latencies.len() as f64 / wall.seconds()
            } else {
                0.0
            },
            overhead: Figures::of(overheads.map(Nanos::millis).collect()),
            latency: Figures::of(latencies),
        }
    }

    /// p50, where anything succeeded.
    pub(super) fn p50(&self) -> Option<f64> {
        self.latency.map(|latency| latency.p50)
    }
}

/// One pass whole, so that its numbers belong together.
fn median_pass(passes: &[Loops]) -> Loops {
    let mut order: Vec<&Loops> = passes.iter().collect();
    let p50 = |pass: &Loops| pass.through.p50().unwrap_or(f64::INFINITY);
    order.sort_by(|a, b| p50(a).total_cmp(&p50(b)));
    order
        .get(order.len() / 2)
        .map(|pass| (*pass).clone())
        .unwrap_or_default()
}

/// Blocks of a schedule, by their number.
fn blocks(records: &[Record]) -> Vec<BlockPair> {
    let sides = [Side::Direct, Side::Through].map(|side| of_phase(records, Phase::Rate(side)));
    let last = sides
        .iter()
        .flatten()
        .map(|record| record.run.run + 1)
        .max();
    let of_block = |side: &[&Record], block: u32| -> Vec<f64> {
        let of_block = side.iter().filter(|record| record.run.run == block);
        of_block
            .filter_map(|record| AddedLatency::EndToEndFromDue.of(record))
            .collect()
    };
    (0..last.unwrap_or(0))
        .map(|block| BlockPair {
            direct: of_block(&sides[0], block),
            through: of_block(&sides[1], block),
        })
        .collect()
}
