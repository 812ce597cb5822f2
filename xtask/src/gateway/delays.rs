//! A relay whose delay is known.

use super::reported::{Measurement, measure};
use super::{GatewayArgs, mean, median, on};
use crate::pinned::{CLIENT_CPU, SERVER_CPU};
use anyhow::Result;
use clap::Args;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use testkit::{Relay, RelayOptions};

#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    listen: SocketAddr,
    /// `http://HOST:PORT`
    upstream: String,
    delay_us: u64,
}

/// A relay that adds so much to each answer: what [`run`] measures.
pub(crate) fn relay(args: &RelayArgs) -> Result<()> {
    let upstream = args.upstream.trim_start_matches("http://").parse()?;
    let options = RelayOptions {
        delay: Duration::from_micros(args.delay_us),
        ..RelayOptions::default()
    };
    Relay::bind(args.listen, upstream, options)?.serve();
    Ok(())
}

/// Prints, for each delay, what was reported beyond what the relay adds without one, and how often that was held.
pub(super) fn run(args: &GatewayArgs, program: &Path) -> Result<()> {
    let own = std::env::current_exe()?;
    let mut all: BTreeMap<u64, Vec<Measurement>> = BTreeMap::new();
    let none = (!args.delays.contains(&0)).then_some(&0);
    for round in 0..args.rounds {
        for delay in args.delays.iter().chain(none) {
            let pin = if args.pinned {
                format!("taskset -c {SERVER_CPU} ")
            } else {
                String::new()
            };
            let command = format!(
                "{pin}'{}' bench relay {{host}}:{{port}} {{provider_url}} {delay}",
                own.display()
            );
            let gateway = ["--gateway", "custom", "--proxy-command", &command];
            let more = [&gateway[..], &["--provider-port", "0"]].concat();
            let measured = measure(on(CLIENT_CPU, program, args.pinned), args, round, &more)?;
            all.entry(*delay).or_default().push(measured);
        }
    }
    println!(
        "A relay with a known delay, {}{}, {} rounds of {} s:",
        if args.pinned {
            format!("client and mock on processor {CLIENT_CPU}, the relay on {SERVER_CPU}")
        } else {
            "nothing pinned".to_owned()
        },
        if args.awake {
            ", processors kept awake"
        } else {
            ""
        },
        args.rounds,
        args.seconds
    );
    for (name, of) in [
        (
            "added",
            (|measured| measured.added) as fn(&Measurement) -> super::reported::Reported,
        ),
        ("a client sees", |measured| measured.client),
    ] {
        // What the relay itself takes is the same whatever it adds.
        let hop = mean(all[&0].iter().map(|measured| of(measured).value));
        println!("{name}: the relay alone takes {hop:.1} µs");
        println!(
            "{:>12} {:>14} {:>10} {:>12} {:>18}",
            "injected µs", "reported − hop", "error µs", "half-width", "truth in interval"
        );
        for (delay, measured) in &all {
            let truth = *delay as f64 + hop;
            let value = mean(measured.iter().map(|measured| of(measured).value));
            let half = median(
                measured
                    .iter()
                    .map(|measured| of(measured).half_width())
                    .collect(),
            );
            let holds = measured
                .iter()
                .filter(|measured| of(measured).holds(truth))
                .count();
            println!(
                "{delay:>12} {:>14.1} {:>10.1} {half:>12.1} {holds:>11} of {:<3}",
                value - hop,
                value - truth,
                measured.len()
            );
        }
    }
    let measured = all.values().flatten();
    let held = measured
        .clone()
        .filter(|measured| measured.floor.holds(0.0))
        .count();
    println!(
        "Direct against direct: no difference in {held} of {}.",
        measured.count()
    );
    Ok(())
}
