//! What is asked of the measurements.

use super::load::{Load, Point};
use super::server::ServerConfig;
use crate::args::{CapacityArgs, LoadArgs, QuestionArgs, ServerArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::limits;
use stats::{CapacityConfig, CapacitySearch};
use trace::{Nanos, Stop};

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
    /// The first rate, where somebody said; else the server is looked at.
    pub(crate) first_rate: Option<f64>,
    /// The highest rate.
    highest_rate: f64,
    /// Share of the requests that are to meet the objectives.
    attain: f64,
    /// The width that the answer is to have, as a share of its rate.
    resolution: f64,
    /// The search ends after so many runs.
    probes_max: usize,
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

/// Requests in flight of the first look at a server, and how many times as many in the next.
const LOOK: u32 = 8;
const LOOK_TIMES: u32 = 4;

/// Looks at a server, each with more requests in flight.
pub(crate) const LOOKS: u32 = 4;

/// The resolution for which the least number of requests is enough.
const USUAL_RESOLUTION: f64 = 0.15;

/// How long requests are released for a look.
const LOOK_FOR: Nanos = Nanos(3_000_000_000);

/// Objectives are missed before a server can do no more: of that rate the search begins at this part.
const FIRST_OF_CEILING: f64 = 0.8;

impl Question {
    /// Checks what was typed of it.
    pub(super) fn resolve(
        args: &QuestionArgs,
        search: Option<CapacityQuestion>,
        load: &LoadArgs,
        server: &ServerArgs,
        base: &ServerConfig,
        patched_model: Option<&str>,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        if args.fixed_vs_continuous {
            return Ok(Self::FixedVsContinuous {
                runs: load.num_runs.unwrap_or(1),
            });
        }
        if let Some(search) = search {
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
            let mut other = other(typed, server, base, &taken, environment)?;
            if let Some(model) = patched_model {
                other.model = Some(model.to_owned());
            }
            others.push(other);
        }
        Ok(Self::Versus(Box::new(VersusQuestion {
            others,
            min_effect: args.min_effect.0,
            blocks,
        })))
    }

    /// What is run at a time of the load that was typed: of a comparison one block.
    pub(super) fn load(&self, load: Load) -> Load {
        match self {
            Self::Versus(_) => Load { runs: 1, ..load },
            Self::Numbers | Self::Capacity(_) | Self::FixedVsContinuous { .. } => load,
        }
    }
}

/// What `--versus` names; what is started here listens on none of the `taken` ports.
fn other(
    typed: &str,
    server: &ServerArgs,
    base: &ServerConfig,
    taken: &[u16],
    environment: Environment<'_>,
) -> Result<ServerConfig, Failure> {
    let launch = typed.strip_prefix("launch:");
    let args = ServerArgs {
        // What the built-in server loads is no name that another one knows.
        model: server
            .model
            .clone()
            .filter(|_| base.choice.target.is_some()),
        api_base: launch.is_none().then(|| typed.to_owned()),
        launch: launch.map(str::to_owned),
        ..server.clone()
    };
    // It has an address in either case, so that no model is loaded here.
    ServerConfig::resolve(&args, "", "--versus launch:", taken, environment)
}

impl CapacityQuestion {
    /// Checks what was typed of a search; `None` where none is asked for.
    pub(super) fn resolve(args: &CapacityArgs, load: &LoadArgs) -> Result<Option<Self>, Failure> {
        if !args.find_capacity {
            return Ok(None);
        }
        let first_rate = match &load.request_rate {
            None => None,
            Some(text) => Some(text.parse::<f64>().map_err(|_| {
                Failure::usage(format!(
                    "--find-capacity begins at one rate, got --request-rate {text}; give a number of requests per second"
                ))
            })?),
        };
        if !(args.rate_max > 0.0 && args.rate_max.is_finite()) {
            return Err(Failure::usage(format!(
                "--rate-max must be above 0 and finite, got `{}`",
                args.rate_max
            )));
        }
        let first = first_rate.unwrap_or(args.rate_max);
        if !(first > 0.0 && first <= args.rate_max) {
            return Err(Failure::usage(format!(
                "--request-rate must be above 0 and at most --rate-max ({}), got `{first}`",
                args.rate_max
            )));
        }
        if load.num_prompts == Some(0) {
            return Err(Failure::usage(
                "--num-prompts must be at least 1, got 0; leave it out for a number that decides",
            ));
        }
        limits::WARMUP_RUNS.check(load.warmup_runs.into())?;
        workload::arrival_for(first, load.burstiness).map_err(Failure::usage)?;
        Ok(Some(Self {
            first_rate,
            highest_rate: args.rate_max,
            attain: args.attain.0,
            resolution: args.resolution.0,
            probes_max: args.probes,
            requests: load.num_prompts,
            burstiness: load.burstiness,
            warmup_runs: load.warmup_runs,
        }))
    }

    /// The search from the rate that was named on, or from below what the server can do at most.
    pub(crate) fn search(&self, ceiling: Option<f64>) -> CapacityConfig {
        let below = ceiling.map(|ceiling| FIRST_OF_CEILING * ceiling);
        let first_rate = self.first_rate.or(below).unwrap_or(self.highest_rate);
        CapacityConfig {
            first_rate: first_rate.min(self.highest_rate),
            highest_rate: self.highest_rate,
            attain: self.attain,
            resolution: self.resolution,
            probes_max: self.probes_max,
        }
    }

    /// The first load that is run: at the rate that was named, or the first look.
    pub(super) fn first_load(&self) -> Result<Load, Failure> {
        let look = || Ok(self.look(0));
        self.first_rate.map_or_else(look, |rate| self.load(rate))
    }

    /// The load of a look at what the server can do at most: requests in flight for a few seconds, in each look more.
    pub(crate) fn look(&self, number: u32) -> Load {
        let in_flight = LOOK * LOOK_TIMES.pow(number);
        Load {
            points: vec![Point::closed(
                in_flight,
                None,
                Stop::Deadline { after: LOOK_FOR },
            )],
            runs: 1,
            until: None,
            warmup_runs: if number == 0 { self.warmup_runs } else { 0 },
        }
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

    /// As many as decide, and as arrive within a few seconds, because a queue takes its time to grow; more where the answer
    /// is to be finer than usual, because rates near it are more alike.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of requests; `as` saturates"
    )]
    pub(crate) fn requests_at(&self, rate: f64) -> usize {
        const SECONDS: f64 = 10.0;
        let wanted = CapacitySearch::requests_wanted(self.attain);
        let finer = (USUAL_RESOLUTION / self.resolution).max(1.0).powi(2);
        let enough = || (finer * (rate * SECONDS).max(wanted as f64)).ceil() as usize;
        self.requests
            .unwrap_or_else(enough)
            .min(workload::REQUESTS_MAX)
    }

    /// About so many seconds a search takes that begins at that rate.
    pub(crate) fn seconds(&self, first_rate: f64) -> f64 {
        /// Requests of 200 searches on a simulated queue, in whole runs each: 9.7.
        const RUNS: f64 = 10.0;
        RUNS * self.requests_at(first_rate) as f64 / first_rate
    }
}
