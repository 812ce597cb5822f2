//! The mock's flags from a TOML file, for its whole life and for phases of it.

use super::MockArgs;
use super::file::{flag_value, push_flag};
use crate::failure::Failure;
use clap::{Args, Command};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use toml::{Table, Value};

/// What the mock does from some time on: the command line that says so.
#[derive(Debug)]
pub(crate) struct ScenarioPhase {
    /// After the mock began to serve.
    pub(crate) from: Duration,
    /// The program's name and the verb included.
    pub(crate) arguments: Vec<OsString>,
}

/// The key of the phases, and that of their beginnings.
const PHASE: &str = "phase";
const FROM: &str = "from-s";
/// A year, in seconds.
const FROM_MAX: f64 = 366.0 * 86_400.0;
/// What cannot change while the mock serves.
const FIXED: [&str; 3] = ["host", "port", "truth"];

/// Puts the flags of the file that `mock --scenario` names behind the verb, so that what was typed
/// after them wins, and finds its phases. `read` gives a file's text.
pub(crate) fn with_scenario(
    arguments: Vec<OsString>,
    read: impl Fn(&Path) -> std::io::Result<String>,
) -> Result<(Vec<OsString>, Vec<ScenarioPhase>), Failure> {
    let is_mock = arguments.get(1).is_some_and(|verb| verb == "mock");
    let path = flag_value(&arguments, "--scenario").filter(|_| is_mock);
    let Some(path) = path else {
        return Ok((arguments, Vec::new()));
    };
    let path = Path::new(&path);
    let refuse = |why: &str| Failure::usage(format!("--scenario {}: {why}", path.display()));
    let text = read(path).map_err(|error| refuse(&format!("it cannot be read: {error}")))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        refuse(&format!("it is not TOML: {}", error.message()))
    })?;
    let phases = table.remove(PHASE);
    let base = flags(table).map_err(|why| refuse(&why))?;
    let (program, typed) = arguments.split_at(2);
    let line = |phase: &[OsString]| [program, &base, phase, typed].concat();
    let phases = phases_of(phases).map_err(|why| refuse(&why))?;
    let phases = phases.into_iter().map(|(from, flags)| ScenarioPhase {
        from,
        arguments: line(&flags),
    });
    Ok((line(&[]), phases.collect()))
}

/// Beginnings and flags of each.
fn phases_of(phases: Option<Value>) -> Result<Vec<(Duration, Vec<OsString>)>, String> {
    let Some(phases) = phases else {
        return Ok(Vec::new());
    };
    let wrong = || "`phase` must be tables, each begun by a line [[phase]]".to_owned();
    let Value::Array(phases) = phases else {
        return Err(wrong());
    };
    let phase = |phase| match phase {
        Value::Table(table) => self::phase(table),
        _ => Err(wrong()),
    };
    phases.into_iter().map(phase).collect()
}

fn phase(mut table: Table) -> Result<(Duration, Vec<OsString>), String> {
    let from = table.remove("from_s").or_else(|| table.remove(FROM));
    let seconds = match from {
        Some(Value::Integer(seconds)) => Some(seconds as f64),
        Some(Value::Float(seconds)) => Some(seconds),
        _ => None,
    };
    let seconds = seconds
        .filter(|seconds| (0.0..=FROM_MAX).contains(seconds))
        .ok_or_else(|| {
            format!(
                "a [[phase]] needs `from_s`, the seconds after the start at which it begins, from 0 to {FROM_MAX}"
            )
        })?;
    let fixed = table.keys().map(|key| dashed(key));
    if let Some(key) = fixed.into_iter().find(|key| FIXED.contains(&key.as_str())) {
        return Err(format!(
            "`{key}` cannot change while the mock serves; set it outside of the phases"
        ));
    }
    Ok((Duration::from_secs_f64(seconds), flags(table)?))
}

fn flags(table: Table) -> Result<Vec<OsString>, String> {
    let command = MockArgs::augment_args(Command::new("mock"));
    let known: Vec<&str> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|name| *name != "scenario")
        .collect();
    let mut flags = Vec::new();
    for (key, value) in table {
        let name = dashed(&key);
        if !known.contains(&name.as_str()) {
            let nearest = known.iter().min_by_key(|known| distance(&name, known));
            return Err(format!(
                "`{key}` is no option of the mock; the nearest is `{}`",
                nearest.unwrap_or(&"ttft-ms").replace('-', "_")
            ));
        }
        push_flag(&mut flags, &command, &key, value).map_err(|why| format!("`{key}` {why}"))?;
    }
    Ok(flags)
}

fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

/// How many letters must be put in, left out or changed (Levenshtein 1965).
pub(super) fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, with_scenario};
    use std::ffi::OsString;

    type Expanded = (Vec<String>, Vec<(f64, Vec<String>)>);

    fn expand(typed: &[&str], file: &str) -> Result<Expanded, String> {
        let typed = typed.iter().map(Into::into).collect();
        let strings = |line: Vec<OsString>| -> Vec<String> {
            line.into_iter()
                .map(|one| one.into_string().unwrap())
                .collect()
        };
        let (line, phases) =
            with_scenario(typed, |_| Ok(file.to_owned())).map_err(|failure| failure.to_string())?;
        let phases = phases
            .into_iter()
            .map(|phase| (phase.from.as_secs_f64(), strings(phase.arguments)));
        Ok((strings(line), phases.collect()))
    }

    #[test]
    fn what_was_typed_wins_over_the_phase_and_the_phase_over_the_file() {
        let file = "ttft_ms = 50\nlate-head = true\nfault_key = [\"a=html\", \"b=never\"]\n\
                    [[phase]]\nfrom_s = 30\nttft-ms = \"gamma:90:2\"\n[[phase]]\nfrom-s = 60.5\n";
        let (line, phases) = expand(&["t", "mock", "--scenario=s.toml", "--seed=3"], file).unwrap();
        let base = [
            "t",
            "mock",
            "--ttft-ms=50",
            "--late-head",
            "--fault-key=a=html",
            "--fault-key=b=never",
        ];
        let typed = ["--scenario=s.toml", "--seed=3"];
        let mut sorted = line.clone();
        sorted[2..6].sort();
        let mut expected = base;
        expected[2..6].sort_unstable();
        assert_eq!(sorted[..6], expected);
        assert_eq!(line[6..], typed);
        assert_eq!(phases.len(), 2);
        assert_eq!((phases[0].0, phases[1].0), (30.0, 60.5));
        assert_eq!(
            phases[0].1[6..],
            ["--ttft-ms=gamma:90:2", typed[0], typed[1]]
        );
        assert_eq!(phases[1].1, line);
    }

    #[test]
    fn what_is_no_scenario_is_refused_with_the_way_out() {
        for (file, reason) in [
            (
                "tft_ms = 5",
                "`tft_ms` is no option of the mock; the nearest is `ttft_ms`",
            ),
            ("fault_keys = \"a=html\"", "the nearest is `fault_key`"),
            ("scenario = \"x\"", "`scenario` is no option"),
            ("ttft_ms = ", "not TOML"),
            ("[ttft_ms]\na = 1", "`ttft_ms` must be"),
            ("phase = 3", "[[phase]]"),
            ("[[phase]]\nseed = 3", "needs `from_s`"),
            ("[[phase]]\nfrom_s = -1", "needs `from_s`"),
            ("[[phase]]\nfrom_s = 1\nport = 3", "`port` cannot change"),
            ("[[phase]]\nfrom_s = 1\nitl = 3", "the nearest is `itl_ms`"),
        ] {
            let error = expand(&["t", "mock", "--scenario", "s.toml"], file).unwrap_err();
            assert!(
                error.contains("s.toml") && error.contains(reason),
                "{error}"
            );
        }
    }

    #[test]
    fn other_verbs_have_no_scenario() {
        let typed = ["t", "chat", "--scenario", "s.toml"];
        assert_eq!(expand(&typed, "a = 1").unwrap().0, typed);
    }

    #[test]
    fn the_distance_counts_letters() {
        for (from, to, letters) in [("", "ab", 2), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
            assert_eq!(distance(from, to), letters);
        }
    }
}
