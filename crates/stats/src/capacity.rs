//! The highest rate at which a server meets its objectives: a bracketing search whose every probe is a
//! noisy measurement.
//!
//! A probe counts how many of its requests met the objectives. It *meets* or *misses* where the Wilson
//! interval of that share (Wilson, "Probable inference, the law of succession, and statistical
//! inference", 1927) lies wholly on one side of the share that was asked for; otherwise it tells
//! nothing yet. Requests that wait in one queue count for their effective number. The answer's interval
//! reaches from the highest rate that meets to the lowest that misses: what no probe decides stays inside it.

use crate::share::wilson;
use crate::{Grade, Interval, PointSummary};
use serde::{Deserialize, Serialize};

/// Standard deviations on either side of a probe's share: 97.5 % of a normal distribution, so that the few
/// decisions near the answer hold together in 95 of 100 searches.
const REACH: f64 = 2.241_403;

/// Probes of one rate, whose requests are counted together, before it is left undecided.
const REPEATS: usize = 3;

/// Probes of a rate before an answer may rest on it: one run may be a lucky one.
const CONFIRMED: usize = 2;

/// Probes in a row that were no measurements before the search gives up.
const INVALID_MAX: usize = 3;

/// How far below the first rate the search goes.
const DESCENT: f64 = 1024.0;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityConfig {
    /// The first rate, in requests per second.
    pub first_rate: f64,
    /// The highest, in requests per second.
    pub highest_rate: f64,
    /// Share of the requests that are to meet the objectives, above 0 and below 1.
    pub attain: f64,
    /// The width that is left to an undecided gap, as a share of its rate: 0.05 for 5 %.
    pub resolution: f64,
    /// The search ends after so many probes.
    pub probes_max: usize,
}

/// What one run at a rate showed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// In requests per second.
    pub rate: f64,
    /// Requests that met the objectives.
    pub good: f64,
    /// Requests.
    pub issued: f64,
    /// How many independent requests would tell as much.
    pub effective: f64,
    /// Whether the run was a measurement at all.
    pub valid: bool,
}

/// Where a run is too short against its own memory to say how many of its requests are independent: one in so
/// many is taken for one.
const UNTOLD: f64 = 10.0;

impl Probe {
    /// What a point showed at that rate. Requests that waited in one queue say less than independent ones: they
    /// count for the effective size of the share that was good.
    pub fn of(rate: f64, point: &PointSummary) -> Self {
        let issued = point.reliability.issued as f64;
        let goodput = point.goodput.as_ref();
        let share = goodput.map_or(0.0, |goodput| goodput.share);
        let effective = goodput.and_then(|goodput| goodput.n_effective);
        let effective = effective.unwrap_or(issued / UNTOLD).min(issued);
        Self {
            rate,
            good: share * issued,
            issued,
            effective,
            valid: point.verdict.grade != Grade::Invalid,
        }
    }
}

/// Why a search is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityEnd {
    /// No gap is wider than the resolution.
    Resolved,
    /// The probes were spent before.
    ProbesSpent,
    /// The lowest rate misses too.
    NeverMet,
    /// The highest rate meets too.
    AlwaysMet,
    /// Probes were no measurements.
    Invalid,
    /// Somebody stopped it.
    Interrupted,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityAnswer {
    /// From the highest rate that meets to the lowest that misses, in requests per second; absent where
    /// either is missing.
    pub interval: Option<Interval>,
    /// The highest rate that was shown to meet the objectives, in requests per second.
    pub meets: Option<f64>,
    /// The lowest that was shown to miss them.
    pub misses: Option<f64>,
    /// Why it ended.
    pub end: CapacityEnd,
}

/// Chooses rates to measure until the answer is as narrow as asked.
#[derive(Clone, Debug)]
pub struct CapacitySearch {
    config: CapacityConfig,
    probes: Vec<Probe>,
    interrupted: bool,
}

/// What all valid probes of a rate say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbedRate {
    /// In requests per second.
    pub rate: f64,
    /// Requests that met the objectives.
    pub good: f64,
    /// Requests.
    pub issued: f64,
    /// How many probes those are of.
    pub probes: usize,
    /// The sum of (requests² ÷ effective requests) of the probes.
    spread: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Meets,
    Misses,
    Nothing,
}

impl ProbedRate {
    /// What valid probes say, rate by rate in the order in which those were first measured.
    pub fn all(probes: &[Probe]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let sound = |probe: &&Probe| probe.valid && probe.issued > 0.0 && probe.effective > 0.0;
        for probe in probes.iter().filter(sound) {
            let same = |known: &&mut Self| known.is_of(probe.rate);
            let spread = probe.issued * probe.issued / probe.effective;
            if let Some(known) = all.iter_mut().find(same) {
                known.good += probe.good;
                known.issued += probe.issued;
                known.probes += 1;
                known.spread += spread;
            } else {
                all.push(Self {
                    rate: probe.rate,
                    good: probe.good,
                    issued: probe.issued,
                    probes: 1,
                    spread,
                });
            }
        }
        all
    }

    /// Whether that is its rate, as far as sums of logarithms tell.
    fn is_of(&self, rate: f64) -> bool {
        (self.rate / rate).ln().abs() < 1e-9
    }

    /// What the probes say of that rate.
    pub fn at(probes: &[Probe], rate: f64) -> Option<Self> {
        Self::all(probes)
            .into_iter()
            .find(|known| known.is_of(rate))
    }

    /// The share of good requests.
    pub fn share(&self) -> f64 {
        self.good / self.issued
    }

    /// How many independent requests would tell as much of the share. A run in which all went well looks as if its
    /// requests had nothing to do with each other, and one with a queue does not: what each says of that is the
    /// mean over all of them, and every request counts alike, or the lucky runs would outweigh the others.
    pub fn effective(&self) -> f64 {
        self.issued * self.issued / self.spread
    }

    /// The interval of that share by which the search decides.
    pub fn interval(&self) -> Option<Interval> {
        wilson(self.share(), self.effective(), REACH)
    }

    /// Whether it meets `attain`, as far as that is decided.
    pub fn meets(&self, attain: f64) -> Option<bool> {
        match self.told(attain) {
            Told::Meets => Some(true),
            Told::Misses => Some(false),
            Told::Nothing => None,
        }
    }

    /// On which side of `attain` that lies.
    fn told(&self, attain: f64) -> Told {
        match self.interval() {
            Some(share) if share.low >= attain => Told::Meets,
            Some(share) if share.high < attain => Told::Misses,
            _ => Told::Nothing,
        }
    }
}

impl CapacitySearch {
    /// A search that has measured nothing.
    pub fn new(config: CapacityConfig) -> Self {
        Self {
            config,
            probes: Vec::new(),
            interrupted: false,
        }
    }

    /// Requests that a probe needs at least for its share to be decided when all of them are good: where
    /// `n / (n + z²)`, the Wilson interval's lower end, reaches `attain`; half as many again, so that a
    /// few may fail.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of requests; `as` saturates"
    )]
    pub fn requests_wanted(attain: f64) -> usize {
        let least = REACH * REACH * attain / (1.0 - attain);
        (1.5 * least).ceil().max(32.0) as usize
    }

    /// Takes what a run showed.
    pub fn observe(&mut self, probe: Probe) {
        self.probes.push(probe);
    }

    /// Ends it before its time.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// All that was measured, in order.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The rate to measure next, in requests per second; `None` where the search is over.
    pub fn next_rate(&self) -> Option<f64> {
        self.step().ok()
    }

    /// What is known so far.
    pub fn answer(&self) -> CapacityAnswer {
        let (meets, misses) = bracket(&ProbedRate::all(&self.probes), self.config.attain);
        let both = meets.zip(misses).filter(|(meets, misses)| meets < misses);
        CapacityAnswer {
            interval: both.map(|(low, high)| Interval { low, high }),
            meets,
            misses,
            end: self.step().err().unwrap_or(CapacityEnd::ProbesSpent),
        }
    }

    /// The next rate, or why there is none.
    fn step(&self) -> Result<f64, CapacityEnd> {
        let config = &self.config;
        let invalid = self.probes.iter().rev().take_while(|probe| !probe.valid);
        let invalid = invalid.count();
        if self.interrupted {
            return Err(CapacityEnd::Interrupted);
        }
        if invalid >= INVALID_MAX {
            return Err(CapacityEnd::Invalid);
        }
        let evidence = ProbedRate::all(&self.probes);
        let next = match bracket(&evidence, config.attain) {
            (None, None) => Ok(evidence.first().map_or(config.first_rate, |first| {
                // The first rate told nothing: it is near the answer, which lies between its neighbours.
                if first.probes < REPEATS {
                    first.rate
                } else {
                    lowest(&evidence) / 2.0
                }
            })),
            (Some(meets), None) if meets >= config.highest_rate => Err(CapacityEnd::AlwaysMet),
            (Some(_), None) => Ok((2.0 * highest(&evidence)).min(config.highest_rate)),
            (None, Some(_)) if lowest(&evidence) <= config.first_rate / DESCENT => {
                Err(CapacityEnd::NeverMet)
            }
            (None, Some(_)) => Ok(lowest(&evidence) / 2.0),
            (Some(meets), Some(misses)) => {
                let ends = |known: &&ProbedRate| [meets, misses].contains(&known.rate);
                let mut ends = evidence.iter().filter(ends);
                match ends.find(|end| end.probes < CONFIRMED) {
                    Some(end) => Ok(end.rate),
                    None => self.within(&evidence, meets, misses),
                }
            }
        }?;
        if self.probes.len() >= config.probes_max {
            return Err(CapacityEnd::ProbesSpent);
        }
        Ok(next)
    }

    /// Halves the widest gap on a logarithmic scale, after what is undecided had its repeats.
    fn within(&self, evidence: &[ProbedRate], meets: f64, misses: f64) -> Result<f64, CapacityEnd> {
        let inside = evidence
            .iter()
            .filter(|known| known.rate > meets && known.rate < misses);
        let inside: Vec<&ProbedRate> = inside.collect();
        let wants_more = |known: &&&ProbedRate| {
            known.told(self.config.attain) == Told::Nothing && known.probes < REPEATS
        };
        if let Some(again) = inside.iter().find(wants_more) {
            return Ok(again.rate);
        }
        let mut rates: Vec<f64> = inside.iter().map(|known| known.rate).collect();
        rates.sort_by(f64::total_cmp);
        // What lies between undecided rates is undecided too: only the gaps to what is decided narrow.
        let gaps = match (rates.first(), rates.last()) {
            (Some(&first), Some(&last)) => [(meets, first), (last, misses)],
            _ => [(meets, misses), (misses, misses)],
        };
        let width = |(low, high): &(f64, f64)| (high / low).ln();
        let widest = gaps.iter().max_by(|a, b| width(a).total_cmp(&width(b)));
        match widest {
            Some(gap) if width(gap) > self.config.resolution.ln_1p() => Ok((gap.0 * gap.1).sqrt()),
            _ => Err(CapacityEnd::Resolved),
        }
    }
}

/// The highest rate that meets below all that miss, and the lowest that misses above all that meet.
/// Where a rate meets above one that misses, both are left inside.
fn bracket(evidence: &[ProbedRate], attain: f64) -> (Option<f64>, Option<f64>) {
    let of = |told: Told| {
        let those = evidence
            .iter()
            .filter(move |known| known.told(attain) == told);
        those.map(|known| known.rate)
    };
    let lowest_miss = of(Told::Misses).min_by(f64::total_cmp);
    let highest_meet = of(Told::Meets).max_by(f64::total_cmp);
    let meets = of(Told::Meets).filter(|&rate| lowest_miss.is_none_or(|miss| rate < miss));
    let misses = of(Told::Misses).filter(|&rate| highest_meet.is_none_or(|meet| rate > meet));
    (meets.max_by(f64::total_cmp), misses.min_by(f64::total_cmp))
}

fn lowest(evidence: &[ProbedRate]) -> f64 {
    let rates = evidence.iter().map(|known| known.rate);
    rates.fold(f64::INFINITY, f64::min)
}

fn highest(evidence: &[ProbedRate]) -> f64 {
    evidence.iter().map(|known| known.rate).fold(0.0, f64::max)
}
