//! Throughput and latency against batch size, concurrency or rate, as SVG and PNG.
//!
//! The figure needs no font of the system: it is measured and rasterised with one that is compiled in.

mod canvas;
mod capacity;
mod chart;
mod embedding;
mod header;
mod labels;
mod page;
mod palette;
mod panel;
mod plane;
mod raster;
mod scale;
mod timeline;

pub use self::capacity::capacity_svg;
pub use self::embedding::embedding_svg;
pub use self::raster::png;
pub use self::timeline::timeline_svg;

use crate::{Axis, EmbeddingFile, ReportError, ResultFile};
use canvas::Canvas;
use header::Header;
use labels::Rect;
use page::{HEIGHTS, MARGIN, WIDTH, slots};

/// Result files as one SVG figure, 1600 wide: two panels of throughput, and two of latency where it
/// was measured. Several files are overlaid under their labels. Equal files give equal bytes.
pub fn svg(files: &[(String, ResultFile)]) -> Result<String, ReportError> {
    let panels = panel::panels(files);
    if panels.is_empty() {
        return Err(ReportError::NothingToDraw { files: files.len() });
    }
    let height = HEIGHTS[usize::from(panels.len() > 2)];
    let mut out = String::new();
    let canvas = Canvas::new(&mut out, (WIDTH, height))?;
    let top = Header::of_files(files, &panels).draw(&canvas, f64::from(WIDTH), MARGIN)?;
    let area = Rect {
        left: MARGIN,
        top: top + 34.0,
        right: f64::from(WIDTH) - MARGIN,
        bottom: f64::from(height) - MARGIN / 2.0,
    };
    let axis = axis_label(files);
    // One indent for all, so that the plots stand flush.
    let indent = panels.iter().map(chart::tick_width).fold(0.0, f64::max) + chart::TICK_GAP;
    for (panel, slot) in panels.iter().zip(slots(area, panels.len())) {
        chart::draw(&canvas, panel, slot, indent, &axis)?;
    }
    canvas.finish()?;
    Ok(out)
}

/// The figure of one result file, of texts that were generated or of vectors.
///
/// # Errors
/// It is no result file, or there is nothing to draw.
pub fn results_svg(bytes: &[u8]) -> Result<String, ReportError> {
    if EmbeddingFile::is_one(bytes) {
        return embedding_svg(&EmbeddingFile::parse(bytes)?);
    }
    svg(&[(String::new(), ResultFile::parse(bytes)?)])
}

/// What the files' points differ in; files of several kinds name them all.
fn axis_label(files: &[(String, ResultFile)]) -> String {
    let mut labels: Vec<_> = files
        .iter()
        .map(|(_, file)| file.axis)
        .map(Axis::label)
        .collect();
    labels.dedup();
    labels.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::{png, svg};
    use crate::{MeanAndStd, ReportError, ResultFile, example, results_json};
    use proptest::prelude::*;

    fn ours() -> (String, ResultFile) {
        let bytes = results_json(&example::summary());
        (
            "ours".to_owned(),
            ResultFile::parse(bytes.as_bytes()).unwrap(),
        )
    }

    fn first_kind() -> (String, ResultFile) {
        let file = ResultFile::parse(example::FIRST_RESULT_FILE.as_bytes()).unwrap();
        ("theirs".to_owned(), file)
    }

    #[test]
    fn the_figure_says_what_it_shows() {
        let figure = svg(&[ours()]).unwrap();
        for text in [
            "distill-llama-8b",
            "Deepseek R1 distill 8B TP8 A100s",
            "measurement suspect",
            "Batch throughput",
            "Throughput per request",
            "Time to first token",
            "Time per output token",
            "Batch size",
            ">\n3,729\n<",
            ">\n64\n<",
            ">\np99\n<",
        ] {
            assert!(figure.contains(text), "{text}");
        }
        assert_eq!(
            figure,
            svg(&[ours()]).unwrap(),
            "equal files give equal bytes"
        );
    }

    #[test]
    fn a_percentile_that_its_sample_does_not_carry_is_pale_and_marked() {
        let figure = svg(&[ours()]).unwrap();
        assert!(figure.contains(">\n~880.4\n<") && figure.contains(">\n401.7\n<"));
        assert!(figure.contains("~ pale: too few independent samples"));
        // A file that speaks of no interval is not accused of having none.
        let mut files = [ours()];
        for point in &mut files[0].1.points {
            for sample in [&mut point.ttft, &mut point.tpot].into_iter().flatten() {
                (sample.p50_carried, sample.p99_carried) = (true, true);
            }
        }
        assert!(!svg(&files).unwrap().contains('~'));
        assert!(!svg(&[first_kind()]).unwrap().contains('~'));
    }

    #[test]
    fn an_invalid_point_is_crossed_out() {
        let (label, mut file) = ours();
        let red = "stroke=\"#B21818\"";
        assert!(!svg(&[(label.clone(), file.clone())]).unwrap().contains(red));
        file.points[1].grade = Some(stats::Grade::Invalid);
        let figure = svg(&[(label, file)]).unwrap();
        // Two strokes in each of four panels.
        assert_eq!(figure.matches(red).count(), 8);
        assert!(figure.contains("× crossed out"));
    }

    #[test]
    fn disturbed_seconds_are_told_above_the_panels() {
        let (label, mut file) = ours();
        assert!(
            !svg(&[(label.clone(), file.clone())])
                .unwrap()
                .contains("disturbed")
        );
        file.points[1].disturbed = Some((3, 60));
        let figure = svg(&[(label, file.clone())]).unwrap();
        let told = format!(
            "in 3 of 60 s at {} this machine disturbed the client",
            file.points[1].key
        );
        assert!(figure.contains(&told), "{told}");
    }

    #[test]
    fn a_file_of_the_first_kind_has_two_panels_and_no_verdict() {
        let figure = svg(&[first_kind()]).unwrap();
        assert!(figure.contains("height=\"700\""));
        assert!(!figure.contains("Time to first token"));
        assert!(!figure.contains("measurement"));
    }

    #[test]
    fn overlaid_files_are_named_in_the_legend() {
        let figure = svg(&[ours(), first_kind()]).unwrap();
        assert!(figure.contains(">\nours\n<") && figure.contains(">\ntheirs\n<"));
    }

    #[test]
    fn a_label_cannot_become_markup_or_break_the_image() {
        let (_, file) = ours();
        let hostile = format!("<script>{}\u{0}\u{ffff}", example::HOSTILE);
        let files = [(hostile, file), first_kind()];
        assert!(!svg(&files).unwrap().contains("<script"));
        assert!(png(&svg(&files).unwrap()).is_ok());
    }

    #[test]
    fn the_image_has_its_size_and_is_not_blank() {
        let bytes = png(&svg(&[ours()]).unwrap()).unwrap();
        assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(
            bytes[16..24],
            [1600_u32.to_be_bytes(), 1200_u32.to_be_bytes()].concat()
        );
        let image = resvg::tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        let white = image
            .pixels()
            .iter()
            .filter(|p| p.red() == 255 && p.blue() == 255)
            .count();
        let share = white as f64 / image.pixels().len() as f64;
        assert!(
            (0.7..0.99).contains(&share),
            "{share} of the image is white"
        );
    }

    #[test]
    fn text_is_drawn_without_a_font_of_the_system() {
        let (_, file) = first_kind();
        let named = ResultFile {
            model: Some("MMMMMMMM".to_owned()),
            ..file.clone()
        };
        let unnamed = ResultFile {
            model: None,
            ..file
        };
        let image = |file| png(&svg(&[(String::new(), file)]).unwrap()).unwrap();
        assert_ne!(image(named), image(unnamed));
    }

    #[test]
    fn nothing_to_draw_is_said() {
        assert!(matches!(
            svg(&[]),
            Err(ReportError::NothingToDraw { files: 0 })
        ));
        let bytes = results_json(&example::nothing_succeeded());
        let file = ResultFile::parse(bytes.as_bytes()).unwrap();
        let error = svg(&[(String::new(), file)]).unwrap_err().to_string();
        assert!(error.contains("none of the 1 result files"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_numbers_break_the_figure(
            means in prop::collection::vec((any::<f64>(), any::<f64>(), any::<f64>()), 3)
        ) {
            let (label, mut file) = ours();
            for (point, (position, mean, std)) in file.points.iter_mut().zip(means) {
                point.position = position;
                point.batch_tokens_per_second = Some(MeanAndStd { mean, std });
            }
            let figure = svg(&[(label, file)]).unwrap();
            prop_assert!(!figure.contains("NaN"));
        }
    }
}
