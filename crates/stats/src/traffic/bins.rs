//! Numbers of requests in flight, taken together where there are many.

/// Up to so many, each number is a bin of its own.
const EXACT: usize = 32;

/// From bin to bin beyond.
const GROWTH: f64 = 1.15;

/// More are as many as these.
const LEVEL_MAX: usize = 20_000;

/// Which levels belong together: few enough to look at each, fine enough to see a queue grow.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    /// Of each level.
    of: Vec<u16>,
    /// The mean level of each bin.
    middle: Vec<f64>,
}

impl Bins {
    /// Those that every run has.
    pub(crate) fn new() -> Self {
        let mut of: Vec<u16> = Vec::with_capacity(LEVEL_MAX + 1);
        let mut middle = Vec::new();
        let (mut begin, mut end) = (0, 1);
        while begin <= LEVEL_MAX {
            let bin = u16::try_from(middle.len()).unwrap_or(u16::MAX);
            of.resize(end.min(LEVEL_MAX + 1), bin);
            middle.push((begin + end - 1) as f64 / 2.0);
            begin = end;
            end = if begin < EXACT {
                begin + 1
            } else {
                grown(begin)
            };
        }
        Self { of, middle }
    }

    /// The bin of a level.
    pub(crate) fn of(&self, level: usize) -> usize {
        usize::from(self.of[level.min(LEVEL_MAX)])
    }

    /// The mean level of a bin.
    pub(crate) fn middle(&self, bin: usize) -> f64 {
        self.middle[bin]
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a level is small and positive"
)]
fn grown(begin: usize) -> usize {
    (begin as f64 * GROWTH).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::{Bins, LEVEL_MAX};

    #[test]
    fn few_levels_have_a_bin_each_and_many_share_one() {
        let bins = Bins::new();
        for level in 0..=32 {
            assert_eq!(bins.of(level), level);
            assert!(
                (bins.middle(level) - if level < 32 { level as f64 } else { 34.0 }).abs() < 1e-12
            );
        }
        assert_eq!(bins.of(36), 32);
        assert_eq!(bins.of(37), 33);
        assert_eq!(bins.of(usize::MAX), bins.of(LEVEL_MAX));
        assert!(bins.of(LEVEL_MAX) < 100);
    }
}
