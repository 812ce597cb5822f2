//! nginx again and again: an interval over starts holds what other measurements say.

use super::reported::{Measurement, Reported, measure};
use super::{GatewayArgs, mean, median};
use crate::pinned::{CLIENT_CPU, SERVER_CPU, on_cpu};
use anyhow::Result;
use std::path::Path;

/// Prints how many intervals hold the mean of all values, and how wide they are.
pub(super) fn run(args: &GatewayArgs, program: &Path) -> Result<()> {
    let nginx = format!("taskset -c {SERVER_CPU} nginx");
    let more = [
        "--gateway",
        "nginx",
        "--provider-port",
        "0",
        "--proxy-command",
        &nginx,
    ];
    let mut all = Vec::new();
    for round in 0..args.rounds {
        all.push(measure(on_cpu(CLIENT_CPU, program), args, round, &more)?);
    }
    println!(
        "nginx, client and mock on processor {CLIENT_CPU}, nginx on {SERVER_CPU}, {} measurements of {} s:",
        args.rounds, args.seconds
    );
    held("added", &all, |measured| measured.added);
    held("a client sees", &all, |measured| measured.client);
    let mixed = all.iter().filter(|measured| measured.regimes > 1).count();
    let direct = |of: fn(f64, f64) -> f64, from| {
        all.iter()
            .map(|measured| measured.direct_p50)
            .fold(from, of)
    };
    println!(
        "Direct answers took {:.1} to {:.1} µs; {mixed} of {} had starts of several kinds.",
        direct(f64::min, f64::INFINITY),
        direct(f64::max, f64::NEG_INFINITY),
        all.len()
    );
    Ok(())
}

fn held(name: &str, all: &[Measurement], of: fn(&Measurement) -> Reported) {
    let values = || all.iter().map(|measured| of(measured).value);
    let truth = mean(values());
    let holds = all
        .iter()
        .filter(|measured| of(measured).holds(truth))
        .count();
    let half = median(
        all.iter()
            .map(|measured| of(measured).half_width())
            .collect(),
    );
    println!(
        "{name}: mean {truth:.1} µs, values from {:.1} to {:.1}; {holds} of {} intervals hold the mean, median \
         half-width {half:.1} µs ({:.0} %)",
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
        all.len(),
        100.0 * half / truth
    );
}
