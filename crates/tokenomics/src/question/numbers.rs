//! What the numbers are: one measurement, printed and kept.

use crate::calibrating::certify;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::measurement::{End, Interruption, Planned, Session};
use crate::output::{self, OutputConfig, Paths, say};
use stats::{Grade, Summary};
use std::path::Path;

/// Measures the load, from the plan to the exit code.
pub(super) fn numbers(
    config: &Config,
    planned: Planned,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let session = Session::open(config, &config.server, interruption)?;
    let file = config.output.results_file.as_deref();
    kept(config, &session, planned, file, true).map(|kept| kept.exit)
}

/// A measurement that has left its files.
pub(super) struct Kept {
    pub(super) summary: Summary,
    pub(super) exit: Exit,
}

/// Measures, and keeps results, records and plot at `results_file`. What is printed is somebody else's where it does not
/// `print`.
pub(super) fn kept(
    config: &Config,
    session: &Session<'_>,
    planned: Planned,
    results_file: Option<&Path>,
    print: bool,
) -> Result<Kept, Failure> {
    let output = OutputConfig {
        results_file: results_file.map(Path::to_owned),
        file: config.output.file.clone().filter(|_| print),
        ..config.output.clone()
    };
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let paths = Paths::new(results_file, session.verb(), session.model(), &moment);
    let _claim = paths.claim(&output)?;
    if !output.is_quiet() {
        session.announce();
    }
    let measured = session.run(planned, Some(&paths))?;
    let mut summary = measured.summary;
    if config.certify
        && matches!(measured.end, End::Whole)
        && let Some(certificate) = certify(&summary.points)?
    {
        summary.certify(certificate);
    }
    if print {
        output::print_summary(&summary, output.format, output.file.as_deref())?;
        output::to_job_page(&report::step_summary(&summary))?;
    }
    let written = output::save(&output, &paths, &measured.recorder, &summary)?;
    if !output.is_quiet() {
        say(&format!("Written: {}", written.join(" · ")));
    }
    let exit = match (measured.end, summary.verdict.grade) {
        (End::Lost(failure), _) => return Err(failure),
        (End::Interrupted, _) => Exit::Interrupted,
        (End::Whole, Grade::Invalid) => Exit::Invalid,
        (End::Whole, _) if !summary.keeps_assertions() => Exit::Missed,
        (End::Whole, Grade::Valid | Grade::Suspect) => Exit::Done,
    };
    Ok(Kept { summary, exit })
}
