//! Result files of embedding benchmarks, read back for a figure.

use crate::result_file::{Place, check_schema, grade, mean_rate};
use crate::{Axis, MeanAndStd, ReportError};
use serde_json::Value;
use stats::Grade;

/// A result file of an embedding benchmark, read back for a figure: one of ours, or one of the first files of this
/// kind, whose points are named `batch_8_seq_200` too.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingFile {
    /// `metadata.model`.
    pub model: Option<String>,
    /// `metadata.description`.
    pub description: Option<String>,
    /// What the points of one length differ in.
    pub axis: Axis,
    /// The verdict on the whole; absent in files that hold none.
    pub grade: Option<Grade>,
    /// A series for each length of texts, in the order of the file.
    pub series: Vec<EmbeddingSeries>,
}

/// The points of one length of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingSeries {
    /// `200 words`, `short`, `128 tokens`, or with the texts in each request `200 words × 8 texts`.
    pub length: String,
    /// Sorted by position; at least one.
    pub points: Vec<EmbeddingPoint>,
}

/// One point. Absent is what the file does not hold, or holds as `null`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingPoint {
    /// The batch size, concurrency or rate.
    pub position: f64,
    /// The verdict on the point; absent in files that hold none.
    pub grade: Option<Grade>,
    /// `throughput.batch_embeddings_per_second`.
    pub embeddings_per_second: Option<MeanAndStd>,
    /// `throughput.batch_tokens_per_second`.
    pub tokens_per_second: Option<MeanAndStd>,
    /// `timings.batch_total_seconds`.
    pub batch_seconds: Option<MeanAndStd>,
}

impl EmbeddingFile {
    /// Whether a file's first point has the name of an embedding benchmark's.
    pub fn is_one(bytes: &[u8]) -> bool {
        let file: Option<Value> = serde_json::from_slice(bytes).ok();
        let keys = file.as_ref().and_then(|file| file["results"].as_object());
        keys.and_then(|keys| keys.keys().next())
            .is_some_and(|key| split(key).is_some())
    }

    /// Reads a result file. What is not one is refused with the place that gave it away.
    ///
    /// # Errors
    /// It is not JSON, or no result file of an embedding benchmark.
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
        let mut axis = None;
        let mut series: Vec<EmbeddingSeries> = Vec::new();
        for key in results.object()?.keys() {
            let place = results.key(key);
            let Some((of, position, length)) = split(key) else {
                return Err(place.foreign("named like batch_8_seq_200"));
            };
            if *axis.get_or_insert(of) != of {
                return Err(place.foreign("of the same kind of load as the points before"));
            }
            // A rate that changes has a name, and its mean is its place on the axis.
            let rate = || mean_rate(&place.key("load"));
            let Some(position) = position.or_else(rate).filter(|rate| rate.is_finite()) else {
                return Err(place.foreign("named like batch_8_seq_200"));
            };
            let point = point(position, &place)?;
            match series.iter_mut().find(|series| series.length == length) {
                Some(series) => series.points.push(point),
                None => series.push(EmbeddingSeries {
                    length,
                    points: vec![point],
                }),
            }
        }
        for series in &mut series {
            series
                .points
                .sort_by(|a, b| a.position.total_cmp(&b.position));
        }
        Ok(Self {
            model: metadata.key("model").text(),
            description: metadata.key("description").text(),
            axis: axis.ok_or_else(|| results.foreign("an object with at least one point"))?,
            grade: grade(&file.key("verdict"))?,
            series,
        })
    }
}

fn point(position: f64, place: &Place) -> Result<EmbeddingPoint, ReportError> {
    let (throughput, timings) = (place.key("throughput"), place.key("timings"));
    let sample = |place: Place| place.present().map(|place| place.mean_and_std());
    let optional = |place| sample(place).transpose().map(Option::flatten);
    Ok(EmbeddingPoint {
        position,
        grade: grade(&place.key("verdict"))?,
        embeddings_per_second: optional(throughput.key("batch_embeddings_per_second"))?,
        tokens_per_second: optional(throughput.key("batch_tokens_per_second"))?,
        batch_seconds: optional(timings.key("batch_total_seconds"))?,
    })
}

/// `batch_8_inputs_4_seq_200` or `batch_8_tok_128` to its axis, position and length; a rate that changes has a name in
/// place of a position.
fn split(key: &str) -> Option<(Axis, Option<f64>, String)> {
    let (load, length) = match key.split_once("_seq_") {
        Some((load, words)) if words.parse::<u32>().is_ok() => (load, format!("{words} words")),
        Some((load, kind)) => (load, kind.to_owned()),
        None => {
            let (load, tokens) = key.split_once("_tok_")?;
            (load, format!("{tokens} tokens"))
        }
    };
    let (kind, rest) = load.split_once('_')?;
    let axis = match kind {
        "batch" => Axis::BatchSize,
        "concurrency" => Axis::Concurrency,
        "rate" => Axis::RequestRate,
        _ => return None,
    };
    let (position, inputs) = match rest.split_once("_inputs_") {
        Some((position, inputs)) => (position, Some(inputs)),
        None => (rest, None),
    };
    let position: Option<f64> = position.parse().ok().filter(|x: &f64| x.is_finite());
    if position.is_none() && axis != Axis::RequestRate {
        return None;
    }
    let length = match inputs {
        Some(inputs) => format!("{length} × {inputs} texts"),
        None => length,
    };
    Some((axis, position, length))
}

#[cfg(test)]
mod tests {
    use super::{EmbeddingFile, split};
    use crate::Axis;
    use proptest::prelude::*;

    /// What the first benchmark of this kind wrote.
    const FIRST: &str = r#"{
        "metadata": {"model": "Qwen3-Embedding-4B", "description": "TP1 A100"},
        "results": {
            "batch_8_seq_200": {
                "timings": {"batch_total_seconds": {"mean": 0.5, "std": 0.1, "min": 0.4, "max": 0.6}},
                "throughput": {
                    "batch_embeddings_per_second": {"mean": 16, "std": 1, "min": 15, "max": 17},
                    "batch_tokens_per_second": {"mean": 4160, "std": 9, "min": 4150, "max": 4170}
                }
            },
            "batch_1_seq_200": {"timings": {}, "throughput": {}},
            "batch_1_seq_short": {}
        }
    }"#;

    #[test]
    fn a_file_of_the_first_kind_is_read() {
        assert!(EmbeddingFile::is_one(FIRST.as_bytes()));
        let file = EmbeddingFile::parse(FIRST.as_bytes()).unwrap();
        assert_eq!((file.axis, file.grade), (Axis::BatchSize, None));
        let lengths: Vec<_> = file.series.iter().map(|series| &*series.length).collect();
        assert_eq!(lengths, ["200 words", "short"]);
        let positions = file.series[0].points.iter().map(|point| point.position);
        assert_eq!(positions.collect::<Vec<_>>(), [1.0, 8.0]);
        assert_eq!(file.series[0].points[0].batch_seconds, None);
        let point = &file.series[0].points[1];
        assert!((point.embeddings_per_second.unwrap().mean - 16.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_none_is_refused_with_its_place() {
        let refusal = |text: &str| {
            EmbeddingFile::parse(text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        let other = r#"{"metadata": {}, "results": {"8": {}}}"#;
        assert!(refusal(other).contains("batch_8_seq_200"));
        let mixed = r#"{"metadata": {}, "results": {"batch_1_seq_5": {}, "rate_2_seq_5": {}}}"#;
        assert!(refusal(mixed).contains("same kind of load"));
        assert!(refusal(r#"{"metadata": {}, "results": {}}"#).contains("at least one point"));
        let text = r#"{"metadata": {}, "results": {"batch_1_seq_5": {"throughput":
            {"batch_embeddings_per_second": 3}}}}"#;
        assert!(refusal(text).contains("batch_embeddings_per_second"));
        assert!(!EmbeddingFile::is_one(other.as_bytes()) && !EmbeddingFile::is_one(b"{"));
    }

    #[test]
    fn names_tell_load_texts_and_length() {
        let named = |key| split(key).unwrap();
        assert_eq!(
            named("rate_2.5_seq_mixed"),
            (Axis::RequestRate, Some(2.5), "mixed".to_owned())
        );
        let (axis, position, length) = named("concurrency_4_inputs_8_seq_200");
        assert_eq!((axis, position), (Axis::Concurrency, Some(4.0)));
        assert_eq!(length, "200 words × 8 texts");
        let (_, _, length) = named("batch_8_tok_128");
        assert_eq!(length, "128 tokens");
        assert_eq!(split("batch_nan_seq_5"), None);
        let (axis, position, _) = named("rate_ramp 1:9:2s_seq_5");
        assert_eq!((axis, position), (Axis::RequestRate, None));
        let ramp = r#"{"metadata": {}, "results": {"rate_ramp 1:9:2s_seq_5": {"load": {"kind": "open", "arrival":
            {"process": "ramp", "from": 1.0, "to": 9.0, "duration": 2000000000, "gaps": "equal"}}}}}"#;
        let file = EmbeddingFile::parse(ramp.as_bytes()).unwrap();
        assert!((file.series[0].points[0].position - 5.0).abs() < 1e-9);
        let unknown = ramp.replace("ramp\", \"from", "other\", \"from");
        assert!(EmbeddingFile::parse(unknown.as_bytes()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_changed_byte_is_read_or_refused_without_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = FIRST.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(file) = EmbeddingFile::parse(&bytes) {
                prop_assert!(!file.series.is_empty());
            }
        }
    }
}
