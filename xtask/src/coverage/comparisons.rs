//! What comparisons of simulated servers find: nothing between two of one kind, and a slower one with as many requests as
//! the first comparison asks for.

use crate::coverage::cells::{Cell, lognormal_of_eight};
use crate::coverage::in_parallel;
use stats::{CompareOptions, Judgement, Summary, summarize_saved};
use testkit::queues::saved;

/// Parts of the server's capacity.
const LOADS: [f64; 3] = [0.67, 0.84, 0.9];

#[derive(Debug, clap::Args)]
pub(crate) struct ComparisonsArgs {
    /// Pairs of runs of each load
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pairs: u64,
    /// Requests of the first runs
    #[arg(long, default_value_t = 600)]
    requests: usize,
    /// How much slower the other server is, in percent
    #[arg(long, default_value_t = 5.0)]
    slower: f64,
    /// The smallest change that matters, in percent
    #[arg(long, default_value_t = 3.0)]
    min_effect: f64,
}

/// What became of one pair.
struct Pair {
    alike: Judgement,
    first: Judgement,
    needed: u64,
    second: Judgement,
}

pub(crate) fn run(args: &ComparisonsArgs) {
    println!(
        "{} pairs of runs on a server of eight places; the other one is {} % slower.\n",
        args.pairs, args.slower
    );
    println!(
        "load   requests  alike: worse  same   slower: worse   asked for (median)  with so many: worse"
    );
    for load in LOADS {
        let pairs = in_parallel(args.pairs, |pair| of_pair(args, load, pair));
        let mut needed: Vec<u64> = pairs.iter().map(|pair| pair.needed).collect();
        needed.sort_unstable();
        let count = |judgement: &dyn Fn(&Pair) -> Judgement, is: Judgement| {
            pairs.iter().filter(|pair| judgement(pair) == is).count()
        };
        println!(
            "{load:<6} {:>8}  {:>12}  {:>4}   {:>13}   {:>18}  {:>19}",
            args.requests,
            count(&|pair| pair.alike, Judgement::Worse),
            count(&|pair| pair.alike, Judgement::Same),
            count(&|pair| pair.first, Judgement::Worse),
            needed[needed.len() / 2],
            count(&|pair| pair.second, Judgement::Worse),
        );
    }
}

fn of_pair(args: &ComparisonsArgs, load: f64, pair: u64) -> Pair {
    let base = lognormal_of_eight(load, args.requests);
    let mut slower = base.clone();
    slower.queue.mean_seconds *= 1.0 + args.slower / 100.0;
    let options = CompareOptions {
        metrics: None,
        min_effect: args.min_effect / 100.0,
        together: 1,
    };
    let compare = |base: &Summary, other: &Summary| stats::compare(base, other, &options);
    let before = summary(&base, 2 * pair, args.requests);
    let alike = compare(&before, &summary(&base, 2 * pair + 1, args.requests)).judgement;
    let first = compare(&before, &summary(&slower, 2 * pair + 1, args.requests));
    let needed = first.requests_needed.unwrap_or(args.requests as u64);
    let requests = usize::try_from(needed).unwrap_or(usize::MAX);
    // Other runs than those that were asked how many.
    let later = 2 * (args.pairs + pair);
    let second = compare(
        &summary(&base, later, requests),
        &summary(&slower, later + 1, requests),
    );
    Pair {
        alike,
        first: first.judgement,
        needed,
        second: second.judgement,
    }
}

fn summary(cell: &Cell, run: u64, requests: usize) -> Summary {
    let trips = cell.trips(0, run, requests);
    summarize_saved(&saved(&trips, cell.queue.arrivals))
}
