//! How many requests were in flight, for how long, and how fast they ended then.

use trace::Nanos;

/// A rate at a level rests on so many ends at least.
const ENDS_MIN: f64 = 2.0;

/// The level from which a server is taken for full is that where its rate is highest, less so many of its own errors:
/// the highest level of all is seen for moments, and looks as fast as chance makes it.
const ERRORS_OF_LEVEL: f64 = 3.0;

/// Ends that are taken together to see how evenly they come.
const TOGETHER: std::ops::RangeInclusive<usize> = 4..=16;

/// Groups of ends that say how evenly they come; fewer do not.
const GROUPS_ENOUGH: usize = 20;
const GROUPS_MIN: usize = 5;

/// Less than this part of Poisson's variance is not believed of any server's ends.
const SPREAD_MIN: f64 = 0.6;

/// When requests were released and when they ended, each in ascending order.
pub(super) struct Spans {
    issued: Vec<Nanos>,
    done: Vec<Nanos>,
}

/// What was seen with each number of requests in flight, until the last one was released.
pub(super) struct Levels {
    /// How many each request found when it was released.
    pub(super) found: Vec<usize>,
    /// Seconds with so many in flight.
    pub(super) seconds: Vec<f64>,
    /// Requests that ended when so many were.
    pub(super) ended: Vec<f64>,
    /// From the first release to the last.
    pub(super) span: f64,
}

/// How fast requests end while the server is as busy as it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drain {
    /// From so many in flight on.
    pub(super) level: usize,
    /// Requests a second.
    pub(super) rate: f64,
    /// The standard error of that, as a part of it.
    pub(super) error: f64,
    /// The variance of the number of ends, where Poisson's is 1.
    pub(super) spread: f64,
}

impl Spans {
    /// Of requests in the order of their release.
    pub(super) fn new(requests: impl Iterator<Item = (Nanos, Nanos)>) -> Self {
        let (issued, mut done): (Vec<Nanos>, Vec<Nanos>) = requests
            .map(|(issued, done)| (issued, done.max(issued)))
            .unzip();
        done.sort_unstable();
        Self { issued, done }
    }

    /// Visits every change until the last release: how many were in flight before it, for how many seconds, and whether
    /// it was an end.
    fn sweep(&self, mut visit: impl FnMut(usize, f64, bool)) {
        let mut ends = self.done.iter().peekable();
        let (mut level, mut now) = (0, self.issued.first().copied().unwrap_or_default());
        for &issued in &self.issued {
            while let Some(&end) = ends.next_if(|&&end| end <= issued && level > 0) {
                visit(level, (end - now).seconds(), true);
                (level, now) = (level - 1, end);
            }
            visit(level, (issued - now).seconds(), false);
            (level, now) = (level + 1, issued);
        }
    }

    pub(super) fn levels(&self) -> Levels {
        let mut levels = Levels {
            found: Vec::with_capacity(self.issued.len()),
            seconds: Vec::new(),
            ended: Vec::new(),
            span: self
                .issued
                .last()
                .map_or(0.0, |last| (*last - self.issued[0]).seconds()),
        };
        self.sweep(|level, seconds, is_end| {
            if levels.seconds.len() <= level {
                levels.seconds.resize(level + 1, 0.0);
                levels.ended.resize(level + 1, 0.0);
            }
            levels.seconds[level] += seconds;
            if is_end {
                levels.ended[level] += 1.0;
            } else {
                levels.found.push(level);
            }
        });
        levels
    }

    /// `None` where too few requests ended to say how fast they do.
    pub(super) fn drain(&self, levels: &Levels) -> Option<Drain> {
        let (mut seconds, mut ended) = (0.0, 0.0);
        let mut best: Option<(f64, usize, f64, f64)> = None;
        for level in (1..levels.seconds.len()).rev() {
            seconds += levels.seconds[level];
            ended += levels.ended[level];
            if ended < ENDS_MIN || seconds <= 0.0 {
                continue;
            }
            let least = ended / seconds * (1.0 - ERRORS_OF_LEVEL / f64::sqrt(ended));
            if least > best.map_or(0.0, |(least, ..)| least) {
                best = Some((least, level, ended / seconds, ended));
            }
        }
        let (_, level, rate, ended) = best?;
        let spread = self.spread(level).max(SPREAD_MIN);
        Some(Drain {
            level,
            rate,
            error: (spread / ended).sqrt(),
            spread,
        })
    }

    /// The index of dispersion for intervals (Cox and Lewis, *The Statistical Analysis of Series of Events*, 1966, section
    /// 4.6) of the ends while that many or more are in flight, by the clock of that time alone. 1 where they are too
    /// few to say.
    fn spread(&self, least: usize) -> f64 {
        let (mut clock, mut gaps) = (0.0, Vec::new());
        self.sweep(|level, seconds, is_end| {
            if level < least {
                return;
            }
            clock += seconds;
            if is_end {
                gaps.push(clock);
                clock = 0.0;
            }
        });
        let together = (gaps.len() / GROUPS_ENOUGH).clamp(*TOGETHER.start(), *TOGETHER.end());
        let sums: Vec<f64> = gaps
            .chunks_exact(together)
            .map(|gaps| gaps.iter().sum())
            .collect();
        let count = sums.len() as f64;
        let mean = sums.iter().sum::<f64>() / count;
        if sums.len() < GROUPS_MIN || mean <= 0.0 {
            return 1.0;
        }
        let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
        together as f64 * squares / (count - 1.0) / (mean * mean)
    }
}

/// The rising values that are nearest to `values` by weighted squares: neighbours that fall are pooled (Ayer and others,
/// "An empirical distribution function for sampling with incomplete information", 1955).
pub(super) fn rising(values: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values {
        let mut last = (value, weight, 1);
        while let Some(&(before, weight, count)) = pools.last().filter(|pool| pool.0 > last.0) {
            let both = weight + last.1;
            let value = if both > 0.0 {
                (before * weight + last.0 * last.1) / both
            } else {
                f64::midpoint(before, last.0)
            };
            last = (value, both, count + last.2);
            pools.pop();
        }
        pools.push(last);
    }
    let each = |&(value, _, count): &(f64, f64, usize)| std::iter::repeat_n(value, count);
    pools.iter().flat_map(each).collect()
}
