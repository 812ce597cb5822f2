//! `--find-capacity`: the highest arrival rate that meets the objectives.

use crate::args::OutputFormat;
use crate::config::{CapacityQuestion, Config, OutputConfig};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Planned, Session};
use crate::output::{self, say, write_atomically};
use report::{CapacityFile, Style};
use stats::{CapacityEnd, CapacitySearch, Grade, Probe, Summary};
use std::path::{Path, PathBuf};

/// A run that takes longer is announced, in seconds.
const LONG: f64 = 15.0;

/// Refuses formats that there are none of.
pub(super) fn check(output: &OutputConfig) -> Result<(), Failure> {
    match output.format {
        OutputFormat::Csv | OutputFormat::Markdown => Err(Failure::usage(
            "--find-capacity prints text or json; leave out --output-format, or give one of them",
        )),
        OutputFormat::Text | OutputFormat::Json | OutputFormat::Quiet => Ok(()),
    }
}

/// Measures rate after rate until the answer is narrow.
pub(super) fn find_capacity(
    config: &Config,
    asked: &CapacityQuestion,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let session = Session::open(config, &config.server, interruption)?;
    let quiet = config.output.is_quiet();
    if !quiet {
        session.announce();
    }
    let mut search = CapacitySearch::new(asked.config);
    let mut measured: Vec<Summary> = Vec::new();
    while let Some(rate) = search.next_rate() {
        let number = search.probes().len();
        let requests = asked.requests_at(rate);
        let seconds = requests as f64 / rate;
        if !quiet && seconds > LONG {
            say(&format!(
                "Run {}: {requests} requests at {} requests/s take about {seconds:.0} s; --request-rate begins higher.",
                number + 1,
                (100.0 * rate).round() / 100.0
            ));
        }
        // Each has requests and arrivals of its own.
        let seed = config.seed.wrapping_add(number as u64);
        let load = config.task.over(asked.load(rate)?);
        let planned = Planned::of(&config.task, load, seed)?;
        let Some(probe) = session.run(planned, None)?.whole()? else {
            search.interrupt();
            break;
        };
        let point = probe.summary.points.first();
        let point = point.ok_or_else(|| Failure::failed("no request was sent at that rate"))?;
        search.observe(Probe::of(rate, point));
        if !quiet {
            let invalid = why(&probe.summary);
            let attain = asked.config.attain;
            say(&report::capacity_probe_line(
                search.probes(),
                attain,
                invalid,
            ));
        }
        measured.push(probe.summary);
    }
    conclude(config, asked, &search, &measured)
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
    config: &Config,
    asked: &CapacityQuestion,
    search: &CapacitySearch,
    measured: &[Summary],
) -> Result<Exit, Failure> {
    let answer = search.answer();
    let output = &config.output;
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let unnamed = || Path::new("results").join(format!("capacity-{moment}.json"));
    let path = output.results_file.clone().unwrap_or_else(unnamed);
    let (search_config, objectives) = (&asked.config, &config.objectives);
    let json = report::capacity_json(
        search_config,
        objectives,
        &answer,
        search.probes(),
        measured,
    );
    let shown = |style| report::capacity_text(search_config, objectives, &answer, measured, style);
    let file = output.file.as_deref();
    match output.format {
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
    let figure = if output.plot {
        draw(&json, &path)?
    } else {
        None
    };
    if !output.is_quiet() {
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
