//! `JUnit`'s XML, which every CI shows: a test for the verdict, and one for each threshold at each point.

use crate::{assertions, escape, style::word};
use stats::{Grade, Summary};
use std::fmt::Write;

/// The thresholds and the verdict as a test suite.
pub fn junit(summary: &Summary) -> String {
    let missed = summary
        .assertions
        .iter()
        .filter(|result| !result.passed)
        .count();
    let invalid = summary.verdict.grade == Grade::Invalid;
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(
        out,
        "<testsuites>\n  <testsuite name=\"tokenomics\" tests=\"{}\" failures=\"{}\">",
        summary.assertions.len() + 1,
        missed + usize::from(invalid)
    );
    let reasons: Vec<&str> = summary
        .verdict
        .reasons
        .iter()
        .map(|reason| reason.sentence.as_str())
        .collect();
    let failure = invalid.then(|| reasons.join("\n"));
    case(
        &mut out,
        "verdict",
        "the measurement is valid",
        failure.as_deref(),
    );
    for result in &summary.assertions {
        let measured = format!("measured {}", assertions::value(result));
        let failure = (!result.passed).then_some(measured.as_str());
        let name = format!("{} at {}", result.assertion, result.point);
        case(&mut out, "threshold", &name, failure);
    }
    if !invalid && !reasons.is_empty() {
        let _ = writeln!(
            out,
            "    <system-out>{}: {}</system-out>",
            word(summary.verdict.grade),
            escaped(&reasons.join("\n"))
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn case(out: &mut String, class: &str, name: &str, failure: Option<&str>) {
    let head = format!(
        "    <testcase classname=\"tokenomics.{class}\" name=\"{}\"",
        escaped(name)
    );
    let _ = match failure {
        None => writeln!(out, "{head}/>"),
        Some(why) => {
            let why = escaped(why);
            writeln!(
                out,
                "{head}>\n      <failure message=\"{why}\"/>\n    </testcase>"
            )
        }
    };
}

/// Text as an attribute or an element may hold it. XML has no way to write most control characters, so that they are
/// shown as everywhere.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape::lines(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::junit;
    use crate::example;

    #[test]
    fn thresholds_are_tests_and_hostile_texts_stay_texts() {
        let mut summary = example::summary();
        let typed = ["ttft.p50<90ms", "success>99.9%"];
        summary.assert(&typed.map(|text| text.parse().unwrap()));
        summary.assertions[0].point = example::HOSTILE.to_owned();
        insta::assert_snapshot!(junit(&summary));
    }

    #[test]
    fn an_invalid_measurement_fails_though_every_threshold_is_kept() {
        let mut summary = example::summary();
        summary.verdict.grade = stats::Grade::Invalid;
        assert!(junit(&summary).contains("tests=\"1\" failures=\"1\""));
        summary.verdict.grade = stats::Grade::Valid;
        assert!(junit(&summary).contains("tests=\"1\" failures=\"0\""));
    }
}
