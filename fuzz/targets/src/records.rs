//! Files of records, and tables of others.

use bytes::Bytes;
use store::{JsonlWriter, SavedFile, StoreError};
use trace::SavedRun;

/// What a file may take: less than libFuzzer calls a finding.
pub(crate) const MEMORY: u64 = 512 << 20;

/// Records that can be read can be written in both formats, and read as the same.
pub(crate) fn records(bytes: &[u8]) {
    let Ok(SavedFile { run, .. }) = store::read(Bytes::copy_from_slice(bytes), MEMORY) else {
        return;
    };
    let again = store::read_jsonl(&*as_lines(&run).unwrap(), MEMORY).unwrap();
    assert!(!again.truncated);
    // Compared as text: what is no number equals nothing.
    assert_eq!(format!("{:?}", again.run), format!("{run:?}"));
    let part = store::encode_part(&run.header, &run.facts, &run.records).unwrap();
    let again = store::read_parquet(part.into(), MEMORY).unwrap();
    assert_eq!(format!("{again:?}"), format!("{run:?}"));
}

fn as_lines(run: &SavedRun) -> Result<Vec<u8>, StoreError> {
    let mut writer = JsonlWriter::new(Vec::new(), &run.header)?;
    run.records
        .iter()
        .try_for_each(|record| writer.record(record))?;
    run.facts.iter().try_for_each(|facts| writer.facts(facts))?;
    writer.finish()
}

/// The rows of a Parquet file of somebody else's.
pub(crate) fn parquet_table(bytes: &[u8]) {
    let Ok(rows) = store::read_table(&Bytes::copy_from_slice(bytes), MEMORY) else {
        return;
    };
    let rows: Vec<_> = (1..).zip(rows).collect();
    let _any = workload::read_dataset(&rows, &workload::DatasetReader::Detect);
}
