//! How often the intervals that a user sees hold the truth, run by run: simulated servers whose truth is known, through the
//! summary of the product.
//!
//! An interval that is left out where a run looks busy is a selection. So what counts is how many hold *of those that are
//! shown*.

mod cells;
pub(crate) mod comparisons;
mod tally;
mod truth;

use anyhow::{Context, ensure};
use cells::{Cell, cells};
use std::num::NonZero;
use std::thread;
use tally::Tally;
use truth::{Truths, run_truths, steady_truths};

/// Of a hundred intervals that are shown, so many are to hold.
const HELD_MIN: f64 = 0.93;

/// Where fewer runs than this share show one, nobody goes by it.
const SHOWN_MIN: f64 = 0.05;

/// Runs of the quick table, and its longest ones.
const QUICK_RUNS: u64 = 200;
const QUICK_REQUESTS_MAX: usize = 3_000;

#[derive(Debug, clap::Args)]
pub(crate) struct CoverageArgs {
    /// Simulated runs of each cell
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Only cells with this in their name, as `M/M/1 0.84 600`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Only runs of so many requests
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    requests: Vec<usize>,
    /// 200 runs of each cell, and none longer than 3,000 requests
    #[arg(long, conflicts_with = "runs")]
    quick: bool,
}

/// The numbers whose intervals are looked at.
pub(crate) const NUMBERS: [&str; 6] = ["mean", "p50", "p90", "p99", "good", "rate"];

pub(crate) fn run(args: &CoverageArgs) -> anyhow::Result<()> {
    let runs = if args.quick { QUICK_RUNS } else { args.runs };
    let asked = |cell: &Cell| {
        let name = cell.name();
        let named = |pattern: &String| name.contains(pattern.as_str());
        (args.only.is_empty() || args.only.iter().any(named))
            && (args.requests.is_empty() || args.requests.contains(&cell.requests))
            && !(args.quick && cell.requests > QUICK_REQUESTS_MAX)
    };
    let cells: Vec<Cell> = cells().into_iter().filter(asked).collect();
    ensure!(
        !cells.is_empty(),
        "no cell is named like that; names are like `{}`",
        crate::coverage::cells::cells()[0].name()
    );
    println!(
        "{runs} simulated runs of each cell, each from an empty server on; 95 % intervals of `e2e`, of the share that is \
         good (`e2e` of 66 ms at most), and of the rate of the steady part.\nheld: of those shown, how many hold what all requests of such runs have together, and its own 95 % \
         interval; each: how many hold what such a run has on average; steady: that of a run without end.\n"
    );
    println!("{}", tally::HEADING);
    let (mut shown, mut missed) = (0, 0);
    let mut known: Option<(Cell, Truths)> = None;
    for cell in cells {
        let steady = match known.take() {
            Some((of, truths)) if of.queue == cell.queue => truths,
            _ => steady_truths(&cell)?,
        };
        let tallies = look(&cell, runs, &steady)?;
        known = Some((cell.clone(), steady));
        for (tally, number) in tallies.iter().zip(NUMBERS) {
            println!("{}", tally.row(&cell, number));
            if tally.shown_share() >= SHOWN_MIN {
                shown += 1;
                missed += u32::from(tally.is_below(HELD_MIN));
            }
        }
    }
    println!("\n{shown} intervals are shown in at least 5 of 100 runs.");
    ensure!(
        missed == 0,
        "of {shown} intervals {missed} hold in fewer than 93 of 100 of the runs that show them"
    );
    println!("None holds in fewer than 93 of 100 of them by more than chance.");
    Ok(())
}

/// One cell's tallies, in the order of [`NUMBERS`].
fn look(cell: &Cell, runs: u64, steady: &Truths) -> anyhow::Result<[Tally; NUMBERS.len()]> {
    let [mut of_all, of_each] = run_truths(cell)?;
    let found = in_parallel(runs, |run| cell.numbers(run));
    let found: Vec<_> = found.into_iter().collect::<anyhow::Result<_>>()?;
    // What such runs say of their rate on average: the steady part of a run is found by the product.
    let rates: Vec<f64> = found.iter().filter_map(|numbers| numbers.rate).collect();
    of_all[NUMBERS.len() - 1] = stats::MeanStd::of(&rates).map(|rates| rates.mean);
    let mut tallies = [Tally::default(); NUMBERS.len()];
    for numbers in &found {
        let each = tallies.iter_mut().zip(numbers.intervals);
        let truths = of_all.iter().zip(&of_each).zip(steady);
        for ((tally, interval), ((&of_all, &of_each), &steady)) in each.zip(truths) {
            tally.add(interval, [of_all, of_each, steady]);
        }
    }
    Ok(tallies)
}

/// The values of `each` for 0 to `count`, in that order, worked out on every processor.
pub(crate) fn in_parallel<T: Send>(count: u64, each: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let numbers: Vec<u64> = (0..count).collect();
    let part = |numbers: &[u64]| numbers.iter().map(|&number| each(number)).collect();
    let part = &part;
    thread::scope(|scope| {
        let parts = numbers.chunks(numbers.len().div_ceil(workers).max(1));
        let begun: Vec<_> = parts
            .map(|numbers| scope.spawn(move || -> Vec<T> { part(numbers) }))
            .collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .flat_map(|values| values.expect("a simulation does not panic"))
            .collect()
    })
}

/// The summary's only point.
pub(crate) fn only_point(summary: stats::Summary) -> anyhow::Result<stats::PointSummary> {
    let first = summary.points.into_iter().next();
    first.context("a simulated run has no point")
}

#[cfg(test)]
mod tests {
    use super::cells::cells;
    use super::in_parallel;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_worked_out_side_by_side_comes_in_order() {
        for count in [0, 1, 2, 101] {
            let expected: Vec<u64> = (0..count).map(|number| number * number).collect();
            assert_eq!(in_parallel(count, |number| number * number), expected);
        }
    }

    #[test]
    fn every_cell_can_be_asked_for_by_a_name_of_its_own() {
        let cells = cells();
        let names: BTreeSet<String> = cells.iter().map(super::Cell::name).collect();
        assert_eq!(names.len(), cells.len());
        assert!(names.contains("M/G/8 lognormal 0.84 600"));
    }

    #[test]
    fn a_run_is_the_same_whenever_it_is_asked_for_and_no_two_share_their_chance() {
        let cells = cells();
        let [one, other] = [&cells[0], &cells[1]];
        assert_eq!(one.trips(0, 5, 50), one.trips(0, 5, 50));
        assert_ne!(one.trips(0, 5, 50), one.trips(0, 6, 50));
        assert_ne!(one.trips(0, 5, 50), one.trips(1, 5, 50));
        assert_ne!(one.trips(0, 5, 50), other.trips(0, 5, 50));
    }
}
