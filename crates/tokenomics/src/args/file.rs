//! Flags from a TOML file, put in front of those that were typed.

use crate::failure::Failure;
use std::ffi::OsString;
use std::path::Path;
use toml::Value;

/// Puts the flags of the file that `--config` names behind the verb, so that what was typed after
/// them wins. `read` gives a file's text.
pub(crate) fn with_config_file(
    arguments: Vec<OsString>,
    read: impl Fn(&Path) -> std::io::Result<String>,
) -> Result<Vec<OsString>, Failure> {
    let Some(path) = flag_value(&arguments, "--config") else {
        return Ok(arguments);
    };
    let path = Path::new(&path);
    let text = read(path).map_err(|error| {
        Failure::usage(format!("cannot read --config {}: {error}", path.display()))
    })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let why = error.message();
        Failure::usage(format!("--config {} is not TOML: {why}", path.display()))
    })?;
    let mut flags = Vec::new();
    for (name, value) in table {
        if is_replaced(&name, &arguments) {
            continue;
        }
        push_flag(&mut flags, &name, value).map_err(|why| {
            Failure::usage(format!("--config {}: `{name}` {why}", path.display()))
        })?;
    }
    // Behind the program's name and the verb.
    let place = arguments.len().min(2);
    let mut joined = arguments;
    joined.splice(place..place, flags);
    Ok(joined)
}

/// Flags of which one that is typed takes the place of all that the file holds.
const INSTEAD_OF_EACH_OTHER: [&[&str]; 3] = [
    &[
        "batch-sizes",
        "max-concurrency",
        "request-rate",
        "ramp",
        "steps",
        "trace",
    ],
    &["dataset-key", "dataset-path", "mix", "trace"],
    &["api-key", "api-key-file"],
];

/// Whether a flag of the file has given way to one that was typed.
fn is_replaced(name: &str, typed: &[OsString]) -> bool {
    let name = name.replace('_', "-");
    let is_typed = |flag: &&str| {
        typed.iter().filter_map(|one| one.to_str()).any(|one| {
            let one = one.split('=').next().unwrap_or_default();
            one.strip_prefix("--") == Some(*flag)
        })
    };
    INSTEAD_OF_EACH_OTHER
        .iter()
        .filter(|flags| flags.contains(&name.as_str()))
        .any(|flags| flags.iter().any(is_typed))
}

/// The value of a flag as it was typed first.
pub(super) fn flag_value(arguments: &[OsString], flag: &str) -> Option<OsString> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            // What follows is somebody else's.
            return None;
        }
        if argument == flag {
            return rest.next().cloned();
        }
        let text = argument.to_str();
        let value = text.and_then(|text| text.strip_prefix(flag)?.strip_prefix('='));
        if let Some(value) = value {
            return Some(value.into());
        }
    }
    None
}

/// Flags of which each value is typed on its own; the values of others are joined by commas.
const TYPED_SEVERAL_TIMES: [&str; 4] = ["--assert", "--header", "--goodput", "--fault-key"];

pub(super) fn push_flag(flags: &mut Vec<OsString>, name: &str, value: Value) -> Result<(), String> {
    let flag = format!("--{}", name.replace('_', "-"));
    match value {
        Value::Boolean(true) => flags.push(flag.into()),
        Value::Boolean(false) => {}
        Value::Array(items) => {
            let items: Result<Vec<String>, String> = items.into_iter().map(plain).collect();
            let items = items?;
            if TYPED_SEVERAL_TIMES.contains(&flag.as_str()) {
                flags.extend(items.iter().map(|item| format!("{flag}={item}").into()));
            } else {
                flags.push(format!("{flag}={}", items.join(",")).into());
            }
        }
        value => flags.push(format!("{flag}={}", plain(value)?).into()),
    }
    Ok(())
}

fn plain(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => Err(
            "must be a string, a number, true, false or a list of those; \
             write it as the flag is typed"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::with_config_file;
    use std::ffi::OsString;

    fn expand(typed: &[&str], file: &str) -> Result<Vec<String>, String> {
        let typed: Vec<OsString> = typed.iter().map(Into::into).collect();
        let expanded = with_config_file(typed, |_| Ok(file.to_owned()));
        let expanded = expanded.map_err(|failure| failure.to_string())?;
        Ok(expanded
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect())
    }

    #[test]
    fn flags_of_the_file_come_before_those_that_were_typed() {
        let file = "batch_sizes = [1, 2]\nignore-eos = true\nno_plot = false\nmodel = \"m\"";
        assert_eq!(
            expand(&["tokenomics", "chat", "--config", "run.toml"], file).unwrap(),
            [
                "tokenomics",
                "chat",
                "--batch-sizes=1,2",
                "--ignore-eos",
                "--model=m",
                "--config",
                "run.toml"
            ]
        );
    }

    #[test]
    fn a_load_that_is_typed_replaces_the_files_load() {
        let typed = [
            "tokenomics",
            "chat",
            "--config=run.toml",
            "--max-concurrency=4",
        ];
        let expanded = expand(&typed, "batch_sizes = [1, 2]\nseed = 3").unwrap();
        assert_eq!(expanded[2..4], ["--seed=3", "--config=run.toml"]);
    }

    #[test]
    fn what_follows_two_dashes_is_somebody_elses() {
        let typed = ["tokenomics", "guard", "--", "litellm", "--config", "x.yaml"];
        assert_eq!(expand(&typed, "seed = 3").unwrap(), typed);
    }

    #[test]
    fn a_file_that_cannot_be_flags_is_refused_with_its_name() {
        let typed = ["tokenomics", "chat", "--config=run.toml"];
        assert!(expand(&typed, "a = ").unwrap_err().contains("run.toml"));
        assert!(expand(&typed, "[a]\nb = 1").unwrap_err().contains("`a`"));
    }
}
