//! The points that are measured: batch sizes, concurrencies or rates.

use super::arrivals::{NamedArrival, named_arrivals};
use super::checks::positive;
use super::lists::{list, numbers};
use crate::args::LoadArgs;
use crate::failure::Failure;
use crate::limits;
use stats::Precision;
use trace::{Nanos, Pacing, PointInfo, Stop};

/// The points that are measured, and how often.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) points: Vec<Point>,
    pub(crate) runs: u32,
    /// What ends the runs of a point before those are over.
    pub(crate) until: Option<Until>,
    pub(crate) warmup_runs: u32,
}

/// How precise a point has to become.
#[derive(Clone)]
pub(crate) struct Until {
    pub(crate) precision: Vec<Precision>,
    /// The most time that its measured runs may take together.
    pub(crate) budget: Nanos,
}

/// The most runs of a point that goes on until it is precise.
const BLOCKS_MAX: u32 = 100;
/// The time that they have where none is given: ten minutes.
const BUDGET: f64 = 600.0;

/// One batch size, concurrency or rate.
#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) info: PointInfo,
    /// Requests of a measured run; an open plan with a deadline has its own number.
    pub(crate) requests: usize,
    pub(crate) stop: Stop,
    /// Which of the task's prompts are sent.
    pub(crate) source: usize,
}

impl Point {
    /// So many requests in flight: of those as many as asked for, or as show that.
    pub(crate) fn closed(concurrency: u32, requests: Option<usize>, stop: Stop) -> Self {
        Self {
            info: PointInfo {
                key: concurrency.to_string(),
                pacing: Pacing::Closed { concurrency },
            },
            requests: requests.unwrap_or_else(|| 64.max(8 * concurrency as usize)),
            stop,
            source: 0,
        }
    }

    /// Requests that arrive at a rate, in requests per second.
    pub(crate) fn open(
        rate: f64,
        burstiness: f64,
        max_concurrency: Option<u32>,
        requests: usize,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let arrival = workload::arrival_for(rate, burstiness).map_err(Failure::usage)?;
        Ok(Self {
            info: PointInfo {
                key: rate.to_string(),
                pacing: Pacing::Open {
                    arrival,
                    max_concurrency,
                },
            },
            requests,
            stop,
            source: 0,
        })
    }
}

impl Load {
    /// Whether requests arrive whatever the server does.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.points[0].info.pacing, Pacing::Open { .. })
    }

    /// Checks what was typed of the load. `batch_sizes` are those that are measured where nothing was typed, `replay` is
    /// what a trace brings in place of a rate, and `precision` is what runs go on for.
    pub(super) fn resolve(
        args: &LoadArgs,
        batch_sizes: &str,
        replay: Option<NamedArrival>,
        precision: &[Precision],
    ) -> Result<Self, Failure> {
        let until = match precision {
            [] => None,
            precision => {
                let seconds = args.duration.unwrap_or(BUDGET);
                Some(Until {
                    precision: precision.to_vec(),
                    budget: Nanos(positive("--duration", "seconds", seconds)?),
                })
            }
        };
        let points = points(args, batch_sizes, replay, until.is_some())?;
        let bursts = matches!(points[0].info.pacing, Pacing::Burst { .. });
        let runs = match (&until, args.num_runs) {
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
            until,
            warmup_runs: args.warmup_runs,
        })
    }
}

fn points(
    args: &LoadArgs,
    batch_sizes: &str,
    replay: Option<NamedArrival>,
    until: bool,
) -> Result<Vec<Point>, Failure> {
    if args.num_prompts == Some(0) {
        return Err(Failure::usage(
            "--num-prompts must be at least 1, got 0; leave it out for a number that fits the load",
        ));
    }
    let stop = match args.duration {
        None => Stop::AllRequests,
        // It is the time of all runs together.
        Some(_) if until => Stop::AllRequests,
        Some(seconds) => {
            let after = Nanos(positive("--duration", "seconds", seconds)?);
            match args.num_prompts {
                None => Stop::Deadline { after },
                Some(_) => Stop::AllRequestsWithin { after },
            }
        }
    };
    let rates = args.request_rate.as_deref();
    let arrivals = match replay {
        Some(replay) => vec![replay],
        None => named_arrivals(&args.arrivals, rates, args.burstiness)?,
    };
    if !arrivals.is_empty() {
        return named_points(args, &arrivals, stop);
    }
    if let Some(rates) = rates {
        return open_points(args, rates, stop);
    }
    if let Some(concurrency) = args.max_concurrency.as_deref() {
        let levels = list("--max-concurrency", concurrency)?.into_iter();
        let closed = |level| Point::closed(level, args.num_prompts, stop);
        return Ok(levels.map(closed).collect());
    }
    if args.duration.is_some() && !until || args.num_prompts.is_some() {
        return Err(Failure::usage(
            "--duration and --num-prompts need a load that goes on; \
             add --max-concurrency N or --request-rate R",
        ));
    }
    let sizes = list(
        "--batch-sizes",
        args.batch_sizes.as_deref().unwrap_or(batch_sizes),
    )?;
    let burst = |size: u32| Point {
        info: PointInfo {
            key: size.to_string(),
            pacing: Pacing::Burst { size },
        },
        requests: size as usize,
        stop,
        source: 0,
    };
    Ok(sizes.into_iter().map(burst).collect())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of requests; `as` saturates, and a plan has a limit of its own"
)]
fn open_points(args: &LoadArgs, rates: &str, stop: Stop) -> Result<Vec<Point>, Failure> {
    /// How much arrival time the default number of requests covers.
    const SECONDS: f64 = 30.0;
    let max_concurrency = cap(args)?;
    let rates = numbers("--request-rate", rates)?;
    let point = |rate: f64| {
        let few = || 64.max((rate * SECONDS).ceil() as usize);
        let requests = args.num_prompts.unwrap_or_else(few);
        Point::open(rate, args.burstiness, max_concurrency, requests, stop)
    };
    rates.into_iter().map(point).collect()
}

/// A point for each arrival process that is more than a rate.
fn named_points(
    args: &LoadArgs,
    arrivals: &[NamedArrival],
    stop: Stop,
) -> Result<Vec<Point>, Failure> {
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
        source: 0,
    };
    Ok(arrivals.iter().map(point).collect())
}

/// The most requests in flight of an open loop.
fn cap(args: &LoadArgs) -> Result<Option<u32>, Failure> {
    let Some(caps) = args.max_concurrency.as_deref() else {
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
