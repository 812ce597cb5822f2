//! Records to the numbers of a gateway benchmark.

use super::bench::blocks_per_start;
use super::config::GatewayConfig;
use super::phases::{Arm, Phase};
use super::placement::Placement;
use super::usage::Usage;
use super::way::{Kind, Side};
use stats::{
    Added, AddedLatency, BlockPair, Estimate, RequestMetrics, Seen, StartAdded, StreamHarm,
    StreamShape, Turn, Verdict, added, added_at_rate, quantile, regimes, stream_harm, turns,
    woken_p50,
};
use trace::{Nanos, Record, RunFacts, StampSource};

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

/// Everything that was noted beside the records.
pub(super) struct Measured {
    pub(super) usage: Vec<(Phase, Usage)>,
    pub(super) placements: Vec<Placement>,
    /// Whether the mock is ours.
    pub(super) mock: bool,
}

/// What is added until an answer has arrived, by the kernel's stamps, and until the client has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AddedBoth {
    pub(super) arrived: Added,
    pub(super) read: Added,
}

/// One start, of whole answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StartView {
    pub(super) arrived: StartAdded,
    pub(super) read: StartAdded,
    /// From the arrival of an answer to the client's having it, directly and through, in milliseconds.
    pub(super) woken: [Option<f64>; 2],
    pub(super) placement: Placement,
    /// Which of the regimes it is of, from 0, those with the fastest direct answers first.
    pub(super) regime: usize,
}

/// Everything that is reported.
pub(super) struct Results {
    /// The pass whose p50 through the gateway is the median.
    pub(super) loops: Loops,
    pub(super) passes: Vec<Loops>,
    pub(super) whole: Option<AddedBoth>,
    /// Time to first token, to each event on average, to the end.
    pub(super) streams: Option<[(&'static str, AddedBoth); 3]>,
    pub(super) starts: Vec<StartView>,
    /// Whether the gateway was new in each start.
    pub(super) gateway_is_new: bool,
    pub(super) mock_is_ours: bool,
    /// Whether the kernel says when bytes arrived.
    pub(super) kernel_stamps: bool,
    pub(super) shapes: Option<(StreamShape, StreamShape)>,
    pub(super) harm: Vec<StreamHarm>,
    pub(super) at_rate: Option<[Estimate; 3]>,
    pub(super) usage: Vec<(Phase, Usage)>,
    pub(super) verdict: Verdict,
}

impl Results {
    /// Every number; the verdict on them is for whoever calls this.
    pub(super) fn of(
        config: &GatewayConfig,
        facts: &[RunFacts],
        records: &[Record],
        measured: Measured,
    ) -> Self {
        let passes: Vec<Loops> = (0..config.args.repeats)
            .map(|repeat| Loops::of(facts, records, repeat))
            .collect();
        let seed = config.args.seed;
        let whole = AddedBoth::of(config, records, Kind::Whole, AddedLatency::EndToEnd);
        let stream = |of| AddedBoth::of(config, records, Kind::Stream, of);
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
        let turns = Phase::Turn(Kind::Whole, Arm::Direct).point();
        let of_turns = |facts: &&RunFacts| facts.run.point == turns;
        Results {
            loops: median_pass(&passes),
            passes,
            starts: whole
                .as_ref()
                .map(|whole| start_views(whole, records, &measured.placements))
                .unwrap_or_default(),
            whole,
            streams,
            gateway_is_new: config.starts_gateway(),
            mock_is_ours: measured.mock,
            kernel_stamps: facts
                .iter()
                .filter(of_turns)
                .all(|facts| facts.stamps == StampSource::Kernel),
            shapes,
            harm,
            at_rate: added_at_rate(&blocks(records, blocks_per_start(config)), seed),
            usage: measured.usage,
            verdict: Verdict::of(Vec::new()),
        }
    }
}

impl AddedBoth {
    fn of(
        config: &GatewayConfig,
        records: &[Record],
        kind: Kind,
        latency: AddedLatency,
    ) -> Option<Self> {
        let starts: Vec<[Vec<&Record>; 3]> = (0..config.starts())
            .map(|start| Arm::ALL.map(|arm| of_start(records, kind, arm, start)))
            .collect();
        let of = |seen| {
            let turns = |[direct, through, again]: &[Vec<&Record>; 3]| {
                turns(direct, through, again, latency, seen)
            };
            let starts: Vec<Vec<Turn>> = starts.iter().map(turns).collect();
            added(&starts, config.args.seed)
        };
        Some(AddedBoth {
            arrived: of(Seen::Arrived)?,
            read: of(Seen::Read)?,
        })
    }
}

fn start_views(whole: &AddedBoth, records: &[Record], placements: &[Placement]) -> Vec<StartView> {
    let groups = regimes(&whole.arrived.starts);
    let starts = whole.arrived.starts.iter().zip(&whole.read.starts);
    let view = |(place, (arrived, read)): (usize, (&StartAdded, &StartAdded))| {
        let of_arm = |arm| {
            let start = u32::try_from(arrived.start).unwrap_or(u32::MAX);
            of_start(records, Kind::Whole, arm, start)
        };
        let direct = of_arm(Arm::Direct).into_iter().chain(of_arm(Arm::Again));
        StartView {
            arrived: *arrived,
            read: *read,
            woken: [woken_p50(direct), woken_p50(of_arm(Arm::Through))],
            placement: placements.get(arrived.start).cloned().unwrap_or_default(),
            regime: groups
                .iter()
                .position(|group| group.contains(&place))
                .unwrap_or_default(),
        }
    };
    starts.enumerate().map(view).collect()
}

/// Measured records of an arm of one start's turns, in the order in which they were asked.
fn of_start(records: &[Record], kind: Kind, arm: Arm, start: u32) -> Vec<&Record> {
    let mut found = of_phase(records, Phase::Turn(kind, arm));
    found.retain(|record| record.run.run == start);
    found
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
            .filter_map(|record| latency.of(record, Seen::Arrived))
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

/// Blocks of a schedule, by their number; each start has so many.
fn blocks(records: &[Record], per_start: u32) -> Vec<BlockPair> {
    let sides = [Side::Direct, Side::Through].map(|side| of_phase(records, Phase::Rate(side)));
    let last = sides
        .iter()
        .flatten()
        .map(|record| record.run.run + 1)
        .max();
    let of_block = |side: &[&Record], block: u32| -> Vec<f64> {
        let of_block = side.iter().filter(|record| record.run.run == block);
        of_block
            .filter_map(|record| AddedLatency::EndToEndFromDue.of(record, Seen::Arrived))
            .collect()
    };
    (0..last.unwrap_or(0))
        .map(|block| BlockPair {
            start: (block / per_start) as usize,
            direct: of_block(&sides[0], block),
            through: of_block(&sides[1], block),
        })
        .collect()
}
