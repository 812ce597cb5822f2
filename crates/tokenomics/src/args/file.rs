//! Flags from a TOML file, put in front of those that were typed.

use super::Args;
use crate::failure::Failure;
use clap::{Arg, ArgAction, Command, CommandFactory};
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
    let program = Args::command();
    let verb = arguments.get(1).and_then(|verb| verb.to_str());
    let Some(command) = verb.and_then(|verb| program.find_subcommand(verb)) else {
        // There is no such verb, which is said in its place.
        return Ok(arguments);
    };
    let typed = typed(command, &arguments);
    let mut flags = Vec::new();
    for (name, value) in table {
        if typed.iter().any(|typed| replaces(command, typed, &name)) {
            continue;
        }
        push_flag(&mut flags, command, &name, value).map_err(|why| {
            Failure::usage(format!("--config {}: `{name}` {why}", path.display()))
        })?;
    }
    // Behind the program's name and the verb.
    let place = arguments.len().min(2);
    let mut joined = arguments;
    joined.splice(place..place, flags);
    Ok(joined)
}

/// Loads, of which one that is typed takes the place of all that the file holds: some go with each other.
const LOADS: [&str; 6] = [
    "batch-sizes",
    "max-concurrency",
    "request-rate",
    "ramp",
    "steps",
    "trace",
];

/// The arguments that were typed as flags.
fn typed<'a>(command: &'a Command, arguments: &[OsString]) -> Vec<&'a Arg> {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    let flags = own.filter_map(|argument| argument.to_str()?.split('=').next());
    let known = flags.filter_map(|flag| {
        if let Some(name) = flag.strip_prefix("--") {
            return argument(command, name);
        }
        let short = flag.strip_prefix('-')?.chars().next()?;
        let mut all = command.get_arguments();
        all.find(|argument| argument.get_short() == Some(short))
    });
    known.collect()
}

/// The argument of that name, with dashes or underscores, or under a name that other tools have for it.
fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let name = name.replace('_', "-");
    command.get_arguments().find(|argument| {
        let others = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(&name) || others.contains(&&*name)
    })
}

/// Whether a flag of the file gives way to one that was typed: they exclude each other, or both are loads. The same one
/// stays, because the last of those that take one value wins, and those that may be repeated add up.
fn replaces(command: &Command, typed: &Arg, name: &str) -> bool {
    let Some(of_file) = argument(command, name) else {
        return false;
    };
    let excludes = |one: &Arg, other: &Arg| {
        let excluded = command.get_arg_conflicts_with(one);
        excluded.iter().any(|arg| arg.get_id() == other.get_id())
    };
    let is_load = |argument: &Arg| {
        let name = argument.get_long();
        name.is_some_and(|name| LOADS.contains(&name))
    };
    let is_same = typed.get_id() == of_file.get_id();
    !is_same
        && (excludes(typed, of_file)
            || excludes(of_file, typed)
            || is_load(typed) && is_load(of_file))
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

/// The flag of that name with a value of a file. Values of a flag that may be repeated are typed one by one, and those of
/// others are joined by commas.
pub(super) fn push_flag(
    flags: &mut Vec<OsString>,
    command: &Command,
    name: &str,
    value: Value,
) -> Result<(), String> {
    let known = argument(command, name);
    let repeats = known.is_some_and(|known| {
        matches!(known.get_action(), ArgAction::Append) && known.get_value_delimiter().is_none()
    });
    let flag = format!("--{}", name.replace('_', "-"));
    match value {
        Value::Boolean(true) => flags.push(flag.into()),
        Value::Boolean(false) => {}
        Value::Array(items) => {
            let items: Result<Vec<String>, String> = items.into_iter().map(plain).collect();
            let items = items?;
            if repeats {
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
    fn what_may_be_repeated_is_repeated_and_what_takes_a_list_is_joined() {
        let file = "until = [\"ttft.p50:5%\", \"e2e.p99:10%\"]\nclass = [\"a content=code\", \"b content=prose\"]\n\
                    export = [\"vllm\", \"junit\"]\nversus = [\"http://a:1\", \"http://b:1\"]";
        let expanded = expand(&["tokenomics", "chat", "--config=run.toml"], file).unwrap();
        let mut flags = expanded[2..expanded.len() - 1].to_vec();
        flags.sort();
        assert_eq!(
            flags,
            [
                "--class=a content=code",
                "--class=b content=prose",
                "--export=vllm,junit",
                "--until=e2e.p99:10%",
                "--until=ttft.p50:5%",
                "--versus=http://a:1",
                "--versus=http://b:1",
            ]
        );
    }

    #[test]
    fn what_is_typed_replaces_what_it_excludes_under_any_of_its_names() {
        let left = |typed: &[&str], file: &str| {
            let line = [&["tokenomics", "chat", "--config=run.toml"], typed].concat();
            let expanded = expand(&line, file).unwrap();
            expanded[2..expanded.len() - 1 - typed.len()].to_vec()
        };
        let file = "bursts = \"20:10s\"\nseed = 3";
        assert_eq!(left(&["--batch-sizes", "4"], file), ["--seed=3"]);
        assert_eq!(left(&["--concurrency=4"], "request_rate = 2"), [""; 0]);
        assert_eq!(
            left(&["-H", "a: b"], "header = \"c: d\""),
            ["--header=c: d"]
        );
        assert_eq!(left(&["--api-key-file=k"], "api-key = \"x\""), [""; 0]);
        assert_eq!(
            left(&["--seed=1"], "bursts = \"20:10s\""),
            ["--bursts=20:10s"]
        );
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
