//! What is sent, in which order: closed loops of each side, turns, and blocks at a rate.

use super::config::GatewayConfig;
use super::phases::{Arm, Phase};
use super::placement::{Placement, Watcher};
use super::sides::{Sides, plan};
use super::start::Lab;
use super::usage::{self, Usage};
use super::way::{Kind, Side};
use crate::failure::Failure;
use crate::output::Recorder;
use load::{Client, TcpConnector, Watch};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trace::{Arrival, Pacing, Plan, PlannedRequest, RunFacts, RunId};

/// In all starts together at least so many turns, however long they take, and at most so many, however short they are.
const TURNS_MIN: u32 = 30;
const TURNS_MAX: u32 = 5_000;

/// The least in each start: its median is one value of the interval, and the first turn is none of it.
const TURNS_OF_START_MIN: u32 = 11;

/// One turn of a schedule for each side.
const BLOCK: Duration = Duration::from_secs(1);

/// Everything that lasts longer than a start.
pub(super) struct Bench<'a> {
    pub(super) config: &'a GatewayConfig,
    pub(super) recorder: Recorder,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) next_id: u64,
    pub(super) usage: Vec<(Phase, Usage)>,
    /// Of each start, while whole answers were asked for in turns.
    pub(super) placements: Vec<Placement>,
}

/// Everything that is new in a start.
pub(super) struct Start<'a> {
    /// From 0.
    pub(super) number: u32,
    pub(super) lab: &'a Lab<'a>,
    pub(super) sides: Sides,
}

/// Why the measurement cannot go on.
pub(super) enum Cut {
    /// It was interrupted, the gateway ended, or a side takes no connections.
    Stopped,
    /// Something could not be started again.
    Failed(Failure),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Cut::Failed(failure)
    }
}

impl Bench<'_> {
    /// What is new in a start, around what runs already.
    pub(super) fn open<'a>(
        &self,
        lab: &'a Lab<'a>,
        number: u32,
        invocation: u64,
    ) -> Result<Start<'a>, Failure> {
        let sides = Sides::open(self.config, lab, invocation, &self.recorder)?;
        Ok(Start { number, lab, sides })
    }

    /// One closed loop, after its warm-up.
    pub(super) async fn closed(
        &mut self,
        start: &Start<'_>,
        phase: Phase,
        repeat: u32,
    ) -> Result<(), Cut> {
        let args = &self.config.args;
        let (side, kind) = match phase {
            Phase::DirectClosed => (Side::Direct, Kind::Whole),
            Phase::ThroughClosed => (Side::Through, Kind::Whole),
            Phase::DirectStreams => (Side::Direct, Kind::Stream),
            _ => (Side::Through, Kind::Stream),
        };
        let (warmup, requests) = match kind {
            Kind::Whole => (args.warmup, args.requests),
            Kind::Stream => (args.stream_warmup, args.stream_requests),
        };
        let pacing = phase.info(self.config).pacing;
        let concurrency = match pacing {
            Pacing::Closed { concurrency } => concurrency as usize,
            _ => 1,
        };
        let client = start.sides.client(side, kind);
        let connections = client.prepare(concurrency.min(requests));
        if connections.await.is_err() {
            return Err(Cut::Stopped);
        }
        for (count, is_warmup) in [(warmup, true), (requests, false)] {
            let plan = plan(self.config, kind, count, pacing);
            if count > 0 {
                let run = phase.run(repeat, is_warmup);
                self.run(start, phase, side, kind, run, &plan).await?;
            }
        }
        Ok(())
    }

    /// Runs a plan, and notes what it cost.
    async fn run(
        &mut self,
        start: &Start<'_>,
        phase: Phase,
        side: Side,
        kind: Kind,
        run: RunId,
        plan: &Plan,
    ) -> Result<(), Cut> {
        let before = usage::now(start.lab);
        let watch = Watch::start();
        let client = start.sides.client(side, kind);
        let ran = client.run(plan, run, self.next_id, self.stop.clone()).await;
        let span = ran.map_err(|_| Cut::Stopped)?;
        let facts = RunFacts {
            interrupted: span.interrupted,
            reuse_ended: span.reuse_ended,
            instrument: watch.finish(span.pacer_late),
            ..RunFacts::new(
                run,
                span.start,
                span.end,
                span.planned,
                client.stamp_source(),
            )
        };
        self.next_id += plan.requests.len() as u64;
        if !run.warmup {
            usage::note(&mut self.usage, phase, &before, &usage::now(start.lab));
        }
        self.recorder.facts(facts);
        if span.interrupted || span.lost {
            Err(Cut::Stopped)
        } else {
            Ok(())
        }
    }

    /// Asks one request at a time, the three arms of each turn in an order of their own, for this start's part of the
    /// time.
    pub(super) async fn turns(&mut self, start: &Start<'_>, kind: Kind) -> Result<(), Cut> {
        let seed = self.config.args.seed ^ kind as u64 ^ (u64::from(start.number) << 8);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let plan = plan(self.config, kind, 1, Pacing::Closed { concurrency: 1 });
        let single = plan.requests.first().ok_or(Cut::Stopped)?;
        for side in [Side::Direct, Side::Through] {
            if start.sides.client(side, kind).prepare(1).await.is_err() {
                return Err(Cut::Stopped);
            }
        }
        let starts = self.config.starts();
        let (time, most) = (self.config.added / starts, TURNS_MAX.div_ceil(starts));
        let least = TURNS_MIN.div_ceil(starts).max(TURNS_OF_START_MIN);
        let begun = Instant::now();
        let before = usage::now(start.lab);
        let watch = Watch::start();
        let mut watcher = (kind == Kind::Whole).then(|| Watcher::start(start.lab));
        let from = start.sides.client(Side::Direct, kind).now();
        let mut order = Arm::ALL;
        let mut turn = 0;
        let mut went = Ok(());
        while went.is_ok() && (turn < least || (turn < most && begun.elapsed() < time)) {
            order.shuffle(&mut rng);
            for arm in order {
                // The first turn opens and wakes what later ones use.
                let run = Phase::Turn(kind, arm).run(start.number, turn == 0);
                let client = start.sides.client(arm.side(), kind);
                went = went.and(self.ask(client, single, run).await);
            }
            turn += 1;
            if let Some(watcher) = &mut watcher {
                watcher.look_if_due();
            }
        }
        let to = start.sides.client(Side::Direct, kind).now();
        for side in [Side::Direct, Side::Through] {
            start.sides.client(side, kind).settle();
        }
        went?;
        if let Some(watcher) = watcher {
            self.placements.push(watcher.finish(turn.into()));
        }
        let instrument = watch.finish(Vec::new());
        let now = usage::now(start.lab);
        let phase = Phase::Turn(kind, Arm::Direct);
        usage::note(&mut self.usage, phase, &before, &now);
        for arm in Arm::ALL {
            let run = Phase::Turn(kind, arm).run(start.number, false);
            let client = start.sides.client(arm.side(), kind);
            let planned = u64::from(turn) - 1;
            self.recorder.facts(RunFacts {
                instrument: instrument.clone(),
                reuse_ended: client.reuse_ended(),
                ..RunFacts::new(run, from, to, planned, client.stamp_source())
            });
        }
        Ok(())
    }

    /// One request with nothing around it, unless the measurement is to stop.
    async fn ask(
        &mut self,
        client: &Client<TcpConnector>,
        request: &PlannedRequest,
        run: RunId,
    ) -> Result<(), Cut> {
        let id = self.next_id;
        self.next_id += 1;
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => Err(Cut::Stopped),
            asked = client.ask(request, run, id) => asked.map_err(|_| Cut::Stopped),
        }
    }

    /// The same schedule to both sides, a block of a second each, whose turn it is in an order of its own; this start's
    /// part of the blocks.
    pub(super) async fn at_rate(&mut self, start: &Start<'_>, arrival: Arrival) -> Result<(), Cut> {
        let per_start = blocks_per_start(self.config);
        let seed = self.config.args.seed ^ (u64::from(start.number) << 8);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let per_block = arrival.rate() * BLOCK.as_secs_f64();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be positive"
        )]
        let count = per_block.round().max(1.0) as usize;
        let pacing = Pacing::Open {
            arrival,
            max_concurrency: None,
        };
        let mut order = [Side::Direct, Side::Through];
        for block in start.number * per_start..(start.number + 1) * per_start {
            let mut plan = plan(self.config, Kind::Whole, count, pacing);
            let schedule = RunId {
                point: 0,
                run: block,
                warmup: false,
            };
            let seed = workload::seed_for(self.config.args.seed, schedule);
            let due = workload::due_times(arrival, count, seed).map_err(|_| Cut::Stopped)?;
            for (request, due) in plan.requests.iter_mut().zip(due) {
                request.due = due;
            }
            order.shuffle(&mut rng);
            for side in order {
                let phase = Phase::Rate(side);
                let run = phase.run(block, false);
                self.run(start, phase, side, Kind::Whole, run, &plan)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Blocks of the schedule are numbered through all starts, each of which has as many.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be positive, and within a day"
)]
pub(super) fn blocks_per_start(config: &GatewayConfig) -> u32 {
    let blocks = (config.args.rate_seconds / BLOCK.as_secs_f64()).round() as u32;
    blocks.div_ceil(config.starts()).max(1)
}
