//! Our mock, as the provider behind real gateways. Its log of what it wrote is the truth.

use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use trace::Nanos;

/// How long its log may take to be written once it has nothing else to do.
const LOG_TAKES: Duration = Duration::from_secs(5);

/// A mock provider and its log.
pub(super) struct Mock {
    server: Server,
    log: PathBuf,
}

impl Deref for Mock {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Means over requests, in milliseconds, from the kernel's stamp of a request to the mock's writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Truth {
    pub(super) ttft: Option<f64>,
    pub(super) tpot: Option<f64>,
}

impl Mock {
    /// One called `name`, which gateways know by it: 50 ms to the first token and 10 ms to each next one.
    pub(super) fn start(instrument: &Instrument<'_>, name: &str, flags: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let log = instrument.cache.path(&format!("mock-{name}.jsonl"));
        let (number, path) = (port.to_string(), log.display().to_string());
        let mut args = vec!["mock", "--port", &number, "--model", name, "--truth", &path];
        args.extend(["--ttft-ms", "50", "--itl-ms", "10"]);
        args.extend(flags);
        let command = spec(name, instrument.program(), &args);
        let output = instrument.cache.log(&format!("mock-{name}"));
        let patience = Duration::from_secs(30);
        let server = Server::start(&command, port, "/v1/models", patience, &output)?;
        Ok(Self { server, log })
    }

    /// What it did to its first `streams` streams, once it has written so many down.
    pub(super) fn truth(&self, streams: usize) -> Result<Truth> {
        let begun = Instant::now();
        loop {
            let text = fs::read(&self.log).context("the mock keeps no log")?;
            // The last line may be half written.
            let whole = text
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1);
            let mut records = mock::read_truth(&text[..whole])?;
            records.retain(|record| record.stream);
            if records.len() >= streams {
                records.truncate(streams);
                return Ok(Truth::of(&records));
            }
            ensure!(
                begun.elapsed() < LOG_TAKES,
                "the mock saw {} of {streams} streams",
                records.len()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Truth {
    fn of(records: &[mock::TruthRecord]) -> Self {
        let mean = |values: Vec<f64>| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let between = |from: u64, to: u64| Nanos(to.saturating_sub(from)).millis();
        let ttft = records
            .iter()
            .filter_map(|record| Some(between(record.received, *record.writes.first()?)));
        let tpot = records.iter().filter_map(|record| {
            let (first, last) = (record.writes.first()?, record.writes.last()?);
            let gaps = record.writes.len() - 1;
            (gaps > 0).then(|| between(*first, *last) / gaps as f64)
        });
        Self {
            ttft: mean(ttft.collect()),
            tpot: mean(tpot.collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth;
    use mock::TruthRecord;

    #[test]
    fn the_truth_is_what_was_written_after_the_request_came() {
        let record = |received, writes: &[u64]| TruthRecord {
            request_id: String::new(),
            received,
            received_user: received,
            stream: true,
            role_written: None,
            writes: writes.to_vec(),
            done: 0,
        };
        let records = [
            record(1_000_000, &[51_000_000, 61_000_000, 75_000_000]),
            record(2_000_000, &[54_000_000]),
        ];
        let truth = Truth::of(&records);
        assert_eq!((truth.ttft, truth.tpot), (Some(51.0), Some(12.0)));
        assert_eq!(Truth::of(&[]).ttft, None);
    }
}
