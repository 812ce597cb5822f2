//! The file of a search for a capacity, read back for a figure.

use crate::{ReportError, ResultFile};
use serde::Deserialize;
use serde_json::Value;
use stats::{CapacityAnswer, CapacityConfig, Probe};

/// The file of a search for a capacity, read back for a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityFile {
    /// What a good request met: `ttft:200 tpot:50`, in milliseconds; absent in files that do not say.
    pub objectives: Option<String>,
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
    objectives: Option<String>,
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
        for (number, probe) in (1..).zip(&fields.probes) {
            let counts = [probe.good, probe.issued, probe.effective, probe.rate];
            let sound = counts
                .iter()
                .all(|count| count.is_finite() && *count >= 0.0);
            if !sound
                || probe.good > probe.issued
                || probe.effective > probe.issued
                || probe.rate <= 0.0
            {
                return Err(ReportError::Probe { number });
            }
        }
        let results = fields.measured.iter();
        let measured =
            results.filter_map(|file| ResultFile::parse(file.to_string().as_bytes()).ok());
        Ok(Self {
            objectives: fields.objectives,
            search: fields.search,
            answer: fields.capacity,
            probes: fields.probes,
            measured: measured.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CapacityFile;

    #[test]
    fn bad_input_50_a_probe_that_cannot_be_is_refused_by_its_number() {
        let file = |probe: &str| {
            format!(
                r#"{{"capacity": {{"interval": null, "meets": null, "misses": null, "end": "invalid"}},
                "search": {{"first_rate": 1, "highest_rate": 9, "attain": 0.9, "resolution": 0.1, "probes_max": 9}},
                "probes": [{{"rate": 1, "good": 5, "issued": 5, "effective": 4, "valid": true}}, {probe}], "measured": []}}"#
            )
        };
        let sound = file(r#"{"rate": 2, "good": 0, "issued": 5, "effective": 4, "valid": true}"#);
        assert_eq!(
            CapacityFile::parse(sound.as_bytes()).unwrap().probes.len(),
            2
        );
        for probe in [
            r#"{"rate": 2, "good": 10, "issued": 5, "effective": 4, "valid": true}"#,
            r#"{"rate": 2, "good": -1, "issued": 5, "effective": 4, "valid": true}"#,
            r#"{"rate": 0, "good": 1, "issued": 5, "effective": 4, "valid": true}"#,
        ] {
            let error = CapacityFile::parse(file(probe).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("probe 2"), "{error}");
        }
        assert!(CapacityFile::parse(b"{}").is_err());
    }
}
