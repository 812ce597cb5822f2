//! What is sent, in which order: closed loops of each side, turns, and blocks at a rate.

use super::config::GatewayConfig;
use super::sides::{Kind, Side, Sides, plan};
use super::start::RunningGateway;
use crate::output::Recorder;
use load::Watch;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trace::{Arrival, Nanos, Pacing, Plan, PointInfo, RunFacts, RunId};

/// At least so many turns, however long they take, and at most so many, however short they are.
const TURNS_MIN: u32 = 30;
const TURNS_MAX: u32 = 5_000;

/// One turn of a schedule for each side.
const BLOCK: Duration = Duration::from_secs(1);

/// The parts of the measurement; each is a point of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    DirectClosed,
    ThroughClosed,
    DirectStreams,
    ThroughStreams,
    /// Turns: directly, through, directly again.
    Turn(Kind, Arm),
    Rate(Side),
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    Direct,
    Through,
    Again,
}

impl Arm {
    pub(super) const ALL: [Arm; 3] = [Arm::Direct, Arm::Through, Arm::Again];

    const fn side(self) -> Side {
        match self {
            Arm::Direct | Arm::Again => Side::Direct,
            Arm::Through => Side::Through,
        }
    }
}

impl Phase {
    pub(super) const ALL: [Phase; 12] = [
        Phase::DirectClosed,
        Phase::ThroughClosed,
        Phase::DirectStreams,
        Phase::ThroughStreams,
        Phase::Turn(Kind::Whole, Arm::Direct),
        Phase::Turn(Kind::Whole, Arm::Through),
        Phase::Turn(Kind::Whole, Arm::Again),
        Phase::Turn(Kind::Stream, Arm::Direct),
        Phase::Turn(Kind::Stream, Arm::Through),
        Phase::Turn(Kind::Stream, Arm::Again),
        Phase::Rate(Side::Direct),
        Phase::Rate(Side::Through),
    ];

    /// Its number among the points.
    pub(super) fn point(self) -> u32 {
        let position = Phase::ALL.iter().position(|phase| *phase == self);
        u32::try_from(position.unwrap_or_default()).unwrap_or_default()
    }

    pub(super) const fn key(self) -> &'static str {
        match self {
            Phase::DirectClosed => "direct",
            Phase::ThroughClosed => "gateway",
            Phase::DirectStreams => "direct streams",
            Phase::ThroughStreams => "gateway streams",
            Phase::Turn(Kind::Whole, Arm::Direct) => "turns direct",
            Phase::Turn(Kind::Whole, Arm::Through) => "turns gateway",
            Phase::Turn(Kind::Whole, Arm::Again) => "turns direct again",
            Phase::Turn(Kind::Stream, Arm::Direct) => "stream turns direct",
            Phase::Turn(Kind::Stream, Arm::Through) => "stream turns gateway",
            Phase::Turn(Kind::Stream, Arm::Again) => "stream turns direct again",
            Phase::Rate(Side::Direct) => "rate direct",
            Phase::Rate(Side::Through) => "rate gateway",
        }
    }

    pub(super) fn info(self, config: &GatewayConfig) -> PointInfo {
        let (args, closed) = (&config.args, |concurrency| Pacing::Closed { concurrency });
        let pacing = match self {
            Phase::DirectClosed | Phase::ThroughClosed => closed(args.concurrency),
            Phase::DirectStreams | Phase::ThroughStreams => closed(args.stream_concurrency),
            Phase::Turn(..) => closed(1),
            Phase::Rate(_) => Pacing::Open {
                arrival: config.arrival.unwrap_or(Arrival::Constant { rate: 1.0 }),
                max_concurrency: None,
            },
        };
        PointInfo {
            key: self.key().to_owned(),
            pacing,
        }
    }
}

/// Processor time over a part of the measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) wall: Duration,
    /// The thread of ours that receives.
    pub(super) client: Duration,
    /// The mock's thread; absent where the provider is somebody else's.
    pub(super) mock: Option<Duration>,
    /// All processes of the gateway; absent where we did not start it.
    pub(super) gateway: Option<Duration>,
}

/// Everything that is asked with.
pub(super) struct Bench<'a> {
    pub(super) config: &'a GatewayConfig,
    pub(super) sides: Sides,
    pub(super) gateway: &'a RunningGateway,
    pub(super) has_mock: bool,
    pub(super) recorder: Recorder,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) next_id: u64,
    pub(super) usage: Vec<(Phase, Usage)>,
}

/// The measurement cannot go on: it was interrupted, or the gateway ended.
pub(super) struct Stopped;

impl Bench<'_> {
    /// One closed loop, after its warm-up.
    pub(super) async fn closed(&mut self, phase: Phase, repeat: u32) -> Result<(), Stopped> {
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
        let connections = self
            .sides
            .client(side, kind)
            .prepare(concurrency.min(requests));
        if connections.await.is_err() {
            return Err(Stopped);
        }
        for (count, is_warmup) in [(warmup, true), (requests, false)] {
            let run = RunId {
                point: phase.point(),
                run: repeat,
                warmup: is_warmup,
            };
            let plan = plan(self.config, kind, count, pacing);
            if count > 0 {
                self.run(phase, side, kind, run, &plan).await?;
            }
        }
        Ok(())
    }

    /// Runs a plan, and notes what it cost.
    async fn run(
        &mut self,
        phase: Phase,
        side: Side,
        kind: Kind,
        run: RunId,
        plan: &Plan,
    ) -> Result<(), Stopped> {
        let before = self.measured();
        let watch = Watch::start();
        let client = self.sides.client(side, kind);
        let ran = client.run(plan, run, self.next_id, self.stop.clone()).await;
        let span = ran.map_err(|_| Stopped)?;
        let facts = RunFacts {
            interrupted: span.interrupted,
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
            self.note(phase, &before);
        }
        self.recorder.facts(facts);
        if span.interrupted || span.lost {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    /// Asks one request at a time, the three arms of each turn in an order of their own.
    pub(super) async fn turns(&mut self, kind: Kind) -> Result<(), Stopped> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.args.seed ^ kind as u64);
        let single = plan(self.config, kind, 1, Pacing::Closed { concurrency: 1 });
        for side in [Side::Direct, Side::Through] {
            if self.sides.client(side, kind).prepare(1).await.is_err() {
                return Err(Stopped);
            }
        }
        let begun = Instant::now();
        let before = self.measured();
        let watch = Watch::start();
        let mut span: Option<(Nanos, Nanos)> = None;
        let mut order = Arm::ALL;
        let mut turn = 0;
        while turn < TURNS_MIN || (turn < TURNS_MAX && begun.elapsed() < self.config.added) {
            order.shuffle(&mut rng);
            for arm in order {
                let run = RunId {
                    point: Phase::Turn(kind, arm).point(),
                    run: turn,
                    // The first turn opens and wakes what later ones use.
                    warmup: turn == 0,
                };
                let client = self.sides.client(arm.side(), kind);
                let ran = client
                    .run(&single, run, self.next_id, self.stop.clone())
                    .await;
                let ran = ran.map_err(|_| Stopped)?;
                self.next_id += 1;
                if ran.interrupted {
                    return Err(Stopped);
                }
                span = Some((span.map_or(ran.start, |span| span.0), ran.end));
            }
            turn += 1;
        }
        let instrument = watch.finish(Vec::new());
        self.note(Phase::Turn(kind, Arm::Direct), &before);
        let (start, end) = span.unwrap_or_default();
        for arm in Arm::ALL {
            let run = RunId {
                point: Phase::Turn(kind, arm).point(),
                run: 0,
                warmup: false,
            };
            let stamps = self.sides.client(arm.side(), kind).stamp_source();
            self.recorder.facts(RunFacts {
                instrument: instrument.clone(),
                ..RunFacts::new(run, start, end, u64::from(turn) - 1, stamps)
            });
        }
        Ok(())
    }

    /// The same schedule to both sides, a block of a second each, whose turn it is in an order of its own.
    pub(super) async fn at_rate(&mut self, arrival: Arrival) -> Result<(), Stopped> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.args.seed);
        let per_block = arrival.rate() * BLOCK.as_secs_f64();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be positive"
        )]
        let (count, blocks) = (
            per_block.round().max(1.0) as usize,
            (self.config.args.rate_seconds / BLOCK.as_secs_f64()).round() as u32,
        );
        let mut order = [Side::Direct, Side::Through];
        for block in 0..blocks {
            let mut plan = plan(
                self.config,
                Kind::Whole,
                count,
                Pacing::Open {
                    arrival,
                    max_concurrency: None,
                },
            );
            let seed = workload::seed_for(
                self.config.args.seed,
                RunId {
                    point: 0,
                    run: block,
                    warmup: false,
                },
            );
            let due = workload::due_times(arrival, count, seed).map_err(|_| Stopped)?;
            for (request, due) in plan.requests.iter_mut().zip(due) {
                request.due = due;
            }
            order.shuffle(&mut rng);
            for side in order {
                let phase = Phase::Rate(side);
                let run = RunId {
                    point: phase.point(),
                    run: block,
                    warmup: false,
                };
                self.run(phase, side, Kind::Whole, run, &plan).await?;
            }
        }
        Ok(())
    }

    fn measured(&self) -> (Instant, Usage) {
        let usage = Usage {
            wall: Duration::ZERO,
            client: process::this_thread_cpu(),
            mock: self
                .has_mock
                .then(|| process::own_threads_cpu(|name| name == "mock")),
            gateway: self
                .gateway
                .child
                .as_ref()
                .map(|child| process::processes_cpu(&child.processes())),
        };
        (Instant::now(), usage)
    }

    fn note(&mut self, phase: Phase, before: &(Instant, Usage)) {
        let (now, after) = self.measured();
        let (then, before) = before;
        let since = |after: Option<Duration>, before: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        let more = Usage {
            wall: now - *then,
            client: after.client.saturating_sub(before.client),
            mock: since(after.mock, before.mock),
            gateway: since(after.gateway, before.gateway),
        };
        match self.usage.iter_mut().find(|(known, _)| *known == phase) {
            Some((_, sum)) => {
                let both = |a: Option<Duration>, b: Option<Duration>| Some(a? + b?);
                *sum = Usage {
                    wall: sum.wall + more.wall,
                    client: sum.client + more.client,
                    mock: both(sum.mock, more.mock),
                    gateway: both(sum.gateway, more.gateway),
                };
            }
            None => self.usage.push((phase, more)),
        }
    }
}
