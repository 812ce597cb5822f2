//! Results: what is computed of records and written, and what is read of result files.

use report::{CapacityFile, Direction, ForeignResult, ResultFile, Style, figure};
use stats::{CompareOptions, Judgement, Summary, Timeline};
use store::SavedFile;

/// For a pipe.
const PLAIN: Style = Style { color: false };

/// Whatever records say, every output can be made of them, and our own result file is one.
pub(crate) fn summary(bytes: &[u8]) {
    let Ok(SavedFile { run, .. }) = store::read_jsonl(bytes, crate::records::MEMORY) else {
        return;
    };
    let summary = stats::summarize_saved(&run);
    let json = report::results_json(&summary);
    if summary.points.is_empty() {
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    } else if let Err(refused) = ResultFile::parse(json.as_bytes()) {
        // A name that is no number is not ours; records of such are no less readable.
        assert!(refused.to_string().contains("results"), "{refused}");
    }
    print(&summary);
    let timeline = Timeline::of(&run);
    let _nothing_to_draw = report::html(&summary, timeline.as_ref());
    for number in 0..summary.points.len() {
        let _any = report::aiperf(&summary, number, &run.records);
        let _any = report::vllm(&summary, number, &run.records);
    }
    let options = CompareOptions {
        metrics: None,
        min_effect: 0.0,
        together: 1,
    };
    let _any = stats::obstacles(&summary, &summary);
    let comparison = stats::compare(&summary, &summary, &options);
    assert!(!matches!(
        comparison.judgement,
        Judgement::Better | Judgement::Worse
    ));
    let _any = report::comparison_text(&comparison, PLAIN);
    serde_json::from_str::<serde_json::Value>(&report::comparison_json(&comparison)).unwrap();
}

fn print(summary: &Summary) {
    let text = report::text(summary, PLAIN);
    assert!(!text.contains('\u{1b}'), "an escape reaches the terminal");
    let _any = (
        report::csv(summary),
        report::markdown(summary),
        report::step_summary(summary),
    );
    let _any = (report::junit(summary), report::openmetrics(summary));
    let _any = report::github_benchmark(summary, Direction::Smaller);
}

/// Result files, ours and others', with the figures that are drawn of them.
pub(crate) fn results(bytes: &[u8]) {
    if let Ok(file) = ResultFile::parse(bytes) {
        assert!(!file.points.is_empty());
        assert!(file.points.iter().all(|point| point.position.is_finite()));
        assert!(
            file.points
                .is_sorted_by(|one, next| one.position <= next.position)
        );
    }
    let _any = figure::results_svg(bytes);
    if CapacityFile::is_one(bytes)
        && let Ok(file) = CapacityFile::parse(bytes)
    {
        let _nothing_to_draw = figure::capacity_svg(&file);
    }
    let first = ForeignResult::parse(bytes);
    match ForeignResult::parse_all(bytes) {
        Some(Ok(all)) => {
            assert_eq!(all.first(), first.as_ref());
            let text = report::foreign_text(&all, PLAIN);
            assert!(!text.contains('\u{1b}'), "an escape reaches the terminal");
            serde_json::from_str::<serde_json::Value>(&report::foreign_json(&all)).unwrap();
        }
        Some(Err(_)) => assert!(first.is_some()),
        None => assert!(first.is_none()),
    }
}
