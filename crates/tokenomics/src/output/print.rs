//! Standard output is data, standard error is talk.

use crate::args::OutputFormat;
use crate::failure::Failure;
use crate::output::files::write_atomically;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::Style;
use stats::Summary;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Colour where standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn stdout_style() -> Style {
    style(io::stdout().is_terminal())
}

fn style(terminal: bool) -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style {
        color: terminal && !no_color,
    }
}

/// One line to standard error.
pub(crate) fn say(line: &str) {
    // A closed standard error is no reason to stop measuring.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The summary in the format asked for, to standard output or to a file.
pub(crate) fn print_summary(
    summary: &Summary,
    format: OutputFormat,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let style = style_for(file);
    let text = match format {
        OutputFormat::Text => report::text(summary, style),
        OutputFormat::Json => report::results_json(summary),
        OutputFormat::Csv => report::csv(summary),
        OutputFormat::Markdown => report::markdown(summary),
        OutputFormat::Quiet => return Ok(()),
    };
    deliver(&text, file)
}

/// The style of what goes to that file, or to standard output.
pub(crate) fn style_for(file: Option<&Path>) -> Style {
    if file.is_some() {
        Style { color: false }
    } else {
        stdout_style()
    }
}

/// To the file, whole or not at all, or to standard output.
pub(crate) fn deliver(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) => write_atomically(path, text.as_bytes()),
        None => print(text),
    }
}

/// Text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it, such as `head`, has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// How far the runs are. It moves between runs only: nothing is drawn while one is timed.
pub(crate) struct Progress {
    bar: ProgressBar,
    style: Style,
    quiet: bool,
}

impl Progress {
    /// A bar over `runs` on a terminal, plain lines elsewhere, nothing where `quiet`.
    pub(crate) fn new(runs: u64, quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal && !quiet {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(runs), target);
        if let Ok(template) = ProgressStyle::with_template("{bar:24} {pos}/{len} runs  {msg}") {
            bar.set_style(template);
        }
        Progress {
            bar,
            style: style(terminal),
            quiet,
        }
    }

    /// A run begins.
    pub(crate) fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// A run is over.
    pub(crate) fn end_run(&self) {
        self.bar.inc(1);
    }

    /// A run is not needed.
    pub(crate) fn skip_run(&self) {
        self.bar.dec_length(1);
    }

    /// A point is over; its numbers in a line.
    pub(crate) fn end_point(&self, point: &stats::PointSummary) {
        if !self.quiet {
            let line = report::point_line(point, self.style);
            self.bar.suspend(|| say(&line));
        }
    }

    /// All is over.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
