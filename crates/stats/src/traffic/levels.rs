//! How many requests were in flight, for how long, and how fast they ended then.

use trace::Nanos;

/// Ends that are taken together to see how evenly they come.
const TOGETHER: std::ops::RangeInclusive<usize> = 4..=16;

/// Groups of ends that say how evenly they come; fewer do not.
const GROUPS_ENOUGH: usize = 20;
const GROUPS_MIN: usize = 5;

/// One request in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) issued: Nanos,
    /// When its first token came, or all of it: until then it may have waited.
    pub(crate) first: Nanos,
    pub(crate) done: Nanos,
    /// How long one took that failed says nothing of how long a server takes.
    pub(crate) answered: bool,
}

/// What a request found, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
    /// So many in flight.
    pub(super) found: usize,
    /// Until its first token, in seconds.
    pub(super) first: f64,
    /// All of it.
    pub(super) seconds: f64,
}

impl From<(Nanos, Nanos)> for Span {
    fn from((issued, done): (Nanos, Nanos)) -> Self {
        Self {
            issued,
            first: done,
            done,
            answered: true,
        }
    }
}

/// When the requests of one run were released, in that order, and when they ended, in ascending order.
pub(super) struct Spans {
    issued: Vec<Nanos>,
    done: Vec<Nanos>,
    /// Seconds until the first token and in all, in the order of release; absent of those that were not answered.
    seconds: Vec<Option<[f64; 2]>>,
}

/// What was seen with each number of requests in flight, until the last one of each run was released.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Levels {
    /// Seconds with so many in flight.
    pub(super) seconds: Vec<f64>,
    /// Requests that ended when so many were.
    pub(super) ended: Vec<f64>,
    /// From the first release of each run to its last, together.
    pub(super) span: f64,
    /// Releases.
    pub(super) released: f64,
}

impl Spans {
    /// Of requests in the order of their release.
    pub(super) fn new<S: Into<Span>>(requests: impl IntoIterator<Item = S>) -> Self {
        let (mut issued, mut done, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
        for request in requests {
            let span: Span = request.into();
            issued.push(span.issued);
            done.push(span.done.max(span.issued));
            let until = [span.first, span.done].map(|end| end.since(span.issued).seconds());
            seconds.push(span.answered.then_some(until));
        }
        done.sort_unstable();
        Self {
            issued,
            done,
            seconds,
        }
    }

    /// Those that were answered.
    pub(super) fn took(&self) -> Vec<Took> {
        let mut took = Vec::with_capacity(self.seconds.len());
        let mut seconds = self.seconds.iter();
        self.sweep(|found, _, is_end| {
            if !is_end {
                let answered = seconds.next().copied().flatten();
                took.extend(answered.map(|[first, seconds]| Took {
                    found,
                    first,
                    seconds,
                }));
            }
        });
        took
    }

    /// When they were released.
    pub(super) fn issued(&self) -> &[Nanos] {
        &self.issued
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

    /// How many each request found in flight when it was released. Adds what was seen to `levels`.
    pub(super) fn found(&self, levels: &mut Levels) -> Vec<u32> {
        let mut found = Vec::with_capacity(self.issued.len());
        self.sweep(|level, seconds, is_end| {
            if levels.seconds.len() <= level {
                levels.seconds.resize(level + 1, 0.0);
                levels.ended.resize(level + 1, 0.0);
            }
            levels.seconds[level] += seconds;
            if is_end {
                levels.ended[level] += 1.0;
            } else {
                found.push(u32::try_from(level).unwrap_or(u32::MAX));
            }
        });
        if let [first, .., last] = self.issued[..] {
            levels.span += (last - first).seconds();
        }
        levels.released += self.issued.len() as f64;
        found
    }

    /// Seconds from end to end while that many or more are in flight, by the clock of that time alone.
    fn gaps(&self, least: usize) -> Vec<f64> {
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
        gaps
    }
}

/// The index of dispersion for intervals (Cox and Lewis, *The Statistical Analysis of Series of Events*, 1966, section
/// 4.6) of the ends while that many or more are in flight: how much their number varies, where that of independent ones
/// varies by 1. 1 where they are too few to say.
pub(super) fn dispersion(runs: &[Spans], least: usize) -> f64 {
    let gaps: Vec<f64> = runs.iter().flat_map(|run| run.gaps(least)).collect();
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

/// The rising values that are nearest to `values` by weighted squares: neighbours that fall are pooled (Ayer and others,
/// "An empirical distribution function for sampling with incomplete information", 1955). What has no weight has the value
/// of its neighbour below, or of the first one that has some.
pub(crate) fn rising(values: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut leading = 0;
    for (value, weight) in values {
        if weight <= 0.0 {
            match pools.last_mut() {
                Some(below) => below.2 += 1,
                None => leading += 1,
            }
            continue;
        }
        let mut last = (value, weight, 1 + std::mem::take(&mut leading));
        while let Some((before, weight, count)) = pools.pop_if(|pool| pool.0 > last.0) {
            let both = weight + last.1;
            last = (
                (before * weight + last.0 * last.1) / both,
                both,
                count + last.2,
            );
        }
        pools.push(last);
    }
    let each = |&(value, _, count): &(f64, f64, usize)| std::iter::repeat_n(value, count);
    let known = pools.iter().flat_map(each);
    // Where nothing has weight, nothing is known.
    known.chain(std::iter::repeat_n(0.0, leading)).collect()
}
