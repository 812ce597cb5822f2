//! The parts of the measurement.

use super::config::GatewayConfig;
use super::way::{Kind, Side};
use trace::{Arrival, Pacing, PointInfo, RunId};

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

    pub(super) const fn side(self) -> Side {
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

    /// Its runs are passes of the closed loops, starts of turns, or blocks at a rate.
    pub(super) fn run(self, run: u32, warmup: bool) -> RunId {
        RunId {
            point: self.point(),
            run,
            warmup,
        }
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
