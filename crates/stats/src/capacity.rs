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

/// No rate is further from the one before it than by so many times.
const STRIDE_MAX: f64 = 4.0;

/// Standard deviations that a run has to be off by to be left before its end: 99.5 % of a normal distribution, because it
/// is looked at several times.
const REACH_EARLY: f64 = 2.807_034;

/// Fewer requests say nothing of how they depend on each other.
const EARLY_LEAST: usize = 64;

/// A run is looked at before its end when these parts of its requests are back.
const EARLY_LOOKS: [usize; 4] = [16, 8, 4, 2];

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityConfig {
    /// The first rate, in requests per second.
    pub first_rate: f64,
    /// The highest, in requests per second.
    pub highest_rate: f64,
    /// Share of the requests that are to meet the objectives, above 0 and below 1.
    pub attain: f64,
    /// The width that the answer is to have, as a share of its rate: 0.2 for 20 %.
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
        self.interval_of(REACH)
    }

    fn interval_of(&self, reach: f64) -> Option<Interval> {
        wilson(self.share(), self.effective(), reach)
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

    /// With how many of its `requests` back [`Self::is_enough`] is to be asked about a run.
    pub fn early_looks(requests: usize) -> [usize; EARLY_LOOKS.len()] {
        EARLY_LOOKS.map(|part| (requests / part).max(EARLY_LEAST))
    }

    /// Whether a run need not go on, after what it and others of its rate showed so far: it misses the objectives whatever
    /// comes, or half of it says the same as a whole one before. It does not end early just because all went well, because
    /// a run begins with an empty server, and so would the answer.
    pub fn is_enough(&self, so_far: Probe) -> bool {
        let probes = [&self.probes[..], &[so_far]].concat();
        let known = ProbedRate::at(&probes, so_far.rate);
        let Some(share) = known.and_then(|known| known.interval_of(REACH_EARLY)) else {
            return false;
        };
        let before = ProbedRate::at(&self.probes, so_far.rate);
        let confirms = before.is_some_and(|before| {
            before.told(self.config.attain) == Told::Meets && 2.0 * so_far.issued >= before.issued
        });
        share.high < self.config.attain || confirms && share.low >= self.config.attain
    }

    /// Takes what a run showed.
    pub fn observe(&mut self, probe: Probe) {
        self.probes.push(probe);
    }

    /// Ends it before its time.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// What is looked for.
    pub const fn config(&self) -> &CapacityConfig {
        &self.config
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
            (Some(meets), None) if meets >= config.highest_rate => Err(CapacityEnd::AlwaysMet),
            (None, Some(_)) if lowest(&evidence) <= config.first_rate / DESCENT => {
                Err(CapacityEnd::NeverMet)
            }
            (_, None) if evidence.is_empty() => Ok(config.first_rate),
            (meets, None) if meets.is_some() => {
                let next = highest(&evidence) * self.stride(&evidence, meets);
                Ok(next.min(config.highest_rate))
            }
            (None, misses) => Ok(lowest(&evidence) / self.stride(&evidence, misses)),
            (meets, misses) => self.within(
                &evidence,
                meets.unwrap_or_default(),
                misses.unwrap_or_default(),
            ),
        }?;
        if self.probes.len() >= config.probes_max {
            return Err(CapacityEnd::ProbesSpent);
        }
        Ok(next)
    }

    /// How much further the next rate is on the side of which nothing is known. From what is undecided, and so near the
    /// answer, it is a part of the resolution, and else the whole; twice as far, on a logarithmic scale, after each rate
    /// that did not help.
    fn stride(&self, evidence: &[ProbedRate], decided: Option<f64>) -> f64 {
        let is_undecided = |known: &&ProbedRate| known.told(self.config.attain) == Told::Nothing;
        let undecided = evidence.iter().filter(is_undecided).count();
        let (first, vain) = match decided {
            Some(_) if undecided == 0 => (self.config.resolution.ln_1p(), evidence.len()),
            _ => (self.half(), undecided),
        };
        let doublings = i32::try_from(vain.saturating_sub(1).min(8)).unwrap_or(8);
        (first * 2_f64.powi(doublings)).exp().min(STRIDE_MAX)
    }

    /// Half of the resolution, as a logarithm.
    fn half(&self) -> f64 {
        self.config.resolution.ln_1p() / 2.0
    }

    /// Halves gaps on a logarithmic scale until the answer is as narrow as asked, or what lies in it stays undecided; then
    /// makes sure of both ends.
    fn within(&self, evidence: &[ProbedRate], meets: f64, misses: f64) -> Result<f64, CapacityEnd> {
        let width = |(low, high): (f64, f64)| (high / low).ln();
        // As far as sums of logarithms tell.
        let is_within = |gap: (f64, f64), least: f64| width(gap) <= least + 1e-9;
        if !is_within((meets, misses), self.config.resolution.ln_1p()) {
            let inside = evidence
                .iter()
                .filter(|known| known.rate > meets && known.rate < misses);
            let mut inside: Vec<&ProbedRate> = inside.collect();
            inside.sort_by(|a, b| a.rate.total_cmp(&b.rate));
            // What lies between undecided rates is undecided too: only the gaps to what is decided narrow.
            let (Some(first), Some(last)) = (inside.first(), inside.last()) else {
                return Ok((meets * misses).sqrt());
            };
            let gaps = [(meets, first.rate), (last.rate, misses)];
            let widest = if width(gaps[0]) >= width(gaps[1]) {
                gaps[0]
            } else {
                gaps[1]
            };
            if !is_within(widest, self.half()) {
                return Ok((widest.0 * widest.1).sqrt());
            }
            let wants_more = |known: &&&ProbedRate| {
                known.told(self.config.attain) == Told::Nothing && known.probes < REPEATS
            };
            if let Some(again) = inside.iter().find(wants_more) {
                return Ok(again.rate);
            }
        }
        let is_end = |known: &&ProbedRate| [meets, misses].contains(&known.rate);
        let mut ends = evidence.iter().filter(is_end);
        match ends.find(|end| end.probes < CONFIRMED) {
            Some(end) => Ok(end.rate),
            None => Err(CapacityEnd::Resolved),
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
