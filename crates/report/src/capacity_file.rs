use crate::{ReportError, ResultFile};
use serde::Deserialize;
use serde_json::Value;
use stats::{CapacityAnswer, CapacityConfig, Probe};

/// The file of a search for a capacity, read back for a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityFile {
    /// What was looked for.
    pub search: CapacityConfig,
    /// What was found.
    pub answer: CapacityAnswer,
    /// What each run showed, in the order of time.
    pub probes: Vec<Probe>,
    /// The result of each run, as far as it holds a point.
    pub measured: Vec<ResultFile>,
}

#[derive(Deserialize)]
struct Fields {
    search: CapacityConfig,
    capacity: CapacityAnswer,
    probes: Vec<Probe>,
    measured: Vec<Value>,
}

impl CapacityFile {
    /// Whether a file is that of a search.
    pub fn is_one(bytes: &[u8]) -> bool {
        let file: Option<Value> = serde_json::from_slice(bytes).ok();
        file.is_some_and(|file| file.get("capacity").is_some() && file.get("probes").is_some())
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not JSON, or no file of a search.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let fields: Fields =
            serde_json::from_slice(bytes).map_err(|error| ReportError::NotJson {
                problem: error.to_string(),
            })?;
        let results = fields.measured.iter();
        let measured =
            results.filter_map(|file| ResultFile::parse(file.to_string().as_bytes()).ok());
        Ok(Self {
            search: fields.search,
            answer: fields.capacity,
            probes: fields.probes,
            measured: measured.collect(),
        })
    }
}
