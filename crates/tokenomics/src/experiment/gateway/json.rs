//! The result file: the keys of `LiteLLM`'s script, and what was measured beside.

use super::names::Names;
use super::placement::{Pair, Placement};
use super::results::{AddedBoth, LoopStats, Results, StartView};
use serde_json::{Map, Value, json};
use stats::{ADDED_QUANTILES, Added, Estimate, StreamHarm, StreamShape, Told};
use std::path::Path;

/// Of the parts that `LiteLLM`'s script does not have.
const SCHEMA_VERSION: u32 = 1;

pub(super) fn results(
    names: &Names<'_>,
    metadata: &Map<String, Value>,
    results: &Results,
    log: Option<&Path>,
) -> Value {
    let loops = &results.loops;
    let difference =
        |of: fn(&LoopStats) -> Option<f64>| Some(of(&loops.through)? - of(&loops.direct)?);
    let full = names.measures_full_stream.then(|| loop_stats(&loops.full));
    let passes = results.passes.iter().map(|pass| {
        json!({
            "direct_non_streaming": loop_stats(&pass.direct),
            "proxy_non_streaming": loop_stats(&pass.through),
            "proxy_streaming_ttft": loop_stats(&pass.first_token),
            "proxy_streaming_full": loop_stats(&pass.full),
        })
    });
    json!({
        "label": names.label,
        "revision": names.revision,
        "direct_non_streaming": loop_stats(&loops.direct),
        "proxy_non_streaming": loop_stats(&loops.through),
        "proxy_streaming_ttft": loop_stats(&loops.first_token),
        "proxy_streaming_full": full,
        "client_observed_overhead_p50_ms": difference(|stats| stats.latency.map(|latency| latency.p50)),
        "client_observed_overhead_p95_ms": difference(|stats| stats.latency.map(|latency| latency.p95)),
        "proxy_log_path": log.map(|log| log.display().to_string()),
        "schema_version": SCHEMA_VERSION,
        "metadata": metadata,
        "direct_streaming_ttft": loop_stats(&loops.direct_first_token),
        "direct_streaming_full": loop_stats(&loops.direct_full),
        "passes": passes.collect::<Vec<_>>(),
        "added_ms": {
            "whole": results.whole.as_ref().map(added_both),
            "streams": results.streams.as_ref().map(|streams| {
                let of = |(name, value): &(&str, AddedBoth)| (name.replace(' ', "_"), added_both(value));
                streams.iter().map(of).collect::<Map<_, _>>()
            }),
            "at_rate": results.at_rate.map(quantiles),
            "rate": names.rate,
        },
        "starts": {
            "count": results.starts.len(),
            "new_gateway": results.gateway_is_new,
            "new_mock": results.gateway_is_new && results.mock_is_ours,
            "kernel_stamps": results.kernel_stamps,
            "each": results.starts.iter().map(start).collect::<Vec<_>>(),
        },
        "streams": {
            "direct": results.shapes.map(|(direct, _)| shape(direct)),
            "through": results.shapes.map(|(_, through)| shape(through)),
            "harm": results.harm.iter().map(|harm| match harm {
                StreamHarm::Buffered => "buffered",
                StreamHarm::Merged => "merged",
                StreamHarm::Lost => "lost",
            }).collect::<Vec<_>>(),
        },
        "processor_seconds": results.usage.iter().map(|(phase, usage)| {
            let seconds = |used: Option<std::time::Duration>| used.map(|used| used.as_secs_f64());
            (phase.key().to_owned(), json!({
                "wall": usage.wall.as_secs_f64(),
                "client": usage.client.as_secs_f64(),
                "mock": seconds(usage.mock),
                "gateway": seconds(usage.gateway),
            }))
        }).collect::<Map<_, _>>(),
        "verdict": results.verdict,
    })
}

/// The keys of `LiteLLM`'s script.
fn loop_stats(stats: &LoopStats) -> Value {
    let latency = |of: fn(&super::results::Figures) -> f64| stats.latency.as_ref().map(of);
    let overhead = |of: fn(&super::results::Figures) -> f64| stats.overhead.as_ref().map(of);
    json!({
        "requests": stats.requests,
        "failures": stats.failures,
        "rps": stats.rps,
        "mean_ms": latency(|f| f.mean),
        "p50_ms": latency(|f| f.p50),
        "p95_ms": latency(|f| f.p95),
        "p99_ms": latency(|f| f.p99),
        "overhead_header_mean_ms": overhead(|f| f.mean),
        "overhead_header_p50_ms": overhead(|f| f.p50),
        "overhead_header_p95_ms": overhead(|f| f.p95),
    })
}

fn estimate(estimate: Estimate) -> Value {
    json!({
        "value": estimate.value,
        "low": estimate.interval.map(|interval| interval.low),
        "high": estimate.interval.map(|interval| interval.high),
    })
}

fn quantiles(estimates: [Estimate; 3]) -> Value {
    let name = |probability: f64| format!("p{:.0}", probability * 100.0);
    let pairs = ADDED_QUANTILES.iter().zip(estimates);
    pairs
        .map(|(probability, value)| (name(*probability), estimate(value)))
        .collect::<Map<_, _>>()
        .into()
}

/// By the kernel's stamps, and beside it what a client sees.
fn added_both(both: &AddedBoth) -> Value {
    let mut value = added(&both.arrived);
    value["client"] = added(&both.read);
    value
}

fn start(start: &StartView) -> Value {
    let [direct, through] = start.woken;
    json!({
        "start": start.arrived.start + 1,
        "regime": start.regime + 1,
        "turns": start.arrived.turns,
        "added_ms": start.arrived.paired_median,
        "client_ms": start.read.paired_median,
        "floor_ms": start.arrived.floor,
        "direct_p50_ms": start.arrived.direct_p50,
        "through_p50_ms": start.arrived.through_p50,
        "client_direct_p50_ms": start.read.direct_p50,
        "client_through_p50_ms": start.read.through_p50,
        "woken_direct_p50_ms": direct,
        "woken_through_p50_ms": through,
        "placement": placement(&start.placement),
    })
}

fn placement(placement: &Placement) -> Value {
    let sleeps = placement.sleeps;
    json!({
        "processors": placement.usual().map(|(processors, share)| json!({
            "client": processors.client,
            "mock": processors.mock,
            "gateway": processors.gateway,
            "share_of_looks": share,
        })),
        "on_one_processor": {
            "client_and_mock": placement.together(Pair::ClientMock),
            "client_and_gateway": placement.together(Pair::ClientGateway),
            "mock_and_gateway": placement.together(Pair::MockGateway),
        },
        "sleeps_per_request": {
            "client": sleeps.client,
            "mock": sleeps.mock,
            "gateway": sleeps.gateway,
        },
    })
}

fn added(added: &Added) -> Value {
    json!({
        "turns": added.turns,
        "paired_median": estimate(added.paired_median),
        "quantile_differences": quantiles(added.quantiles),
        "floor": estimate(added.floor),
        "direct_p50": added.direct_p50,
        "through_p50": added.through_p50,
        "told": match added.told {
            Told::Adds => "adds",
            Told::Saves => "saves",
            Told::Nothing => "nothing",
            Told::TooFew => "too_few",
        },
    })
}

fn shape(shape: StreamShape) -> Value {
    json!({"events": shape.events, "reads": shape.reads, "spread_ms": shape.spread_ms})
}
