//! What libFuzzer's log says of a run.

use std::fmt::Write as _;
use std::path::Path;

/// One target's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    /// Inputs that were run.
    pub(super) inputs: u64,
    /// Edges of the program that some input reached.
    coverage: u64,
    /// What ended it early, and the input's path.
    finding: Option<(String, String)>,
}

impl Outcome {
    pub(super) fn of(name: &'static str, log: &str) -> Self {
        let lines = || log.lines().map(str::trim);
        let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
        let after = |line: &str, key: &str| number(line.split_once(key)?.1);
        // `#4096 pulse  cov: 310 ft: 905 corp: 120/14Kb …`
        let status = || lines().filter(|line| line.starts_with('#') && line.contains(" cov: "));
        let counted = lines().find_map(|line| after(line, "stat::number_of_executed_units:"));
        let seen = || status().filter_map(|line| after(line, "#")).next_back();
        let path = lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
        let what = |path: &str| {
            let panicked = lines().find(|line| line.starts_with("panicked at "));
            let summary = lines().find_map(|line| line.strip_prefix("SUMMARY: "));
            let what = panicked.or(summary).unwrap_or("it ended");
            (what.to_owned(), path.to_owned())
        };
        Self {
            name,
            inputs: counted.or_else(seen).unwrap_or(0),
            coverage: status()
                .filter_map(|line| after(line, " cov: "))
                .max()
                .unwrap_or(0),
            finding: path.map(what),
        }
    }

    pub(super) fn line(&self) -> String {
        let Self {
            name,
            inputs,
            coverage,
            ..
        } = self;
        let findings = u8::from(self.finding.is_some());
        format!("{name:<16}{inputs:>12}{coverage:>12}{findings:>10}")
    }

    /// What was found, and how to see it again with the program in that folder.
    pub(super) fn words(&self, programs: &Path) -> Option<String> {
        let (what, path) = self.finding.as_ref()?;
        let (name, program) = (self.name, programs.join(self.name));
        let again = program.display();
        Some(format!("{name}: {what}\n  again: {again} {path}"))
    }
}

/// A line for each.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "\n{:<16}{:>12}{:>12}{:>10}\n",
        "target", "inputs", "coverage", "findings"
    );
    for outcome in outcomes {
        let _ = writeln!(text, "{}", outcome.line());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use std::path::Path;

    const QUIET: &str = "INFO: Seed: 1\n#2\tINITED cov: 100 ft: 101 corp: 1/1b exec/s: 0 rss: 40Mb\n\
        #4096\tpulse  cov: 310 ft: 905 corp: 120/14Kb lim: 80 exec/s: 2048 rss: 50Mb\n\
        #9000\tDONE   cov: 312 ft: 905 corp: 120/14Kb lim: 80 exec/s: 2048 rss: 50Mb\n\
        stat::number_of_executed_units: 9001\n";

    #[test]
    fn a_run_without_a_finding_says_how_much_it_ran_and_reached() {
        let outcome = Outcome::of("sse", QUIET);
        assert_eq!((outcome.inputs, outcome.coverage), (9_001, 312));
        assert_eq!(outcome.words(Path::new("/b")), None);
    }

    #[test]
    fn a_finding_is_named_by_its_panic_or_by_libfuzzers_summary_and_leads_to_its_input() {
        let (status, _) = QUIET.split_once("#9000").unwrap();
        let end = "SUMMARY: libFuzzer: deadly signal\nartifact_prefix='/f/'; Test unit written to /f/crash-1\n";
        let panicked = format!("{status}panicked at src/a.rs:1:2:\nindex out of bounds\n{end}");
        let outcome = Outcome::of("sse", &panicked);
        assert_eq!((outcome.inputs, outcome.coverage), (4_096, 310));
        let words = outcome.words(Path::new("/b")).unwrap();
        assert!(
            words.starts_with("sse: panicked at src/a.rs:1:2:\n")
                && words.ends_with("again: /b/sse /f/crash-1"),
            "{words}"
        );
        let words = Outcome::of("sse", &format!("{status}{end}"))
            .words(Path::new("/b"))
            .unwrap();
        assert!(
            words.starts_with("sse: libFuzzer: deadly signal\n"),
            "{words}"
        );
    }
}
