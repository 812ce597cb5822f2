//! `--find-capacity`: the highest arrival rate that meets the objectives.

use super::answer_file::AnswerFile;
use super::onlooker::Onlooker;
use crate::args::OutputFormat;
use crate::config::{CapacityQuestion, Config, LOOKS};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Measured, Planned, Session};
use crate::output::{self, OutputConfig, say, write_atomically};
use report::{CapacityFile, Style};
use stats::{CapacityEnd, CapacitySearch, Grade, Probe, Summary};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A search that takes longer is announced, in seconds.
const LONG: f64 = 30.0;

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
    let file = AnswerFile::claim(&config.output, "capacity", true)?;
    let session = Session::open(config, &config.server, interruption)?;
    let quiet = config.output.is_quiet();
    if !quiet {
        session.announce();
    }
    let ceiling = match asked.first_rate {
        Some(_) => None,
        None => match ceiling(config, asked, &session)? {
            Some(ceiling) => Some(ceiling),
            None => return Ok(Exit::Interrupted),
        },
    };
    let mut search = CapacitySearch::new(asked.search(ceiling));
    let seconds = asked.seconds(search.config().first_rate);
    if !quiet && seconds > LONG {
        say(&format!(
            "The search takes about {}; ctrl-C ends it with what is known by then.",
            in_words(seconds)
        ));
    }
    let mut measured: Vec<Summary> = Vec::new();
    let mut lost = None;
    while let Some(rate) = search.next_rate() {
        let requests = asked.requests_at(rate);
        // Each has requests and arrivals of its own.
        let seed = config.seed.wrapping_add(search.probes().len() as u64);
        let load = config.task.over(asked.load(rate)?);
        let planned = Planned::of(&config.task, load, seed)?;
        let onlooker = Arc::new(Onlooker::new(search.clone(), rate, requests));
        let ran = session.run_until(planned, onlooker.clone());
        let run = match ran.and_then(Measured::whole) {
            Ok(Some(run)) => run,
            Err(failure) if search.probes().is_empty() => return Err(failure),
            // Stopped, or lost: what was found before is told all the same.
            not_whole => {
                search.interrupt();
                lost = not_whole.err();
                break;
            }
        };
        let point = run.summary.points.first();
        let point = point.ok_or_else(|| Failure::failed("no request was sent at that rate"))?;
        let whole = Probe::of(rate, point);
        // A run that was over before it could be left counts with all of its requests.
        let was_left = (point.reliability.issued as f64) < requests as f64;
        let found = onlooker.found().filter(|_| was_left);
        search.observe(found.map_or(whole, |found| Probe {
            valid: found.valid && whole.valid,
            ..found
        }));
        if !quiet {
            let (probes, attain) = (search.probes(), search.config().attain);
            say(&report::capacity_probe_line(
                probes,
                attain,
                why(&run.summary),
            ));
        }
        // What is back of a run that was left are the fast answers: no latencies to be shown.
        if found.is_none() {
            measured.push(run.summary);
        }
    }
    let exit = conclude(config, &file, &search, &measured)?;
    lost.map_or(Ok(exit), Err)
}

/// What the server can do at most, as far as a few seconds show: in requests per second, from more and more requests in
/// flight until more make no difference. `None` where the user stopped it.
fn ceiling(
    config: &Config,
    asked: &CapacityQuestion,
    session: &Session<'_>,
) -> Result<Option<f64>, Failure> {
    /// Less of a difference is none.
    const MORE: f64 = 1.3;
    let mut best = 0.0;
    for number in 0..LOOKS {
        let load = config.task.over(asked.look(number));
        // Other prompts than those of the search, which a server may know afterwards.
        let seed = config.seed.wrapping_sub(1 + u64::from(number));
        let planned = Planned::of(&config.task, load, seed)?;
        let look = match session.run(planned, None).and_then(Measured::whole) {
            // So many connections may be more than there can be.
            Err(_) if number > 0 => break,
            look => look?,
        };
        let Some(look) = look else {
            return Ok(None);
        };
        let rate = look.summary.points.first().and_then(|point| {
            let steady = point.steady_state.as_ref();
            let steady = steady.and_then(|steady| steady.requests_per_second);
            steady.or(point.throughput.requests_per_second)
        });
        let rate = rate.map_or(0.0, |rate| rate.mean);
        let is_more = rate > MORE * best;
        best = rate.max(best);
        if !is_more {
            break;
        }
    }
    if best <= 0.0 {
        return Err(Failure::failed(
            "no request succeeded in a first look at the server, so that there is no rate to begin at; see what \
             `--max-concurrency 8` says, or name a rate with --request-rate",
        ));
    }
    if !config.output.is_quiet() {
        say(&format!(
            "At most it answers about {} requests/s, whatever the objectives.",
            (100.0 * best).round() / 100.0
        ));
    }
    Ok(Some(best))
}

/// `40 s`, or `12 min`.
fn in_words(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
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
    file: &AnswerFile,
    search: &CapacitySearch,
    measured: &[Summary],
) -> Result<Exit, Failure> {
    let answer = search.answer();
    let (output, path) = (&config.output, &file.path);
    let (search_config, objectives) = (search.config(), &config.objectives);
    let json = report::capacity_json(
        search_config,
        objectives,
        &answer,
        search.probes(),
        measured,
    );
    let shown = |style| report::capacity_text(search_config, objectives, &answer, measured, style);
    let printed = output.file.as_deref();
    match output.format {
        OutputFormat::Quiet => {}
        OutputFormat::Json => output::deliver(&json, printed)?,
        OutputFormat::Text | OutputFormat::Csv | OutputFormat::Markdown => {
            output::deliver(&shown(output::style_for(printed)), printed)?;
        }
    }
    output::to_job_page(&format!("```text{}```", shown(Style { color: false })))?;
    write_atomically(path, json.as_bytes())?;
    let figure = if output.plot {
        draw(&json, path)?
    } else {
        None
    };
    if !output.is_quiet() {
        let written = std::iter::once(path).chain(&figure);
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

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_time_is_told_in_seconds_or_minutes() {
        assert_eq!([in_words(98.4), in_words(600.0)], ["98 s", "10 min"]);
    }
}
