//! What one of the servers that are compared answered.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::measurement::Measured;
use crate::output::{self, OutputConfig, Paths, Recorder, Sink};
use stats::Summary;
use std::path::Path;

/// What one server did, block by block.
#[derive(Default)]
pub(super) struct Side {
    pub(super) blocks: Vec<Measured>,
}

impl Side {
    /// All blocks as the runs of one measurement, with files of its own.
    pub(super) fn save(&self, output: &OutputConfig, results: &Path) -> Result<Summary, Failure> {
        let Some(first) = self.blocks.first() else {
            return Err(Failure::failed("no block was measured"));
        };
        let output = OutputConfig {
            results_file: Some(results.to_owned()),
            plot: false,
            file: None,
            exports: Vec::new(),
            ..output.clone()
        };
        let paths = Paths::of_results(results);
        let _claim = paths.claim(&output)?;
        let mut header = first.recorder.with(|header, _, _| header.clone());
        header
            .metadata
            .insert("num_runs".to_owned(), self.blocks.len().into());
        let sink = match output.records {
            RecordsFormat::None => Sink::None,
            format => Sink::open(format, &paths, &header)?,
        };
        let all = Recorder::new(header, sink)?;
        let mut next_id = 0;
        for (number, block) in (0..).zip(&self.blocks) {
            block.recorder.with(|_, facts, records| {
                let first_id = next_id;
                for record in records {
                    let mut record = record.clone();
                    record.run.run = number;
                    record.id += first_id;
                    next_id = next_id.max(record.id + 1);
                    all.record(record);
                }
                for facts in facts {
                    let mut facts = facts.clone();
                    facts.run.run = number;
                    all.facts(facts);
                }
            });
        }
        let summary = all.with(stats::summarize);
        output::save(&output, &paths, &all, &summary)?;
        Ok(summary)
    }
}
