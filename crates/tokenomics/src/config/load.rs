//! The points that are measured: batch sizes, concurrencies or rates.

use super::arrivals::NamedArrival;
use super::{limits, positive};
use crate::failure::Failure;
use trace::{Nanos, Pacing, PointInfo, Stop};

/// What was typed of the load, by any verb that has these flags.
pub(crate) struct TypedLoad<'a> {
    pub(crate) batch_sizes: Option<&'a str>,
    pub(crate) batch_sizes_default: &'static str,
    pub(crate) max_concurrency: Option<&'a str>,
    pub(crate) request_rate: Option<&'a str>,
    /// What is more than a rate; instead of `request_rate` where there is one.
    pub(crate) arrivals: Vec<NamedArrival>,
    pub(crate) burstiness: f64,
    pub(crate) num_prompts: Option<usize>,
    pub(crate) duration: Option<f64>,
    /// Whether runs follow each other until they are precise, for that duration at most.
    pub(crate) until: bool,
    pub(crate) num_runs: Option<u32>,
    pub(crate) warmup_runs: u32,
    pub(crate) seed: u64,
}

/// The points that are measured, and how often.
pub(crate) struct Load {
    pub(crate) points: Vec<Point>,
    pub(crate) runs: u32,
    /// The most time that measured runs of a point may take together, where they go on until they are
    /// precise.
    pub(crate) budget: Option<Nanos>,
    pub(crate) warmup_runs: u32,
    pub(crate) seed: u64,
}

/// The most runs of a point that goes on until it is precise.
const BLOCKS_MAX: u32 = 100;
/// The time that they have where none is given: ten minutes.
const BUDGET: f64 = 600.0;

/// One batch size, concurrency or rate.
pub(crate) struct Point {
    pub(crate) info: PointInfo,
    /// Requests of a measured run; an open plan with a deadline has its own number.
    pub(crate) requests: usize,
    pub(crate) stop: Stop,
}

impl Load {
    /// Whether requests arrive whatever the server does.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.points[0].info.pacing, Pacing::Open { .. })
    }

    /// Checks what was typed of the load.
    pub(crate) fn resolve(args: &TypedLoad<'_>) -> Result<Self, Failure> {
        let points = points(args)?;
        let bursts = matches!(points[0].info.pacing, Pacing::Burst { .. });
        let budget = match (args.until, args.duration) {
            (false, _) => None,
            (true, seconds) => {
                let seconds = seconds.unwrap_or(BUDGET);
                Some(Nanos(positive("--duration", "seconds", seconds)?))
            }
        };
        let runs = match (budget, args.num_runs) {
            (Some(_), _) => BLOCKS_MAX,
            (None, Some(runs)) => runs,
            (None, None) if bursts => 3,
            (None, None) => 1,
        };
        if runs == 0 {
            return Err(Failure::usage(
                "--num-runs must be at least 1, got 0; leave it out for 3 runs of bursts, 1 otherwise",
            ));
        }
        limits::RUNS.check(runs.into())?;
        limits::WARMUP_RUNS.check(args.warmup_runs.into())?;
        Ok(Load {
            points,
            runs,
            budget,
            warmup_runs: args.warmup_runs,
            seed: args.seed,
        })
    }
}

fn points(args: &TypedLoad<'_>) -> Result<Vec<Point>, Failure> {
    if args.num_prompts == Some(0) {
        return Err(Failure::usage(
            "--num-prompts must be at least 1, got 0; leave it out for a number that fits the load",
        ));
    }
    let stop = match args.duration {
        None => Stop::AllRequests,
        // It is the time of all runs together.
        Some(_) if args.until => Stop::AllRequests,
        Some(seconds) => {
            let after = Nanos(positive("--duration", "seconds", seconds)?);
            match args.num_prompts {
                None => Stop::Deadline { after },
                Some(_) => Stop::AllRequestsWithin { after },
            }
        }
    };
    if !args.arrivals.is_empty() {
        return named_points(args, stop);
    }
    if let Some(rates) = args.request_rate {
        return open_points(args, rates, stop);
    }
    if let Some(concurrency) = args.max_concurrency {
        let levels = list("--max-concurrency", concurrency)?;
        return Ok(levels
            .into_iter()
            .map(|concurrency| Point {
                info: PointInfo {
                    key: concurrency.to_string(),
                    pacing: Pacing::Closed { concurrency },
                },
                requests: args
                    .num_prompts
                    .unwrap_or_else(|| 64.max(8 * concurrency as usize)),
                stop,
            })
            .collect());
    }
    if args.duration.is_some() && !args.until || args.num_prompts.is_some() {
        return Err(Failure::usage(
            "--duration and --num-prompts need a load that goes on; \
             add --max-concurrency N or --request-rate R",
        ));
    }
    let sizes = list(
        "--batch-sizes",
        args.batch_sizes.unwrap_or(args.batch_sizes_default),
    )?;
    Ok(sizes
        .into_iter()
        .map(|size| Point {
            info: PointInfo {
                key: size.to_string(),
                pacing: Pacing::Burst { size },
            },
            requests: size as usize,
            stop,
        })
        .collect())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of requests; `as` saturates, and a plan has a limit of its own"
)]
fn open_points(args: &TypedLoad<'_>, rates: &str, stop: Stop) -> Result<Vec<Point>, Failure> {
    /// How much arrival time the default number of requests covers.
    const SECONDS: f64 = 30.0;
    let max_concurrency = cap(args)?;
    let rates = numbers("--request-rate", rates)?;
    rates
        .into_iter()
        .map(|rate| {
            let arrival = workload::arrival_for(rate, args.burstiness).map_err(Failure::usage)?;
            Ok(Point {
                info: PointInfo {
                    key: rate.to_string(),
                    pacing: Pacing::Open {
                        arrival,
                        max_concurrency,
                    },
                },
                requests: args
                    .num_prompts
                    .unwrap_or_else(|| 64.max((rate * SECONDS).ceil() as usize)),
                stop,
            })
        })
        .collect()
}

/// A point for each arrival process that is more than a rate.
fn named_points(args: &TypedLoad<'_>, stop: Stop) -> Result<Vec<Point>, Failure> {
    let max_concurrency = cap(args)?;
    let point = |named: &NamedArrival| Point {
        info: PointInfo {
            key: named.key.clone(),
            pacing: Pacing::Open {
                arrival: named.arrival,
                max_concurrency,
            },
        },
        requests: args.num_prompts.unwrap_or(named.requests),
        stop,
    };
    Ok(args.arrivals.iter().map(point).collect())
}

/// The most requests in flight of an open loop.
fn cap(args: &TypedLoad<'_>) -> Result<Option<u32>, Failure> {
    let Some(caps) = args.max_concurrency else {
        return Ok(None);
    };
    match list("--max-concurrency", caps)?[..] {
        [cap] => Ok(Some(cap)),
        _ => Err(Failure::usage(format!(
            "--max-concurrency is one cap of an open loop, got `{caps}`; give one number, or leave \
             the arrivals out"
        ))),
    }
}

/// Whole numbers from 1 on, separated by commas, none twice.
pub(crate) fn list(flag: &str, text: &str) -> Result<Vec<u32>, Failure> {
    let refuse = |item: &str| {
        Failure::usage(format!(
            "{flag} must be whole numbers from 1 to {}, separated by commas, got `{item}`; \
             write it like 1,2,4,8",
            u32::MAX
        ))
    };
    let mut values = Vec::new();
    for item in text.split(',').map(str::trim) {
        let value = item.parse::<u32>().map_err(|_| refuse(item))?;
        if value == 0 {
            return Err(refuse(item));
        }
        if values.contains(&value) {
            return Err(Failure::usage(format!("{flag} names {item} twice")));
        }
        values.push(value);
    }
    Ok(values)
}

/// Numbers separated by commas, none twice.
pub(crate) fn numbers(flag: &str, text: &str) -> Result<Vec<f64>, Failure> {
    let mut values = Vec::new();
    for item in text.split(',').map(str::trim) {
        let value: f64 = item.parse().map_err(|_| {
            Failure::usage(format!(
                "{flag} must be numbers separated by commas, got `{item}`; write it like 2,4,8"
            ))
        })?;
        if values.contains(&value) {
            return Err(Failure::usage(format!("{flag} names {item} twice")));
        }
        values.push(value);
    }
    Ok(values)
}
