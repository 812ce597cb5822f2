//! Starts that are of different kinds.

use super::StartAdded;

/// A latency that is so many times another one is not of the same kind: a thread that has to be woken on a processor
/// that sleeps takes several times as long as one that takes over the processor of who woke it, and nothing between two
/// starts of one kind differs by half.
const APART: f64 = 1.5;

/// Less than this is no regime, however small the latencies are: in milliseconds.
const APART_MIN_MS: f64 = 0.002;

/// The starts in groups, each by its place among `starts`, those with the fastest answers first. There is one group
/// where nothing sets them apart. What answers directly take sets them apart, and where that does not, what they take
/// through what is in between.
pub fn regimes(starts: &[StartAdded]) -> Vec<Vec<usize>> {
    let direct = apart(starts, |start| start.direct_p50);
    if direct.len() > 1 {
        return direct;
    }
    apart(starts, |start| start.through_p50)
}

fn apart(starts: &[StartAdded], of: fn(&StartAdded) -> f64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by(|a, b| of(&starts[*a]).total_cmp(&of(&starts[*b])));
    let groups = order.chunk_by(|a, b| {
        let (a, b) = (of(&starts[*a]), of(&starts[*b]));
        b <= a * APART || b - a < APART_MIN_MS
    });
    groups
        .map(|group| {
            let mut group = group.to_vec();
            group.sort_unstable();
            group
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{StartAdded, regimes};

    fn starts(of: &[(f64, f64)]) -> Vec<StartAdded> {
        let start = |(start, (direct_p50, through_p50)): (usize, &(f64, f64))| StartAdded {
            start,
            turns: 100,
            paired_median: through_p50 - direct_p50,
            floor: 0.0,
            direct_p50: *direct_p50,
            through_p50: *through_p50,
        };
        of.iter().enumerate().map(start).collect()
    }

    #[test]
    fn starts_whose_direct_answers_take_several_times_as_long_are_of_another_kind() {
        let mixed = starts(&[(0.048, 0.09), (0.0056, 0.02), (0.051, 0.09), (0.0061, 0.02)]);
        assert_eq!(regimes(&mixed), [[1, 3], [0, 2]]);
    }

    #[test]
    fn starts_that_differ_only_through_the_gateway_are_told_apart_too() {
        let mixed = starts(&[(0.01, 0.09), (0.011, 0.03), (0.0105, 0.1)]);
        assert_eq!(regimes(&mixed), [vec![1], vec![0, 2]]);
    }

    #[test]
    fn what_varies_by_a_little_is_one_kind() {
        let alike = starts(&[(0.048, 0.09), (0.041, 0.08), (0.055, 0.1)]);
        assert_eq!(regimes(&alike), [[0, 1, 2]]);
        // A microsecond is none, though it is twice as much.
        assert_eq!(regimes(&starts(&[(0.001, 0.09), (0.002, 0.09)])), [[0, 1]]);
        assert!(regimes(&[]).is_empty());
    }
}
