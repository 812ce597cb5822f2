//! Markdown for the page of a CI job.

use crate::markdown;
use crate::style::{mark, word};
use stats::Summary;

/// The verdict first, so that nobody reads numbers that are none, and the table of the pull request after it.
pub fn step_summary(summary: &Summary) -> String {
    let grade = summary.verdict.grade;
    let missed = summary
        .assertions
        .iter()
        .filter(|result| !result.passed)
        .count();
    let thresholds = match (summary.assertions.len(), missed) {
        (0, _) => String::new(),
        (all, 0) => format!(" · all {all} thresholds kept"),
        (all, missed) => format!(" · **{missed} of {all} thresholds missed**"),
    };
    format!(
        "## {} tokenomics: {}{thresholds}\n\n{}\n",
        mark(grade),
        word(grade),
        markdown(summary)
    )
}

#[cfg(test)]
mod tests {
    use super::step_summary;
    use crate::example;

    #[test]
    fn the_verdict_and_the_thresholds_come_first() {
        let mut summary = example::summary();
        summary.assert(&["ttft.p50<1ms".parse().unwrap()]);
        let text = step_summary(&summary);
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("## ") && first.contains("thresholds missed"),
            "{first}"
        );
        assert!(text.contains("| Batch size |"), "{text}");
    }
}
