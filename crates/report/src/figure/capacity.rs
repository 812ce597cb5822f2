//! A search for a capacity: how many requests met the objectives at each rate, and the throughput–latency
//! curve that the search leaves behind.

use super::canvas::Canvas;
use super::header::{self, Header};
use super::labels::Rect;
use super::page::{HEIGHTS, MARGIN, WIDTH, slots};
use super::palette::{self, look, size};
use super::plane::{Plane, Rise, Series};
use super::scale::{LinearScale, YScale};
use crate::{CapacityFile, MedianAndP99, ReportError, ResultPoint, escape, number};
use stats::{Grade, Interval, ProbedRate};

/// The figure of one search, 1600 wide. Equal files give equal bytes.
///
/// # Errors
/// No rate was measured, or the drawing libraries refuse.
pub fn capacity_svg(file: &CapacityFile) -> Result<String, ReportError> {
    if file.probes.iter().all(|probe| probe.issued <= 0.0) {
        return Err(ReportError::NothingToDraw { files: 1 });
    }
    let mut out = String::new();
    let canvas = Canvas::new(&mut out, (WIDTH, HEIGHTS[0]))?;
    let top = heading(file).draw(&canvas, f64::from(WIDTH), MARGIN)?;
    let area = Rect {
        left: MARGIN,
        top: top + 26.0,
        right: f64::from(WIDTH) - MARGIN,
        bottom: f64::from(HEIGHTS[0]) - MARGIN / 2.0 - Plane::room_for_name(),
    };
    let slots: Vec<Rect> = slots(area, 2).collect();
    attainment(&canvas, file, slots[0])?;
    curve(&canvas, file, slots[1])?;
    canvas.finish()?;
    Ok(out)
}

/// The answer stands under the title, whatever it is.
fn heading(file: &CapacityFile) -> Header {
    let (grade, answer) = crate::capacity::headline(&file.answer, &file.search);
    let first = file.measured.first();
    let named = first.map(|file| header::named(&[&file.model, &file.description]));
    let named = named.filter(|named| !named.is_empty());
    let is_answer = grade == Grade::Valid;
    Header {
        title: escape::terminal(&named.unwrap_or_else(|| "Capacity".to_owned())),
        warnings: (!is_answer)
            .then(|| (grade, answer.clone()))
            .into_iter()
            .collect(),
        labels: Vec::new(),
        notes: is_answer.then_some(answer).into_iter().collect(),
    }
}

/// The share of good requests at each rate, with the interval by which the search decides.
fn attainment(canvas: &Canvas, file: &CapacityFile, slot: Rect) -> Result<(), ReportError> {
    let rates = ProbedRate::all(&file.probes);
    let highest = rates.iter().map(|rate| rate.rate).fold(0.0, f64::max);
    let x = LinearScale::new(0.0, highest * 1.04);
    let y = || Rise::Linear(YScale::new(100.0));
    let plane = Plane::new(canvas, &x, y(), slot, y().tick_width());
    if let Some(answer) = file.answer.interval {
        plane.shade(answer.low, answer.high, palette::ANSWER)?;
    }
    plane.title("Requests that met the objectives (%)", &[])?;
    plane.axes(Some("Request rate (req/s)"))?;
    let asked = number::percent(file.search.attain);
    let objectives = file.objectives.as_deref().map(escape::terminal);
    let objectives = objectives.map_or_else(String::new, |words| format!(" within {words}"));
    let words = Canvas::clip(
        &format!("asked: {asked}{objectives}"),
        size::TICK,
        slot.width() / 2.0,
    );
    plane.level(100.0 * file.search.attain, &words)?;
    for rate in rates {
        let Some(Interval { low, high }) = rate.interval() else {
            continue;
        };
        let ends = (100.0 * low, 100.0 * high);
        plane.whisker(rate.rate, 100.0 * rate.share(), ends, look(0).color, false)?;
    }
    Ok(())
}

/// Time to first token against throughput: flat, until the server is full.
fn curve(canvas: &Canvas, file: &CapacityFile, slot: Rect) -> Result<(), ReportError> {
    let points = file.measured.iter().flat_map(|file| &file.points);
    let points = points.filter(|point| point.grade != Some(Grade::Invalid));
    let mut points: Vec<(f64, f64, MedianAndP99)> = points.filter_map(place).collect();
    // Beyond the knee throughput can fall again, and the curve bends back.
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let x = LinearScale::new(0.0, highest * 1.04);
    let y = || {
        let values = points.iter().flat_map(|(.., ttft)| [ttft.p50, ttft.p99]);
        Rise::of_latencies(values)
    };
    let plane = Plane::new(canvas, &x, y(), slot, y().tick_width());
    let [p50, p99] = [("p50", 0, false), ("p99", 1, true)].map(|(name, index, dashed)| Series {
        name,
        color: look(index).color,
        dashed,
    });
    plane.title("Time to first token (ms)", &[p50, p99])?;
    plane.axes(Some("Output tokens per second"))?;
    // Of the runs of one rate the line goes through the one in the middle.
    let middles: Vec<_> = points
        .chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq())
        .map(|runs| {
            let mut runs: Vec<_> = runs.iter().collect();
            runs.sort_by(|a, b| a.2.p99.total_cmp(&b.2.p99));
            runs[(runs.len() - 1) / 2]
        })
        .collect();
    let values = |of: fn(&MedianAndP99) -> f64| -> Vec<(f64, f64)> {
        let values = middles.iter();
        values.map(|(_, rate, ttft)| (*rate, of(ttft))).collect()
    };
    plane.line(&values(|ttft| ttft.p99), p99)?;
    plane.line(&values(|ttft| ttft.p50), p50)?;
    for (_, rate, ttft) in &points {
        for (value, series) in [(ttft.p99, p99), (ttft.p50, p50)] {
            plane.whisker(*rate, value, (value, value), series.color, series.dashed)?;
        }
    }
    Ok(())
}

/// The asked rate of a point, its throughput and its latency.
fn place(point: &ResultPoint) -> Option<(f64, f64, MedianAndP99)> {
    let rate = point.batch_tokens_per_second?.mean;
    let ttft = point.ttft?;
    let whole = [point.position, rate, ttft.p50, ttft.p99];
    let finite = whole.iter().all(|value| value.is_finite());
    finite.then_some((point.position, rate, ttft))
}

#[cfg(test)]
mod tests {
    use super::capacity_svg;
    use crate::figure::png;
    use crate::{CapacityFile, ReportError, capacity_json, example};
    use stats::{CapacityConfig, CapacitySearch, Probe};

    fn probe(rate: f64, good: f64) -> Probe {
        Probe {
            rate,
            good,
            issued: 747.0,
            effective: 747.0,
            valid: true,
        }
    }

    fn searched(probes: &[Probe]) -> CapacityFile {
        let config = CapacityConfig {
            first_rate: 1.0,
            highest_rate: 1e4,
            attain: 0.99,
            resolution: 0.05,
            probes_max: 30,
        };
        let mut search = CapacitySearch::new(config);
        for probe in probes {
            search.observe(*probe);
        }
        let measured = [example::summary()];
        let bytes = capacity_json(
            &config,
            "ttft:200",
            &search.answer(),
            search.probes(),
            &measured,
        );
        assert!(CapacityFile::is_one(bytes.as_bytes()));
        CapacityFile::parse(bytes.as_bytes()).unwrap()
    }

    #[test]
    fn a_search_has_its_answer_its_rates_and_its_curve() {
        let (meets, misses) = (probe(100.0, 747.0), probe(104.0, 200.0));
        let file = searched(&[meets, misses, meets, misses]);
        let figure = capacity_svg(&file).unwrap();
        for text in [
            "Requests that met the objectives (%)",
            "asked: 99.0 % within ttft:200",
            "Capacity: 100.0 to 104.0 requests/s",
            "Time to first token (ms)",
            "Output tokens per second",
        ] {
            assert!(figure.contains(text), "{text}");
        }
        assert!(!figure.contains("wider than asked"));
        assert_eq!(png(&figure).unwrap()[..8], *b"\x89PNG\r\n\x1a\n");
    }

    #[test]
    fn an_answer_that_is_none_is_told() {
        let figure = capacity_svg(&searched(&[probe(100.0, 747.0), probe(200.0, 100.0)])).unwrap();
        assert!(figure.contains("wider than asked"));
        let nothing = CapacityFile {
            probes: Vec::new(),
            ..searched(&[probe(1.0, 1.0)])
        };
        let refused = capacity_svg(&nothing);
        assert!(matches!(refused, Err(ReportError::NothingToDraw { .. })));
    }
}
