//! The verbs that measure nothing.

use crate::args::{Args, GuardArgs, ReportArgs, ReportFormat};
use crate::failure::{Exit, Failure};
use crate::input::read_bounded;
use crate::output::{self, Paths, say};
use crate::records::read_records;
use clap::CommandFactory;
use report::ForeignResult;
use std::fs;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::time::Duration;

/// `tokenomics report`: records to every number again.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    if let Some(foreign) = foreign(&args.records)? {
        return show_foreign(&foreign, args);
    }
    let saved = read_records(&args.records)?;
    if saved.truncated && args.output_format != ReportFormat::Quiet {
        say("The last line is cut off, as a killed run leaves it; one record is lost.");
    }
    let mut summary = stats::summarize_saved(&saved.run);
    summary.assert(&args.thresholds.assertions);
    let file = args.output.as_deref();
    if let Some(format) = args.output_format.printed() {
        output::print_summary(&summary, format, file)?;
    } else {
        let timeline = stats::Timeline::of(&saved.run);
        let page = report::html(&summary, timeline.as_ref()).map_err(Failure::failed)?;
        output::deliver(&page, file)?;
    }
    output::to_job_page(&report::step_summary(&summary))?;
    let paths = Paths::of_records(&args.records);
    let (header, records) = (&saved.run.header, &saved.run.records);
    let formats = &args.exports.export;
    let written = output::export(formats, &paths, &summary, header, records)?;
    if !written.is_empty() && args.output_format != ReportFormat::Quiet {
        say(&format!("Written: {}", written.join(" · ")));
    }
    Ok(match summary.verdict.grade {
        stats::Grade::Invalid => Exit::Invalid,
        _ if !summary.keeps_assertions() => Exit::Missed,
        stats::Grade::Valid | stats::Grade::Suspect => Exit::Done,
    })
}

/// The results in a file of another tool, where it is one: one, or several behind each other.
fn foreign(path: &Path) -> Result<Option<Vec<ForeignResult>>, Failure> {
    let extension = path.extension().unwrap_or_default();
    if extension != "json" && extension != "jsonl" {
        return Ok(None);
    }
    let all = read_bounded(path)
        .ok()
        .and_then(|bytes| ForeignResult::parse_all(&bytes));
    all.transpose()
        .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))
}

fn show_foreign(foreign: &[ForeignResult], args: &ReportArgs) -> Result<Exit, Failure> {
    let tool = foreign.first().map_or("another tool", |one| one.tool);
    if !args.thresholds.assertions.is_empty() || !args.exports.export.is_empty() {
        return Err(Failure::usage(format!(
            "{} is a file of {}, which holds no records, so that nothing can be asserted of it or exported from it; \
             measure with `tokenomics chat`",
            args.records.display(),
            tool
        )));
    }
    let file = args.output.as_deref();
    let text = match args.output_format {
        ReportFormat::Text => report::foreign_text(foreign, output::style_for(file)),
        ReportFormat::Json => report::foreign_json(foreign),
        ReportFormat::Quiet => return Ok(Exit::Done),
        ReportFormat::Csv | ReportFormat::Markdown | ReportFormat::Html => {
            return Err(Failure::usage(format!(
                "a file of {tool} can be shown as text or json",
            )));
        }
    };
    output::deliver(&text, file)?;
    Ok(Exit::Done)
}

/// `tokenomics guard`: starts a child, and ends it when standard input is at its end.
pub(crate) fn guard(args: GuardArgs) -> Result<Exit, Failure> {
    let order = process::GuardOrder {
        program: args.program,
        args: args.args,
        folder: args.folder,
        log: args.log,
        grace: Duration::from_millis(args.grace_ms),
    };
    process::guard(&order, std::io::stdin(), std::io::stdout()).map_err(Failure::failed)?;
    Ok(Exit::Done)
}

/// `tokenomics completions`: a script for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tokenomics", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// `tokenomics man`: the manual pages.
pub(crate) fn man(directory: &Path) -> Result<Exit, Failure> {
    let write = || {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Args::command(), directory)
    };
    write().map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", directory.display()))
    })?;
    Ok(Exit::Done)
}

/// What a panic of ours says: where, and what to do, without a backtrace.
pub(crate) fn apology(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(String::new, |location| {
        format!(" at {}:{}", location.file(), location.line())
    });
    let what = panic.payload_as_str().unwrap_or("no message");
    format!(
        "error: this is a bug in tokenomics{place}: {what}. \
         What was measured so far is in the records; please report it with the command you ran"
    )
}
