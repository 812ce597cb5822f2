//! Result files, read back for a figure.

use crate::width::clip;
use crate::{Axis, RESULT_SCHEMA_VERSION, ReportError, escape};
use serde_json::{Map, Value};
use stats::Grade;

/// A result file, read back for a figure: one of ours, or one of the first files of this kind,
/// which hold `metadata` and `results` with tokens, timings and throughput only.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultFile {
    /// `metadata.model`.
    pub model: Option<String>,
    /// `metadata.description`.
    pub description: Option<String>,
    /// What the points differ in; the batch size in files that do not say.
    pub axis: Axis,
    /// The verdict on the whole; absent in files that hold none.
    pub grade: Option<Grade>,
    /// Sorted by position; at least one.
    pub points: Vec<ResultPoint>,
}

/// One point of a result file. Absent is what the file does not hold, or holds as `null`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultPoint {
    /// Its name in the file.
    pub key: String,
    /// The name as a number: a batch size, a concurrency or a rate.
    pub position: f64,
    /// The verdict on the point; absent in files that hold none.
    pub grade: Option<Grade>,
    /// Seconds in which the machine kept the client from its work, and all that were watched: the
    /// length of `receipt.disturbed.seconds`, and `receipt.disturbed.of`.
    pub disturbed: Option<(u64, u64)>,
    /// `throughput.batch_tokens_per_second`.
    pub batch_tokens_per_second: Option<MeanAndStd>,
    /// `throughput.request_tokens_per_second`.
    pub request_tokens_per_second: Option<MeanAndStd>,
    /// `latency.ttft`, in milliseconds.
    pub ttft: Option<MedianAndP99>,
    /// `latency.tpot`, in milliseconds.
    pub tpot: Option<MedianAndP99>,
}

/// A mean and a sample standard deviation, as a file holds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAndStd {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation.
    pub std: f64,
}

/// The two percentiles that a figure draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MedianAndP99 {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// Whether the sample carries the median: the file has an interval of it, or speaks of none.
    pub p50_carried: bool,
    /// The same of the 99th percentile.
    pub p99_carried: bool,
}

impl ResultFile {
    /// Reads a result file. What is not one is refused with the place that gave it away.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let file: Value = serde_json::from_slice(bytes).map_err(|error| ReportError::NotJson {
            problem: error.to_string(),
        })?;
        let file = Place::root(&file);
        file.object()?;
        check_schema(&file)?;
        let metadata = file.key("metadata");
        metadata.object()?;
        let results = file.key("results");
        let mut points = results
            .object()?
            .keys()
            .map(|key| point(key, &results.key(key)))
            .collect::<Result<Vec<_>, _>>()?;
        if points.is_empty() {
            return Err(results.foreign("an object with at least one point"));
        }
        points.sort_by(|a, b| a.1.position.total_cmp(&b.1.position));
        Ok(Self {
            model: metadata.key("model").text(),
            description: metadata.key("description").text(),
            axis: points[0].0,
            grade: grade(&file.key("verdict"))?,
            points: points.into_iter().map(|(_, point)| point).collect(),
        })
    }
}

pub(crate) fn check_schema(file: &Place) -> Result<(), ReportError> {
    let version = file.key("schema_version");
    let Some(value) = version.value else {
        return Ok(());
    };
    let found = value
        .as_u64()
        .ok_or_else(|| version.foreign("a version number"))?;
    if found > u64::from(RESULT_SCHEMA_VERSION) {
        return Err(ReportError::Schema {
            found,
            known: RESULT_SCHEMA_VERSION,
        });
    }
    Ok(())
}

pub(crate) fn grade(verdict: &Place) -> Result<Option<Grade>, ReportError> {
    if verdict.value.is_none() {
        return Ok(None);
    }
    let grade = verdict.key("grade");
    match grade.value.and_then(Value::as_str) {
        Some("valid") => Ok(Some(Grade::Valid)),
        Some("suspect") => Ok(Some(Grade::Suspect)),
        Some("invalid") => Ok(Some(Grade::Invalid)),
        _ => Err(grade.foreign("`valid`, `suspect` or `invalid`")),
    }
}

fn point(key: &str, place: &Place) -> Result<(Axis, ResultPoint), ReportError> {
    place.object()?;
    let load = place.key("load");
    let position = key.parse::<f64>().ok().or_else(|| mean_rate(&load));
    let position = position
        .filter(|position| position.is_finite())
        .ok_or_else(|| ReportError::Key { key: shown(key) })?;
    let axis = if load.value.is_none() {
        Axis::BatchSize
    } else {
        let kind = load.key("kind");
        kind.text()
            .and_then(|kind| Axis::from_kind(&kind))
            .ok_or_else(|| kind.foreign("`burst`, `closed` or `open`"))?
    };
    let throughput = place.key("throughput");
    throughput.object()?;
    let latency = place.key("latency");
    let point = ResultPoint {
        key: key.to_owned(),
        position,
        grade: grade(&place.key("verdict"))?,
        disturbed: disturbed(&place.key("receipt").key("disturbed")),
        batch_tokens_per_second: throughput.key("batch_tokens_per_second").mean_and_std()?,
        request_tokens_per_second: throughput.key("request_tokens_per_second").mean_and_std()?,
        ttft: latency.key("ttft").percentiles()?,
        tpot: latency.key("tpot").percentiles()?,
    };
    Ok((axis, point))
}

fn disturbed(place: &Place) -> Option<(u64, u64)> {
    let value = place.value?;
    let seconds = value.get("seconds")?.as_array()?.len() as u64;
    Some((seconds, value.get("of")?.as_u64()?))
}

/// Of an arrival process that is more than a rate, and named in words.
pub(crate) fn mean_rate(load: &Place) -> Option<f64> {
    let arrival = load.key("arrival").value?.clone();
    let arrival: trace::Arrival = serde_json::from_value(arrival).ok()?;
    Some(arrival.rate())
}

/// A value of the file and the path that leads to it; `null` and what is not there are both absent.
pub(crate) struct Place<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Place<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value: Some(value),
        }
    }

    pub(crate) fn key(&self, key: &str) -> Place<'a> {
        let separator = if self.path.is_empty() { "" } else { "." };
        let name = if key.starts_with(|c: char| c.is_ascii_digit()) {
            format!("\"{key}\"")
        } else {
            key.to_owned()
        };
        Place {
            path: format!("{}{separator}{name}", self.path),
            value: self
                .value
                .and_then(|value| value.get(key))
                .filter(|value| !value.is_null()),
        }
    }

    /// Whether the file names it, and says that there is none.
    fn holds_null(&self, key: &str) -> bool {
        self.value
            .and_then(|value| value.get(key))
            .is_some_and(Value::is_null)
    }

    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>, ReportError> {
        self.value
            .and_then(Value::as_object)
            .ok_or_else(|| self.foreign("an object"))
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.value.and_then(Value::as_str).map(str::to_owned)
    }

    /// Itself, where the file holds it.
    pub(crate) fn present(self) -> Option<Self> {
        self.value.is_some().then_some(self)
    }

    fn number(&self) -> Result<f64, ReportError> {
        self.value
            .and_then(Value::as_f64)
            .ok_or_else(|| self.foreign("a number"))
    }

    /// The sample must be named; its mean may be `null`.
    pub(crate) fn mean_and_std(&self) -> Result<Option<MeanAndStd>, ReportError> {
        self.object()?;
        let mean = self.key("mean");
        if mean.value.is_none() {
            return Ok(None);
        }
        Ok(Some(MeanAndStd {
            mean: mean.number()?,
            std: self.key("std").number()?,
        }))
    }

    fn percentiles(&self) -> Result<Option<MedianAndP99>, ReportError> {
        if self.value.is_none() {
            return Ok(None);
        }
        let (p50, p99) = (self.key("p50"), self.key("p99"));
        Ok(Some(MedianAndP99 {
            p50: p50.number()?,
            p99: p99.number()?,
            p50_carried: !self.holds_null("p50_ci95"),
            p99_carried: !self.holds_null("p99_ci95"),
        }))
    }

    pub(crate) fn foreign(&self, expected: &'static str) -> ReportError {
        let place = if self.path.is_empty() {
            "the whole file".to_owned()
        } else {
            format!("`{}`", shown(&self.path))
        };
        ReportError::Foreign {
            place,
            expected,
            found: kind(self.value),
        }
    }
}

/// A name out of the file, as a message shows it.
fn shown(name: &str) -> String {
    clip(&escape::terminal(name), 80)
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None | Some(Value::Null) => "not there",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(object)) if object.is_empty() => "empty",
        Some(Value::Object(_)) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::{MeanAndStd, MedianAndP99, ResultFile};
    use crate::{Axis, example, results_json};
    use proptest::prelude::*;
    use stats::Grade;

    fn refusal(bytes: &[u8]) -> String {
        ResultFile::parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_we_write_is_read_back() {
        let file = ResultFile::parse(results_json(&example::summary()).as_bytes()).unwrap();
        assert_eq!(file.model.as_deref(), Some("distill-llama-8b"));
        assert_eq!(file.axis, Axis::BatchSize);
        assert_eq!(file.grade, Some(Grade::Suspect));
        let keys: Vec<_> = file.points.iter().map(|point| point.key.as_str()).collect();
        assert_eq!(keys, ["1", "8", "64"]);
        assert_eq!(
            file.points[2].batch_tokens_per_second,
            Some(MeanAndStd {
                mean: 3_729.295_223_546_461,
                std: 122.243_136_513_791_1
            })
        );
        assert_eq!(
            file.points[2].ttft,
            Some(MedianAndP99 {
                p50: 401.7,
                p99: 880.4,
                p50_carried: true,
                p99_carried: false,
            })
        );
    }

    #[test]
    fn a_file_of_the_first_kind_is_read() {
        let file = ResultFile::parse(example::FIRST_RESULT_FILE.as_bytes()).unwrap();
        assert_eq!(file.axis, Axis::BatchSize);
        assert_eq!(file.grade, None);
        let keys: Vec<_> = file.points.iter().map(|point| point.key.as_str()).collect();
        assert_eq!(keys, ["2", "10", "64"], "by number, not by letter");
        assert_eq!(
            file.points[2].request_tokens_per_second,
            Some(MeanAndStd {
                mean: 159.158_723_154_126_6,
                std: 8.273_409_865_481_359
            })
        );
        assert_eq!(file.points[2].ttft, None);
    }

    #[test]
    fn a_point_in_which_nothing_succeeded_is_read_as_absent() {
        let written = results_json(&example::nothing_succeeded());
        let file = ResultFile::parse(written.as_bytes()).unwrap();
        assert_eq!(file.points[0].batch_tokens_per_second, None);
    }

    #[test]
    fn a_refusal_names_what_is_missing() {
        let refused = [
            "[1]",
            "{}",
            r#"{"metadata": {}, "results": {}}"#,
            r#"{"metadata": {}, "results": {"fast": {}}}"#,
            r#"{"metadata": {}, "results": {"inf": {}}}"#,
            r#"{"metadata": {}, "results": {"8": {"tokens": {}}}}"#,
            r#"{"metadata": {}, "results": {"8": {"throughput": {"batch_tokens_per_second": 3}}}}"#,
            r#"{"schema_version": 99, "metadata": {}, "results": {}}"#,
            r#"{"metadata": {}, "results": {"\u001b[2J": {}}}"#,
            r#"{"metadata": "#,
        ]
        .map(|text| refusal(text.as_bytes()));
        insta::assert_snapshot!(refused.join("\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ResultFile::parse(&bytes).is_err());
        }

        #[test]
        fn a_file_cut_short_is_refused(share in 0.0..1.0_f64) {
            let whole = example::FIRST_RESULT_FILE.trim_end();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let cut = (whole.len() as f64 * share) as usize;
            prop_assert!(ResultFile::parse(&whole.as_bytes()[..cut]).is_err());
        }

        #[test]
        fn a_changed_byte_is_read_or_refused_without_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = example::FIRST_RESULT_FILE.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(file) = ResultFile::parse(&bytes) {
                prop_assert!(!file.points.is_empty());
            }
        }
    }
}
