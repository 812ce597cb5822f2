//! What was typed, made sense of: checked values, files read, the environment asked.

use crate::args::{ChatArgs, OutputFormat, RecordsFormat};
use crate::failure::Failure;
use crate::prompts;
use load::{Deadlines, Target, TlsOptions};
use openai::Endpoint;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use trace::{Nanos, Pacing, PointInfo, Slo, Stop};
use workload::PromptSource;

/// A chat benchmark, resolved.
pub(crate) struct ChatConfig {
    /// The server, or `None` for the built-in one.
    pub(crate) target: Option<Target>,
    pub(crate) model: Option<String>,
    pub(crate) endpoint: Endpoint,
    pub(crate) api_key: Option<Secret>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: TlsOptions,
    pub(crate) load: Load,
    pub(crate) prompts: PromptSource,
    pub(crate) request: RequestConfig,
    pub(crate) deadlines: Deadlines,
    pub(crate) slo: Option<Slo>,
    pub(crate) output: OutputConfig,
    pub(crate) dry_run: bool,
    /// What the result file says of the prompts.
    pub(crate) dataset: String,
    pub(crate) description: Option<String>,
}

/// The points that are measured, and how often.
pub(crate) struct Load {
    pub(crate) points: Vec<Point>,
    pub(crate) runs: u32,
    pub(crate) warmup_runs: u32,
    pub(crate) seed: u64,
}

/// One batch size, concurrency or rate.
pub(crate) struct Point {
    pub(crate) info: PointInfo,
    /// Requests of a measured run; an open plan with a deadline has its own number.
    pub(crate) requests: usize,
    pub(crate) stop: Stop,
}

/// What each request asks for.
pub(crate) struct RequestConfig {
    pub(crate) max_tokens: u32,
    pub(crate) temperature: Option<f64>,
    pub(crate) choices: u32,
    pub(crate) ignore_eos: bool,
    pub(crate) stream: bool,
    pub(crate) extra_body: serde_json::Map<String, serde_json::Value>,
}

/// Where results go.
pub(crate) struct OutputConfig {
    pub(crate) results_file: Option<PathBuf>,
    pub(crate) records: RecordsFormat,
    pub(crate) plot: bool,
    pub(crate) format: OutputFormat,
    pub(crate) file: Option<PathBuf>,
}

/// A key: it goes to the server and nowhere else.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[a key]")
    }
}

impl ChatConfig {
    /// Checks what was typed. `environment` looks up a variable.
    pub(crate) fn resolve(
        args: ChatArgs,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let target = args
            .api_base
            .as_deref()
            .map(Target::parse)
            .transpose()
            .map_err(Failure::usage)?;
        for (flag, text) in [
            ("--model", &args.model),
            ("--description", &args.description),
        ] {
            refuse_control_characters(flag, text.as_deref())?;
        }
        let load = load(&args)?;
        let (prompts, dataset) = prompts::source(&args, environment)?;
        Ok(ChatConfig {
            endpoint: Endpoint::from_str(&args.endpoint).map_err(Failure::usage)?,
            api_key: api_key(&args, target.is_some(), environment)?,
            headers: headers(&args.headers)?,
            tls: TlsOptions {
                extra_roots_pem: args
                    .ca_cert
                    .as_deref()
                    .map(|path| read("--ca-cert", path))
                    .transpose()?,
            },
            load,
            prompts,
            deadlines: deadlines(&args)?,
            slo: slo(&args.goodput)?,
            request: request(&args)?,
            output: OutputConfig {
                results_file: args.results_file,
                records: args.records,
                plot: !args.no_plot,
                format: args.output_format,
                file: args.output,
            },
            dry_run: args.dry_run,
            dataset,
            description: args.description,
            model: args.model,
            target,
        })
    }
}

fn refuse_control_characters(flag: &str, text: Option<&str>) -> Result<(), Failure> {
    match text.and_then(|text| text.chars().find(|c| c.is_control())) {
        Some(found) => Err(Failure::usage(format!(
            "{flag} holds the control character U+{:04X}; leave it out",
            u32::from(found)
        ))),
        None => Ok(()),
    }
}

fn load(args: &ChatArgs) -> Result<Load, Failure> {
    let points = points(args)?;
    let bursts = matches!(points[0].info.pacing, Pacing::Burst { .. });
    let runs = args.num_runs.unwrap_or(if bursts { 3 } else { 1 });
    if runs == 0 {
        return Err(Failure::usage(
            "--num-runs must be at least 1, got 0; leave it out for 3 runs of bursts, 1 otherwise",
        ));
    }
    Ok(Load {
        points,
        runs,
        warmup_runs: args.warmup_runs,
        seed: args.seed,
    })
}

fn points(args: &ChatArgs) -> Result<Vec<Point>, Failure> {
    if args.num_prompts == Some(0) {
        return Err(Failure::usage(
            "--num-prompts must be at least 1, got 0; leave it out for a number that fits the load",
        ));
    }
    let stop = match args.duration {
        None => Stop::AllRequests,
        Some(seconds) => Stop::Deadline {
            after: Nanos(positive("--duration", "seconds", seconds)?),
        },
    };
    if let Some(rates) = &args.request_rate {
        return open_points(args, rates, stop);
    }
    if let Some(concurrency) = &args.max_concurrency {
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
    if args.duration.is_some() || args.num_prompts.is_some() {
        return Err(Failure::usage(
            "--duration and --num-prompts need a load that goes on; \
             add --max-concurrency N or --request-rate R",
        ));
    }
    let sizes = list(
        "--batch-sizes",
        args.batch_sizes.as_deref().unwrap_or("1,2,4,8"),
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
fn open_points(args: &ChatArgs, rates: &str, stop: Stop) -> Result<Vec<Point>, Failure> {
    /// How much arrival time the default number of requests covers.
    const SECONDS: f64 = 30.0;
    let max_concurrency = match &args.max_concurrency {
        None => None,
        Some(caps) => match list("--max-concurrency", caps)?[..] {
            [cap] => Some(cap),
            _ => {
                return Err(Failure::usage(format!(
                    "--max-concurrency is one cap beside --request-rate, got `{caps}`; \
                     give one number, or leave --request-rate out"
                )));
            }
        },
    };
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

/// Whole numbers from 1 on, separated by commas, none twice.
fn list(flag: &str, text: &str) -> Result<Vec<u32>, Failure> {
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
fn numbers(flag: &str, text: &str) -> Result<Vec<f64>, Failure> {
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

/// A span given in seconds, as nanoseconds above 0.
fn positive(flag: &str, unit: &str, value: f64) -> Result<u64, Failure> {
    /// Longer than any benchmark.
    const LIMIT: f64 = 1e7;
    if value > 0.0 && value <= LIMIT {
        Ok(Nanos::from_seconds(value).0.max(1))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be above 0 and at most {LIMIT} {unit}, got `{value}`"
        )))
    }
}

fn deadlines(args: &ChatArgs) -> Result<Deadlines, Failure> {
    let span = |flag, seconds| positive(flag, "seconds", seconds).map(Duration::from_nanos);
    let total = span("--timeout", args.timeout)?;
    Ok(Deadlines {
        connect: span("--connect-timeout", args.connect_timeout)?,
        first_token: match args.first_token_timeout {
            None => total,
            Some(seconds) => span("--first-token-timeout", seconds)?,
        },
        stall: span("--stall-timeout", args.stall_timeout)?,
        total,
    })
}

fn request(args: &ChatArgs) -> Result<RequestConfig, Failure> {
    if let Some(temperature) = args.temperature
        && !(0.0..=100.0).contains(&temperature)
    {
        return Err(Failure::usage(format!(
            "--temperature must be between 0 and 100, got `{temperature}`"
        )));
    }
    if args.n == 0 {
        return Err(Failure::usage("--n must be at least 1, got 0"));
    }
    let extra_body = match &args.extra_body {
        None => serde_json::Map::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!(
                "--extra-body must be a JSON object: {error}; write it like '{{\"top_p\": 0.9}}'"
            ))
        })?,
    };
    Ok(RequestConfig {
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        choices: args.n,
        ignore_eos: args.ignore_eos,
        stream: !args.no_stream,
        extra_body,
    })
}

fn headers(typed: &[String]) -> Result<Vec<(String, String)>, Failure> {
    typed
        .iter()
        .map(|header| {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Failure::usage("--header must be a name and a value: write it like 'X-Team: infra'")
            })?;
            Ok((name.trim().to_owned(), value.trim_matches(' ').to_owned()))
        })
        .collect()
}

fn slo(objectives: &[String]) -> Result<Option<Slo>, Failure> {
    if objectives.is_empty() {
        return Ok(None);
    }
    let mut slo = Slo::default();
    for objective in objectives {
        let refuse = || {
            Failure::usage(format!(
                "--goodput takes ttft:MS, tpot:MS and e2e:MS with milliseconds above 0, \
                 got `{objective}`"
            ))
        };
        let (name, bound) = objective.split_once(':').ok_or_else(refuse)?;
        let bound: f64 = bound.parse().map_err(|_| refuse())?;
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(refuse());
        }
        let place = match name {
            "ttft" => &mut slo.ttft_ms,
            "tpot" => &mut slo.tpot_ms,
            "e2e" | "e2el" => &mut slo.e2e_ms,
            _ => return Err(refuse()),
        };
        *place = Some(bound);
    }
    Ok(Some(slo))
}

/// The key that was typed, or the file's, or the environment's; the built-in server gets none.
fn api_key(
    args: &ChatArgs,
    has_target: bool,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Secret>, Failure> {
    let key = match (&args.api_key, &args.api_key_file) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(path)) => {
            let bytes = read("--api-key-file", path)?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::usage(format!("--api-key-file {} is not text", path.display()))
            })?;
            Some(text.trim().to_owned())
        }
        (None, None) if has_target => environment("OPENAI_API_KEY"),
        (None, None) => None,
    };
    Ok(key.filter(|key| !key.is_empty()).map(Secret))
}

/// Reads a file that a flag names.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read {flag} {}: {error}; check the path",
            path.display()
        ))
    })
}
