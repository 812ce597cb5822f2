//! What is asked of the measurements.

use super::{Load, Point, ServerConfig};
use crate::args::{CapacityArgs, LoadArgs, QuestionArgs, ServerArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use stats::{CapacityConfig, CapacitySearch};
use trace::Stop;

/// What is asked of the measurements.
pub(crate) enum Question {
    /// What the numbers are.
    Numbers,
    /// At which rate objectives are still met.
    Capacity(CapacityQuestion),
    /// How other servers do, compared with this one.
    Versus(Box<VersusQuestion>),
    /// What batches cost, compared with as many requests in flight that do not wait for each other.
    FixedVsContinuous {
        /// Measured runs without batches.
        runs: u32,
    },
}

/// A search for the highest rate that meets the objectives.
#[derive(Clone, Copy)]
pub(crate) struct CapacityQuestion {
    pub(crate) config: CapacityConfig,
    /// Requests of each run, where somebody said.
    requests: Option<usize>,
    burstiness: f64,
    warmup_runs: u32,
}

/// A comparison of servers by turns.
pub(crate) struct VersusQuestion {
    /// Those that are new.
    pub(crate) others: Vec<ServerConfig>,
    /// A relative change that matters.
    pub(crate) min_effect: f64,
    /// Blocks that each server answers.
    pub(crate) blocks: u32,
}

/// Blocks that each server answers where nobody says how many.
const BLOCKS: u32 = 10;

/// The rate that is tried first where none is named, in requests per second.
const FIRST_RATE: f64 = 1.0;

impl Question {
    /// Checks what was typed of it.
    pub(super) fn resolve(
        args: &QuestionArgs,
        load: &LoadArgs,
        server: &ServerArgs,
        base: &ServerConfig,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        if args.fixed_vs_continuous {
            return Ok(Self::FixedVsContinuous {
                runs: load.num_runs.unwrap_or(1),
            });
        }
        if let Some(search) = CapacityQuestion::resolve(&args.capacity, load)? {
            return Ok(Self::Capacity(search));
        }
        if args.versus.is_empty() {
            return Ok(Self::Numbers);
        }
        let blocks = load.num_runs.unwrap_or(BLOCKS);
        if (blocks as usize) < stats::BLOCKS_MIN {
            return Err(Failure::usage(format!(
                "--versus needs at least {} blocks to tell chance from change, got --num-runs {blocks}; leave it out \
                 for {BLOCKS}",
                stats::BLOCKS_MIN
            )));
        }
        let mut others: Vec<ServerConfig> = Vec::new();
        for typed in &args.versus {
            let taken = others.iter().chain([base]).filter_map(ServerConfig::port);
            let taken: Vec<u16> = taken.collect();
            others.push(other(typed, server, &taken, environment)?);
        }
        Ok(Self::Versus(Box::new(VersusQuestion {
            others,
            min_effect: args.min_effect.0,
            blocks,
        })))
    }
}

/// What `--versus` names; what is started here listens on none of the `taken` ports.
fn other(
    typed: &str,
    server: &ServerArgs,
    taken: &[u16],
    environment: Environment<'_>,
) -> Result<ServerConfig, Failure> {
    let launch = typed.strip_prefix("launch:");
    let args = ServerArgs {
        api_base: launch.is_none().then(|| typed.to_owned()),
        launch: launch.map(str::to_owned),
        ..server.clone()
    };
    // It has an address in either case, so that no model is loaded here.
    ServerConfig::resolve(&args, "", taken, environment)
}

impl CapacityQuestion {
    /// Checks what was typed of a search; `None` where none is asked for.
    pub(super) fn resolve(args: &CapacityArgs, load: &LoadArgs) -> Result<Option<Self>, Failure> {
        if !args.find_capacity {
            return Ok(None);
        }
        let first_rate = match &load.request_rate {
            None => FIRST_RATE,
            Some(text) => text.parse().map_err(|_| {
                Failure::usage(format!(
                    "--find-capacity begins at one rate, got --request-rate {text}; give a number of requests per second"
                ))
            })?,
        };
        let in_order = first_rate > 0.0 && first_rate <= args.rate_max && args.rate_max.is_finite();
        if !in_order {
            return Err(Failure::usage(format!(
                "--request-rate must be above 0 and at most --rate-max ({}), got `{first_rate}`",
                args.rate_max
            )));
        }
        Ok(Some(Self {
            config: CapacityConfig {
                first_rate,
                highest_rate: args.rate_max,
                attain: args.attain.0,
                resolution: args.resolution.0,
                probes_max: args.probes,
            },
            requests: load.num_prompts,
            burstiness: load.burstiness,
            warmup_runs: load.warmup_runs,
        }))
    }

    /// The load of a run at that rate.
    pub(crate) fn load(&self, rate: f64) -> Result<Load, Failure> {
        let requests = self.requests_at(rate);
        let point = Point::open(rate, self.burstiness, None, requests, Stop::AllRequests)?;
        Ok(Load {
            points: vec![point],
            runs: 1,
            until: None,
            warmup_runs: self.warmup_runs,
        })
    }

    /// As many as decide, and as arrive within a few seconds: a queue takes its time to grow.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of requests; `as` saturates"
    )]
    pub(crate) fn requests_at(&self, rate: f64) -> usize {
        const SECONDS: f64 = 10.0;
        let wanted = CapacitySearch::requests_wanted(self.config.attain);
        let enough = || wanted.max((rate * SECONDS).ceil() as usize);
        self.requests.unwrap_or_else(enough)
    }
}
