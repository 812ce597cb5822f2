//! A queue in numbers alone: what other runs of the same plan would have found.

use super::asking::{Asking, Gaps, Who};
use super::bins::Bins;
use super::server::Server;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Of so many runs, the least is the bound of a one-sided test at 2.5 %: Barnard's, in the discussion of Bartlett, "The
/// spectral analysis of point processes" (1963).
pub(crate) const REPLAYS: usize = 39;

/// A replay has no more requests than these; what longer runs find varies less by the square root of their length.
const REQUESTS_MAX: usize = 4_000;

/// How much slower or faster than it looked the server may be, in standard errors of its rate.
pub(crate) const ERRORS: [f64; 9] = [-2.6, -1.95, -1.3, -0.65, 0.0, 0.65, 1.3, 1.95, 2.6];

/// A level that is rarer than e to the minus this, beside the most frequent one, is the last.
const RARE: f64 = 25.0;

/// A queue that needs more levels has no end.
const LEVELS_MAX: usize = 20_000;

/// Time of a queue whose ends are more even than Poisson's goes more slowly, by no more than this; of less even ones it
/// would go faster, which no run is long enough to rely on.
const PACE: std::ops::RangeInclusive<f64> = 0.4..=1.0;

/// A server's work that varies by more than this is more uneven than Poisson's.
const UNEVEN: f64 = 1.1;

/// What runs of a server find that is so much slower than it looked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Of each replay, how many requests found each bin of levels.
    pub(crate) counts: Vec<Vec<f64>>,
    /// The expected share of each bin.
    pub(crate) expected: Vec<f64>,
}

/// Runs of one plan on servers around the one that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replays {
    /// At each of [`ERRORS`].
    pub(crate) at: Vec<Found>,
    /// What real runs find deviates from what is expected by this part of how replays do.
    pub(crate) scale: f64,
}

impl Replays {
    /// Of runs of so many requests each; `None` where they are too many to be played through and not all alike.
    ///
    /// A queue between more even ends moves more slowly, as if fewer requests had come: a diffusion's speed is the sum of
    /// both variances (Kingman, "The heavy traffic approximation in the theory of queues", 1965).
    pub(super) fn of(
        asking: &Asking,
        server: &Server,
        lengths: &[usize],
        bins: &Bins,
        seed: u64,
    ) -> Option<Self> {
        let arrivals = asking.gaps.dispersion();
        let pace = (arrivals + server.dispersion()) / (arrivals + 1.0);
        let pace = match asking.gaps {
            Gaps::Planned(_) => 1.0,
            Gaps::Drawn(_) => pace.clamp(*PACE.start(), *PACE.end()),
        };
        let (simulated, total) = simulated(lengths, pace);
        // What changes by plan has to be played through whole.
        if matches!(asking.gaps, Gaps::Planned(_)) && total > REQUESTS_MAX as f64 {
            return None;
        }
        // One that is too long goes on from replay to replay, as if each were a part of it.
        let goes_on = simulated.is_none();
        let lengths = simulated.unwrap_or_else(|| vec![REQUESTS_MAX]);
        let count: usize = lengths.iter().sum();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let gaps = asking.gaps.draws(count, REPLAYS, &mut rng);
        let variation = server.variation();
        let variation = if variation > UNEVEN { variation } else { 1.0 };
        let work = Gaps::Drawn(variation).draws(count + 1, REPLAYS, &mut rng);
        let at = ERRORS.map(|errors| {
            let rates = server.rates(errors);
            let mut walk = Walk::new(asking.who, &rates, &work, bins);
            let is_chain = goes_on && (arrivals - 1.0).abs() < 1e-9 && variation <= 1.0;
            let in_the_end = is_chain.then(|| shares(asking.who, &rates, bins)).flatten();
            // A queue that only grows has no middle to go on from.
            let goes_on = goes_on && (!is_chain || in_the_end.is_some());
            let of_replay = |gaps| walk.run(gaps, &lengths, goes_on);
            let counts: Vec<Vec<f64>> = gaps.chunks_exact(count).map(of_replay).collect();
            Found {
                expected: in_the_end.unwrap_or_else(|| mean_shares(&counts)),
                counts,
            }
        });
        Some(Self {
            at: at.into(),
            scale: (count as f64 / total).sqrt(),
        })
    }
}

/// The lengths of the runs of a replay, or `None` where even one run is too long, and the requests of all that are replayed
/// in part.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of requests"
)]
fn simulated(lengths: &[usize], pace: f64) -> (Option<Vec<usize>>, f64) {
    let paced = |&length: &usize| ((length as f64 * pace).round() as usize).max(1);
    let mut lengths: Vec<usize> = lengths.iter().map(paced).collect();
    let total: usize = lengths.iter().sum();
    // Of too many the longest ones: a run that was cut short stands for none of the others.
    if total > REQUESTS_MAX {
        lengths.sort_unstable_by(|one, other| other.cmp(one));
    }
    let mut left = REQUESTS_MAX;
    let fits = |length: &usize| {
        let fits = *length <= left;
        left = left.saturating_sub(*length);
        fits
    };
    let simulated: Vec<usize> = lengths.into_iter().take_while(fits).collect();
    ((!simulated.is_empty()).then_some(simulated), total as f64)
}

fn mean_shares(counts: &[Vec<f64>]) -> Vec<f64> {
    let bins = counts.iter().map(Vec::len).max().unwrap_or(0);
    let mut shares = vec![0.0; bins];
    for (share, count) in counts.iter().flat_map(|of_run| of_run.iter().enumerate()) {
        shares[share] += count;
    }
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

/// What arrivals find of a queue that has forgotten its beginning: levels between which as many go up as come down.
/// `None` where more come than can end.
fn shares(who: Who, rates: &[f64], bins: &Bins) -> Option<Vec<f64>> {
    let (mut logs, mut most) = (vec![0.0_f64], 0.0_f64);
    loop {
        let level = logs.len();
        let arriving = who.arriving(level - 1);
        if arriving <= 0.0 {
            break;
        }
        let next = logs[level - 1] + (arriving / rates[level.min(rates.len() - 1)]).ln();
        if level > rates.len() && next < most - RARE {
            break;
        }
        if level > LEVELS_MAX {
            return None;
        }
        most = most.max(next);
        logs.push(next);
    }
    let mut shares = vec![0.0; bins.of(logs.len() - 1) + 1];
    for (level, log) in logs.iter().enumerate() {
        shares[bins.of(level)] += (log - most).exp() * who.arriving(level);
    }
    let sum: f64 = shares.iter().sum();
    (sum > 0.0).then(|| shares.iter().map(|share| share / sum).collect())
}

/// A queue whose every change is drawn: each arrival, and each end, comes when as much has passed of its own time as was
/// drawn for it.
struct Walk<'a> {
    who: Who,
    rates: &'a [f64],
    bins: &'a Bins,
    work: std::iter::Cycle<std::slice::Iter<'a, f32>>,
    level: usize,
    /// Until the next end, in ends.
    left: f64,
}

impl<'a> Walk<'a> {
    fn new(who: Who, rates: &'a [f64], work: &'a [f32], bins: &'a Bins) -> Self {
        let mut walk = Self {
            who,
            rates,
            bins,
            work: work.iter().cycle(),
            level: 0,
            left: 0.0,
        };
        walk.draw();
        walk
    }

    fn draw(&mut self) {
        self.left = self.work.next().copied().map_or(1.0, f64::from);
    }

    /// Runs from an empty server on, or one that goes on where the last one ended: how many requests found each bin.
    fn run(&mut self, gaps: &[f32], lengths: &[usize], goes_on: bool) -> Vec<f64> {
        let mut found: Vec<f64> = Vec::new();
        let mut gaps = gaps.iter();
        for &length in lengths {
            if !goes_on {
                self.level = 0;
            }
            for &gap in gaps.by_ref().take(length) {
                self.until_next(f64::from(gap));
                let bin = self.bins.of(self.level);
                if found.len() <= bin {
                    found.resize(bin + 1, 0.0);
                }
                found[bin] += 1.0;
                self.level += 1;
            }
        }
        found
    }

    /// Ends what ends before the next request, which comes when that many arrivals' time has passed.
    fn until_next(&mut self, mut gap: f64) {
        while self.level > 0 {
            let arriving = self.who.arriving(self.level);
            let ending = self.rates[self.level.min(self.rates.len() - 1)];
            if gap * ending <= self.left * arriving && arriving > 0.0 {
                self.left -= gap / arriving * ending;
                return;
            }
            gap -= self.left / ending * arriving;
            self.level -= 1;
            self.draw();
        }
    }
}
