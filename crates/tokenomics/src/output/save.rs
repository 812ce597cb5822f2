//! The files that a measurement leaves.

use crate::failure::Failure;
use crate::output::config::OutputConfig;
use crate::output::export::export;
use crate::output::files::{Paths, write_atomically};
use crate::output::plot::plot_summary;
use crate::output::recorder::Recorder;
use stats::Summary;

/// Writes results, records and plot; the names of what was written.
pub(crate) fn save(
    config: &OutputConfig,
    paths: &Paths,
    recorder: &Recorder,
    summary: &Summary,
) -> Result<Vec<String>, Failure> {
    let json = report::results_json(summary);
    let mut written = save_files(paths, &json, recorder)?;
    let plot = if config.plot {
        plot_summary(summary, &json, paths)?
    } else {
        None
    };
    written.extend(
        recorder
            .with(|header, _, records| export(&config.exports, paths, summary, header, records))?,
    );
    let further = plot.iter().chain(&config.file);
    written.extend(further.map(|path| path.display().to_string()));
    // What an earlier run left under these names belongs to other numbers.
    paths.remove_others(config.records, plot.is_some());
    Ok(written)
}

/// Writes results and records; the names of what was written.
pub(crate) fn save_files(
    paths: &Paths,
    json: &str,
    recorder: &Recorder,
) -> Result<Vec<String>, Failure> {
    // The records first: whoever ends us in between leaves new records beside old results, from which `report` makes new
    // ones, and not new results beside records that say something else.
    let records = recorder.finish()?;
    write_atomically(&paths.results, json.as_bytes())?;
    let all = [Some(paths.results.clone()), records];
    Ok(all
        .into_iter()
        .flatten()
        .map(|path| path.display().to_string())
        .collect())
}
