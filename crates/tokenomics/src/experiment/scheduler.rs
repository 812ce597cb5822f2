//! `tokenomics scheduler`: the built-in engine's scheduler, measured in this process.

mod drive;
mod lines;

use crate::args::{ModeArg, OutputFormat, SchedulerArgs};
use crate::config::refuse_control_characters;
use crate::failure::{Exit, Failure};
use crate::limits;
use crate::measurement::Interruption;
use crate::model;
use crate::output::{self, OutputConfig, Paths, Recorder, Sink, say};
use drive::{Asked, Driver, RunLog};
use engine::{DriveMode, Engine, EngineRequest, SamplingParams};
use models::{CpuModel, LoadedModel, ModelFacts, Tokenizer};
use serde_json::{Map, Value, json};
use stats::Grade;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trace::{Arrival, Nanos, Pacing, PointInfo, RunHeader, RunId, SCHEMA_VERSION};

/// What was asked, checked.
struct Config {
    modes: Vec<DriveMode>,
    prompts: Vec<String>,
    arrival: Option<Arrival>,
    params: SamplingParams,
    args: SchedulerArgs,
}

/// Measures the scheduler, from the arguments to the exit code.
pub(crate) fn scheduler(args: SchedulerArgs) -> Result<Exit, Failure> {
    let config = Config::resolve(args)?;
    let interruption = Interruption::new();
    interruption.listen()?;
    let environment = |name: &str| std::env::var(name).ok();
    let model = model::load(&config.args.engine, &environment)?;
    let limits = model::scheduler_config(
        &config.args.engine,
        &model,
        config.args.max_batch_size,
        usize::MAX,
    )?;
    if config.args.output_format != OutputFormat::Quiet {
        say(&model::words(&model.name, &model.facts));
    }
    let params = SamplingParams {
        eos_tokens: model.eos.clone(),
        ..config.params.clone()
    };
    let LoadedModel {
        model: network,
        tokenizer,
        name,
        facts,
        ..
    } = model;
    let mut bench = Bench {
        driver: Driver::new(
            Engine::new(network, limits),
            config.args.keep_prefix_cache_across_runs,
        ),
        tokenizer,
        params,
        name,
        facts,
        interruption,
        config,
    };
    let mut exit = Exit::Done;
    for mode in bench.config.modes.clone() {
        match bench.measure(mode)? {
            Exit::Interrupted => return Ok(Exit::Interrupted),
            Exit::Invalid => exit = Exit::Invalid,
            _ => {}
        }
    }
    Ok(exit)
}

/// One model, measured in one mode after the other.
struct Bench {
    driver: Driver<CpuModel>,
    tokenizer: Arc<Tokenizer>,
    params: SamplingParams,
    name: String,
    facts: ModelFacts,
    interruption: Interruption,
    config: Config,
}

impl Bench {
    /// One mode: its runs, its lines, its tables and its files.
    fn measure(&mut self, mode: DriveMode) -> Result<Exit, Failure> {
        let moment = jiff::Zoned::now();
        let output = self.output(mode);
        let paths = Paths::new(
            output.results_file.as_deref(),
            &format!("scheduler-{}", mode.name()),
            &self.name,
            &moment.strftime("%Y%m%d-%H%M%S").to_string(),
        );
        let _claim = paths.claim(&output)?;
        let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        let header = RunHeader {
            schema_version: SCHEMA_VERSION,
            invocation: u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default(),
            metadata: self.metadata(mode, &timestamp),
            points: vec![self.point(mode)],
            slo: None,
            classes: Vec::new(),
            asked: None,
            subject: None,
        };
        let sink = Sink::open(output.records, &paths, &header)?;
        let recorder = Recorder::new(header, sink)?;
        let logs = self.runs(mode, &recorder)?;
        let args = &self.config.args;
        if output.format == OutputFormat::Text {
            output::print(&lines::of_mode(
                mode,
                &logs,
                args.print_per_run,
                args.warmup_runs,
            ))?;
        }
        let summary = recorder.with(stats::summarize);
        output::print_summary(&summary, output.format, None)?;
        let written = output::save(&output, &paths, &recorder, &summary)?;
        if output.format != OutputFormat::Quiet {
            say(&format!("Written: {}", written.join(" · ")));
        }
        if logs.iter().any(|log| log.facts.interrupted) || self.interruption.is_stopped() {
            return Ok(Exit::Interrupted);
        }
        Ok(match summary.verdict.grade {
            Grade::Invalid => Exit::Invalid,
            Grade::Valid | Grade::Suspect => Exit::Done,
        })
    }

    /// Warm-up runs, then the measured ones, whose logs come back.
    fn runs(&mut self, mode: DriveMode, recorder: &Recorder) -> Result<Vec<RunLog>, Failure> {
        let warmups = (0..self.config.args.warmup_runs).map(|run| (run, true));
        let measured = (0..self.config.args.repeat_runs).map(|run| (run, false));
        let mut logs = Vec::new();
        let mut next_id = 0;
        for (run, warmup) in warmups.chain(measured) {
            let run = RunId {
                point: 0,
                run,
                warmup,
            };
            if self.config.args.output_format != OutputFormat::Quiet {
                say(&self.describe(mode, run));
            }
            self.interruption.measuring.store(true, Ordering::Relaxed);
            let due = self.due(mode, run)?;
            let log = self.run(mode, run, next_id, &due)?;
            next_id += due.len() as u64;
            for record in &log.records {
                recorder.record(record.clone());
            }
            recorder.facts(log.facts.clone());
            let interrupted = log.facts.interrupted;
            if !warmup {
                logs.push(log);
            }
            if interrupted {
                break;
            }
        }
        Ok(logs)
    }

    /// A run that begins.
    fn describe(&self, mode: DriveMode, run: RunId) -> String {
        let (kind, all) = if run.warmup {
            ("warm-up", self.config.args.warmup_runs)
        } else {
            ("run", self.config.args.repeat_runs)
        };
        format!("{}, {kind} {} of {all}", mode.name(), run.run + 1)
    }

    fn run(
        &mut self,
        mode: DriveMode,
        run: RunId,
        first_id: u64,
        due: &[Nanos],
    ) -> Result<RunLog, Failure> {
        let tokenizer = &self.tokenizer;
        let params = &self.params;
        let seed = self.config.args.seed;
        let prompts = &self.config.prompts;
        let request = |index: usize| -> Result<EngineRequest, Failure> {
            Ok(EngineRequest {
                prompt: tokenizer
                    .encode_prompt(&prompts[index])
                    .map_err(Failure::usage)?,
                params: SamplingParams {
                    seed: seed.wrapping_add(index as u64),
                    ..params.clone()
                },
            })
        };
        let ready: Option<Vec<EngineRequest>> = if self.config.args.pretok {
            Some((0..due.len()).map(request).collect::<Result<_, _>>()?)
        } else {
            None
        };
        let asked = Asked {
            id: run,
            first_id,
            due,
            request: &|index| match &ready {
                Some(ready) => Ok(ready[index].clone()),
                None => request(index),
            },
            stopped: &|| *self.interruption.stop.borrow(),
            text_bytes: &|token| tokenizer.token_bytes(token).len(),
        };
        self.driver.run(mode, &asked)
    }

    /// When each request is due.
    fn due(&self, mode: DriveMode, run: RunId) -> Result<Vec<Nanos>, Failure> {
        let count = self.config.prompts.len();
        match self.config.arrival.filter(|_| mode == DriveMode::Online) {
            Some(arrival) => {
                let seed = workload::seed_for(self.config.args.seed, run);
                workload::due_times(arrival, count, seed).map_err(Failure::usage)
            }
            None => Ok(vec![Nanos::ZERO; count]),
        }
    }

    fn point(&self, mode: DriveMode) -> PointInfo {
        let count = u32::try_from(self.config.prompts.len()).unwrap_or(u32::MAX);
        let pacing = match (mode, self.config.arrival) {
            (DriveMode::Naive, _) => Pacing::Closed { concurrency: 1 },
            (DriveMode::Online, Some(arrival)) => Pacing::Open {
                arrival,
                max_concurrency: None,
            },
            _ => Pacing::Burst { size: count },
        };
        let key = match pacing {
            Pacing::Closed { concurrency } => concurrency.to_string(),
            Pacing::Burst { size } => size.to_string(),
            Pacing::Open { arrival, .. } => arrival.rate().to_string(),
        };
        PointInfo { key, pacing }
    }

    fn output(&self, mode: DriveMode) -> OutputConfig {
        let args = &self.config.args;
        OutputConfig {
            assertions: Vec::new(),
            exports: Vec::new(),
            results_file: args
                .results_file
                .as_ref()
                .map(|path| self.named(path, mode)),
            records: args.records,
            plot: false,
            format: args.output_format,
            file: None,
        }
    }

    /// `x.json` of several modes becomes `x.online.json`.
    fn named(&self, path: &std::path::Path, mode: DriveMode) -> PathBuf {
        if self.config.modes.len() == 1 {
            return path.to_owned();
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        path.with_extension(format!("{}.{extension}", mode.name()))
    }

    fn metadata(&self, mode: DriveMode, timestamp: &str) -> Map<String, Value> {
        let args = &self.config.args;
        let fields = [
            ("timestamp", json!(timestamp)),
            ("model", json!(self.name)),
            ("built_in_server", json!(false)),
            ("in_process", json!(true)),
            ("scheduler_mode", json!(mode.name())),
            ("description", json!(args.description)),
            ("dtype", json!(self.facts.dtype)),
            ("isa", json!(self.facts.isa)),
            ("threads", json!(self.facts.threads)),
            ("num_requests", json!(self.config.prompts.len())),
            ("max_num_seqs", json!(args.max_batch_size)),
            (
                "max_num_batched_tokens",
                json!(args.engine.max_num_batched_tokens),
            ),
            ("prefix_cache", json!(!args.engine.no_prefix_cache)),
            (
                "keep_prefix_cache_across_runs",
                json!(args.keep_prefix_cache_across_runs),
            ),
            ("pretok", json!(args.pretok)),
            ("arrival_rate", json!(args.arrival_rate)),
            ("num_runs", json!(args.repeat_runs)),
            ("warmup_runs", json!(args.warmup_runs)),
            ("max_tokens", json!(args.max_new_tokens)),
            ("temperature", json!(self.params.temperature)),
            ("top_k", json!(self.params.top_k)),
            ("top_p", json!(self.params.top_p)),
            ("ignore_eos", json!(args.no_stop_on_eos)),
            ("seed", json!(args.seed)),
            ("tokenomics_version", json!(env!("CARGO_PKG_VERSION"))),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl Config {
    fn resolve(args: SchedulerArgs) -> Result<Self, Failure> {
        refuse_control_characters("--description", args.description.as_deref())?;
        for (flag, value) in [
            ("--num-requests", args.num_requests),
            ("--max-batch-size", args.max_batch_size),
            ("--max-new-tokens", args.max_new_tokens),
            ("--repeat-runs", args.repeat_runs as usize),
        ] {
            if value == 0 {
                return Err(Failure::usage(format!(
                    "{flag} must be at least 1, got `0`"
                )));
            }
        }
        limits::SCHEDULER_REQUESTS.check(args.num_requests as u64)?;
        limits::REPEAT_RUNS.check(args.repeat_runs.into())?;
        limits::WARMUP_RUNS.check(args.warmup_runs.into())?;
        let arrival = match args.arrival_rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => {
                return Err(Failure::usage(format!(
                    "--arrival-rate must be above 0 requests per second, got `{rate}`; leave it out for all at once"
                )));
            }
            Some(rate) => Some(workload::arrival_for(rate, 1.0).map_err(Failure::usage)?),
            None => None,
        };
        let modes = match args.mode {
            ModeArg::Naive => vec![DriveMode::Naive],
            ModeArg::Offline => vec![DriveMode::Offline],
            ModeArg::Online => vec![DriveMode::Online],
            ModeArg::All => vec![DriveMode::Naive, DriveMode::Offline, DriveMode::Online],
        };
        let is_data = !matches!(args.output_format, OutputFormat::Text | OutputFormat::Quiet);
        if modes.len() > 1 && is_data {
            return Err(Failure::usage(
                "--mode all measures three modes, and one output cannot hold them: name one mode, or take the result \
                 files, which are one for each",
            ));
        }
        if arrival.is_some() && !modes.contains(&DriveMode::Online) {
            return Err(Failure::usage(
                "--arrival-rate is for requests that come in while others run; \
                 add --mode online or --mode all",
            ));
        }
        let prompts = if args.prompts.is_empty() {
            vec![args.prompt.clone(); args.num_requests]
        } else {
            args.prompts.clone()
        };
        Ok(Config {
            modes,
            prompts,
            arrival,
            params: params(&args)?,
            args,
        })
    }
}

fn params(args: &SchedulerArgs) -> Result<SamplingParams, Failure> {
    if !args.temperature.is_finite() || args.temperature < 0.0 {
        return Err(Failure::usage(format!(
            "--temperature must be 0 or more, got `{}`",
            args.temperature
        )));
    }
    if !(args.top_p > 0.0 && args.top_p <= 1.0) {
        return Err(Failure::usage(format!(
            "--top-p must be above 0 and at most 1, got `{}`",
            args.top_p
        )));
    }
    Ok(SamplingParams {
        temperature: if args.do_sample {
            args.temperature
        } else {
            0.0
        },
        top_k: if args.do_sample { args.top_k } else { 0 },
        top_p: if args.do_sample { args.top_p } else { 1.0 },
        tokens_max: args.max_new_tokens,
        ignore_eos: args.no_stop_on_eos,
        ..SamplingParams::default()
    })
}
