//! The log of what was sent, and when.

use crate::MockError;
use crate::step::Marks;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufWriter, Write};
use std::iter::repeat_n;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// What happened to one request, in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthRecord {
    /// The request's `x-request-id`; `mock-<n>` where it had none.
    pub request_id: String,
    /// Its last byte arrived: the kernel's stamp, or `received_user` where the kernel gave none.
    pub received: u64,
    /// This process had read its last byte.
    pub received_user: u64,
    /// A stream was asked for, and began.
    pub stream: bool,
    /// Just before the write of the role chunk, where there was one.
    pub role_written: Option<u64>,
    /// Just before the `write()` of each content event, in order; of an event that a fault or a
    /// full socket cut up, of its last piece. Events that shared a write share a stamp.
    pub writes: Vec<u64>,
    /// The last write was done, or the client gone, or the server stopped.
    pub done: u64,
}

impl TruthRecord {
    /// What a write completed that was begun at `now`.
    pub(crate) fn wrote(&mut self, marks: Marks, now: u64) {
        if marks.role {
            self.role_written = Some(now);
        }
        self.writes.extend(repeat_n(now, marks.events as usize));
    }
}

/// Records kept back at most while requests are being served.
const BATCH_MAX: usize = 8_192;

/// Writes records as JSON lines on a thread of its own, and not while it could disturb: the caller
/// hands batches over in quiet moments.
#[derive(Debug)]
pub(crate) struct TruthWriter {
    batch: Vec<TruthRecord>,
    sender: Sender<Vec<TruthRecord>>,
    thread: JoinHandle<io::Result<()>>,
}

impl TruthWriter {
    pub(crate) fn new(out: impl Write + Send + 'static) -> Result<Self, MockError> {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new()
            .name("mock-truth".to_owned())
            .spawn(move || write_all(&receiver, out))
            .map_err(MockError::system("starting the truth log's thread"))?;
        Ok(Self {
            batch: Vec::new(),
            sender,
            thread,
        })
    }

    pub(crate) fn push(&mut self, record: TruthRecord) {
        self.batch.push(record);
        if self.batch.len() >= BATCH_MAX {
            self.hand_over();
        }
    }

    /// Whether there are records that were not handed over.
    pub(crate) fn is_pending(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Passes what is pending to the writing thread.
    pub(crate) fn hand_over(&mut self) {
        // The thread is gone only after a failed write, which `finish` reports.
        let _gone = self.sender.send(std::mem::take(&mut self.batch));
    }

    /// Writes and flushes everything.
    pub(crate) fn finish(mut self) -> Result<(), MockError> {
        self.hand_over();
        let Self {
            batch: _,
            sender,
            thread,
        } = self;
        drop(sender);
        thread
            .join()
            .map_err(|_| MockError::Panicked)?
            .map_err(MockError::WriteTruth)
    }
}

fn write_all(batches: &Receiver<Vec<TruthRecord>>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for batch in batches {
        for record in &batch {
            serde_json::to_writer(&mut out, record)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Reads a truth log: one JSON object per line, empty lines aside.
pub fn read_truth(log: impl BufRead) -> Result<Vec<TruthRecord>, MockError> {
    let mut records = Vec::new();
    for (index, line) in log.lines().enumerate() {
        let line = line.map_err(MockError::ReadTruth)?;
        if line.is_empty() {
            continue;
        }
        let record = serde_json::from_str(&line).map_err(|source| MockError::TruthLine {
            line: index + 1,
            source,
        })?;
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::{TruthRecord, TruthWriter, read_truth};
    use crate::MockError;
    use std::io::{self, Write};
    use std::sync::mpsc::{Sender, channel};

    fn record(request_id: &str) -> TruthRecord {
        TruthRecord {
            request_id: request_id.to_owned(),
            received: 5,
            received_user: 6,
            stream: true,
            role_written: None,
            writes: vec![7, 8, 8],
            done: 9,
        }
    }

    struct Bytes(Sender<Vec<u8>>);

    impl Write for Bytes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_pushed_is_read_back_whole_and_in_order() {
        let (sender, written) = channel();
        let mut writer = TruthWriter::new(Bytes(sender)).unwrap();
        let records: Vec<_> = (0..10_000).map(|id| record(&id.to_string())).collect();
        for record in &records {
            writer.push(record.clone());
        }
        writer.finish().unwrap();
        let log = written.into_iter().collect::<Vec<_>>().concat();
        assert_eq!(read_truth(&log[..]).unwrap(), records);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_an_error_at_the_end() {
        let mut writer = TruthWriter::new(Full).unwrap();
        writer.push(record("a"));
        writer.hand_over();
        writer.push(record("b"));
        assert!(matches!(writer.finish(), Err(MockError::WriteTruth(_))));
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let mut log = serde_json::to_vec(&record("a")).unwrap();
        log.extend_from_slice(b"\n\n{}\n");
        let error = read_truth(&log[..]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 3 of the mock's truth log"),
            "{error}"
        );
    }
}
