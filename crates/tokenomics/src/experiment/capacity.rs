//! `tokenomics chat --find-capacity`: the highest arrival rate that meets the objectives.

use super::chat::{Role, measure_once};
use crate::args::{ChatArgs, OutputFormat};
use crate::failure::{Exit, Failure};
use crate::output::{self, say, write_atomically};
use report::{CapacityFile, Style};
use stats::{CapacityConfig, CapacityEnd, CapacitySearch, Grade, Probe, Summary};
use std::path::{Path, PathBuf};

/// The rate that is tried first where none is named, in requests per second.
const FIRST_RATE: f64 = 1.0;

/// A run that takes longer is announced, in seconds.
const LONG: f64 = 15.0;

/// Measures rate after rate until the answer is narrow.
pub(crate) fn find_capacity(args: &ChatArgs) -> Result<Exit, Failure> {
    if matches!(
        args.output_format,
        OutputFormat::Csv | OutputFormat::Markdown
    ) {
        return Err(Failure::usage(
            "--find-capacity prints text or json; leave out --output-format, or give one of them",
        ));
    }
    let config = config(args)?;
    let wanted = CapacitySearch::requests_wanted(config.attain);
    let mut search = CapacitySearch::new(config);
    let mut measured: Vec<Summary> = Vec::new();
    let quiet = args.output_format == OutputFormat::Quiet;
    while let Some(rate) = search.next_rate() {
        let number = search.probes().len();
        let requests = args.num_prompts.unwrap_or_else(|| requests(rate, wanted));
        let seconds = requests as f64 / rate;
        if !quiet && !args.dry_run && seconds > LONG {
            say(&format!(
                "Run {}: {requests} requests at {} requests/s take about {seconds:.0} s; --request-rate begins higher.",
                number + 1,
                (100.0 * rate).round() / 100.0
            ));
        }
        let Some(probe) = measure_once(probe_args(args, rate, requests, number), Role::Part)?
        else {
            // A dry run shows the first rate; the others follow from what is measured.
            return Ok(Exit::Done);
        };
        if probe.exit == Exit::Interrupted {
            search.interrupt();
            break;
        }
        let point = probe.summary.points.first();
        let point = point.ok_or_else(|| Failure::failed("no request was sent at that rate"))?;
        let seen = Probe::of(rate, point);
        search.observe(seen);
        if !quiet {
            let invalid = why(&probe.summary);
            say(&report::capacity_probe_line(
                search.probes(),
                config.attain,
                invalid,
            ));
        }
        measured.push(probe.summary);
    }
    conclude(args, &search, &config, &measured)
}

fn config(args: &ChatArgs) -> Result<CapacityConfig, Failure> {
    let asked = &args.capacity;
    let first_rate = match &args.request_rate {
        None => FIRST_RATE,
        Some(text) => text.parse().map_err(|_| {
            Failure::usage(format!(
                "--find-capacity begins at one rate, got --request-rate {text}; give a number of requests per second"
            ))
        })?,
    };
    let in_order = first_rate > 0.0 && first_rate <= asked.rate_max && asked.rate_max.is_finite();
    if !in_order {
        return Err(Failure::usage(format!(
            "--request-rate must be above 0 and at most --rate-max ({}), got `{first_rate}`",
            asked.rate_max
        )));
    }
    Ok(CapacityConfig {
        first_rate,
        highest_rate: asked.rate_max,
        attain: asked.attain.0,
        resolution: asked.resolution.0,
        probes_max: asked.probes,
    })
}

/// As many as decide, and as arrive within a few seconds: a queue takes its time to grow.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of requests; `as` saturates"
)]
fn requests(rate: f64, wanted: usize) -> usize {
    const SECONDS: f64 = 10.0;
    wanted.max((rate * SECONDS).ceil() as usize)
}

/// The arguments that measure one rate. Each has requests and arrivals of its own.
fn probe_args(args: &ChatArgs, rate: f64, requests: usize, number: usize) -> ChatArgs {
    let mut probe = args.clone();
    probe.capacity.find_capacity = false;
    probe.request_rate = Some(rate.to_string());
    probe.num_prompts = Some(requests);
    probe.num_runs = Some(1);
    probe.seed = args.seed.wrapping_add(number as u64);
    probe.output = None;
    probe
}

/// Why a run was no measurement.
fn why(summary: &Summary) -> Option<&str> {
    let invalid = |reason: &&stats::Reason| reason.grade == Grade::Invalid;
    let reason = summary.verdict.reasons.iter().find(invalid);
    reason.map(|reason| reason.code.as_str())
}

/// The figure beside the file; nothing where no rate was measured.
fn draw(json: &str, path: &Path) -> Result<Option<PathBuf>, Failure> {
    let file = CapacityFile::parse(json.as_bytes()).map_err(Failure::failed)?;
    output::write_png(
        report::figure::capacity_svg(&file),
        &path.with_extension("png"),
    )
}

fn conclude(
    args: &ChatArgs,
    search: &CapacitySearch,
    config: &CapacityConfig,
    measured: &[Summary],
) -> Result<Exit, Failure> {
    let answer = search.answer();
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let path = args
        .results_file
        .clone()
        .unwrap_or_else(|| Path::new("results").join(format!("capacity-{moment}.json")));
    let objectives = args.goodput.join(" ");
    let json = report::capacity_json(config, &objectives, &answer, search.probes(), measured);
    let shown = |style| report::capacity_text(config, &objectives, &answer, measured, style);
    let file = args.output.as_deref();
    match args.output_format {
        OutputFormat::Quiet => {}
        OutputFormat::Json => output::deliver(&json, file)?,
        OutputFormat::Text | OutputFormat::Csv | OutputFormat::Markdown => {
            output::deliver(&shown(output::style_for(file)), file)?;
        }
    }
    output::to_job_page(&format!("```text{}```", shown(Style { color: false })))?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::failed(format!("cannot make {}: {error}", folder.display()))
        })?;
    }
    write_atomically(&path, json.as_bytes())?;
    let figure = if args.no_plot {
        None
    } else {
        draw(&json, &path)?
    };
    if args.output_format != OutputFormat::Quiet {
        let written = std::iter::once(&path).chain(&figure);
        let written: Vec<String> = written.map(|path| path.display().to_string()).collect();
        say(&format!("Written: {}", written.join(" · ")));
    }
    Ok(match answer.end {
        CapacityEnd::Invalid => Exit::Invalid,
        CapacityEnd::Interrupted => Exit::Interrupted,
        CapacityEnd::NeverMet => Exit::Missed,
        CapacityEnd::Resolved | CapacityEnd::ProbesSpent | CapacityEnd::AlwaysMet => Exit::Done,
    })
}
