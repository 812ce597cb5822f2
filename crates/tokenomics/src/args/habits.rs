//! Flags that other tools have and this one has not: what means the same here. The table is `habits.tsv`.

use super::Args;
use super::scenario::distance;
use crate::failure::Failure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};
use std::ffi::OsString;

/// Flags and verbs, the answer, and that of `embedding` where it is another one.
const TABLE: &str = include_str!("habits.tsv");

/// Verbs that measure a server, whose flags other tools have too.
const MEASURING: [&str; 2] = ["chat", "embedding"];

/// A line of the table.
#[derive(Clone, Copy)]
struct Row<'a> {
    names: &'a str,
    answer: &'a str,
    /// The answer of `embedding`, where it is another one.
    of_embedding: Option<&'a str>,
}

impl Row<'static> {
    fn all() -> impl Iterator<Item = Self> {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Self {
                names: columns.next()?,
                answer: columns.next()?,
                of_embedding: columns.next(),
            })
        })
    }

    /// The row of a flag or verb: one that has its very name, else the one with the longest beginning of it.
    fn of(name: &str) -> Option<Self> {
        let fit = |row: &Self| {
            let names = row.names.split_whitespace();
            names.filter_map(|known| fit(known, name)).max()
        };
        let fitting = Self::all().filter_map(|row| Some((fit(&row)?, row)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, row)| row)
    }

    /// What a person who measures with that verb is told.
    fn answer_of(self, verb: &str) -> &'static str {
        match self.of_embedding {
            Some(answer) if verb == "embedding" => answer,
            _ => self.answer,
        }
    }
}

/// How well a name of the table stands for what was typed, if it does.
fn fit(known: &str, typed: &str) -> Option<usize> {
    match known.strip_suffix('*') {
        Some(begin) => typed.starts_with(begin).then_some(begin.len()),
        None => (known == typed).then_some(usize::MAX),
    }
}

/// What is wrong with a command line that holds a flag or verb nobody knows here; `None` of other errors. Clap's own
/// guess goes by spelling alone, and names things that mean something else.
pub(crate) fn explained(error: &clap::Error, typed: &[OsString]) -> Option<Failure> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg)?;
            let verb = typed.get(1)?.to_str()?;
            flag.starts_with('-')
                .then(|| unknown_flag(flag.split('=').next().unwrap_or(flag), verb, typed))
        }
        ErrorKind::InvalidSubcommand => {
            Some(unknown_verb(context(ContextKind::InvalidSubcommand)?))
        }
        _ => None,
    }
}

fn unknown_flag(flag: &str, verb: &str, typed: &[OsString]) -> Failure {
    let program = Args::command();
    let Some(command) = program.find_subcommand(verb) else {
        let help = "`tokenomics --help` lists the verbs";
        return Failure::usage(format!("`tokenomics` has no {flag}; {help}"));
    };
    let verb = command.get_name();
    let mut answers = Vec::new();
    for flag in foreign_flags(flag, command, typed) {
        let way_out = way_out(&flag, command, &program);
        answers.push(format!("`tokenomics {verb}` has no {flag}; {way_out}"));
    }
    let first = answers.remove(0);
    Failure::usage(first).with_excerpt(&answers.join("\n"))
}

/// The flag at which parsing ended, and all others that the verb does not know: who brings a whole line of another tool
/// is told all at once.
fn foreign_flags(first: &str, command: &Command, typed: &[OsString]) -> Vec<String> {
    let ours = typed.iter().skip(2).take_while(|word| *word != "--");
    let words = ours.filter_map(|word| word.to_str()?.split('=').next());
    let mut foreign = vec![first.to_owned()];
    for word in words {
        let is_new = !foreign.iter().any(|known| known == word);
        if word.starts_with('-') && is_new && !is_known(word, command) && Row::of(word).is_some() {
            foreign.push(word.to_owned());
        }
    }
    foreign
}

fn way_out(flag: &str, command: &Command, program: &Command) -> String {
    let verb = command.get_name();
    let row = Row::of(flag).filter(|_| MEASURING.contains(&verb));
    if let Some(row) = row {
        return row.answer_of(verb).to_owned();
    }
    let named = |arg: &&Arg| arg.get_long().is_some() && !arg.is_hide_set();
    let mut meant = command.get_arguments().filter(named);
    if let Some(long) =
        meant.find_map(|arg| Some(arg.get_long()?).filter(|long| is_typo(flag, long)))
    {
        return format!("did you mean --{long}? `tokenomics {verb} --help` lists its flags");
    }
    let mut others = program
        .get_subcommands()
        .filter(|other| !other.is_hide_set());
    match others.find(|other| is_known(flag, other)) {
        Some(other) => format!("`tokenomics {}` has it", other.get_name()),
        None => format!("`tokenomics {verb} --help` lists its flags"),
    }
}

/// Whether the command takes the flag.
fn is_known(flag: &str, command: &Command) -> bool {
    let is_it = |arg: &Arg| {
        if let Some(long) = flag.strip_prefix("--") {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            return arg.get_long() == Some(long) || aliases.contains(&long) || long == "help";
        }
        let short = flag.chars().nth(1);
        short == Some('h') || (short.is_some() && arg.get_short() == short)
    };
    command.get_arguments().any(is_it)
}

fn unknown_verb(verb: &str) -> Failure {
    let program = Args::command();
    let mut verbs = program
        .get_subcommands()
        .filter(|known| !known.is_hide_set());
    let way_out = match Row::of(verb) {
        Some(row) => row.answer.to_owned(),
        None => match verbs.find(|known| is_typo(verb, known.get_name())) {
            Some(meant) => format!("did you mean `tokenomics {}`?", meant.get_name()),
            None => "`tokenomics --help` lists its verbs".to_owned(),
        },
    };
    Failure::usage(format!("`tokenomics` has no verb `{verb}`; {way_out}"))
}

/// Whether one may have been typed for the other: a letter is wrong in it or in each of two words, or two neighbours have
/// changed places. Words of four letters with another letter in them are often other words, as are words with two.
fn is_typo(typed: &str, known: &str) -> bool {
    let typed = typed.trim_start_matches('-');
    let swapped = (1..typed.len()).any(|at| {
        let mut letters = typed.as_bytes().to_vec();
        letters.swap(at - 1, at);
        letters == known.as_bytes()
    });
    let slip = |typed: &str, known: &str| {
        let same_length = typed.chars().count() == known.chars().count();
        distance(typed, known) == 1 && known.len() >= if same_length { 5 } else { 4 }
    };
    let words = typed.split('-').zip(known.split('-'));
    let in_words = || {
        let wrong = words.filter(|(typed, known)| typed != known);
        wrong
            .map(|(typed, known)| slip(typed, known))
            .collect::<Vec<_>>()
    };
    let as_many = typed.split('-').count() == known.split('-').count();
    (swapped && known.len() >= 4)
        || slip(typed, known)
        || (as_many && matches!(in_words().as_slice(), [true] | [true, true]))
}

#[cfg(test)]
mod tests {
    use super::{MEASURING, Row, explained, fit, is_known, is_typo};
    use crate::args::{Args, with_dashes};
    use clap::{CommandFactory, Parser};
    use std::collections::BTreeSet;

    fn said(line: &str) -> String {
        let typed = std::iter::once("tokenomics").chain(line.split_whitespace());
        let typed = with_dashes(typed.map(Into::into));
        let error = Args::try_parse_from(&typed).unwrap_err();
        explained(&error, &typed).unwrap().to_string()
    }

    /// Words of a sentence that are flags.
    fn flags(sentence: &str) -> Vec<&str> {
        let words = sentence.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words
            .filter(|word| word.starts_with("--") && word.len() > 2)
            .collect()
    }

    #[test]
    fn the_table_names_only_flags_and_verbs_that_exist() {
        let program = Args::command();
        let verbs = || program.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut seen = BTreeSet::new();
        for row in Row::all() {
            for name in row.names.split_whitespace() {
                assert!(seen.insert(name), "{name} stands twice");
            }
            for verb in MEASURING {
                let answer = row.answer_of(verb);
                assert!(!answer.ends_with('.') && !answer.is_empty(), "{answer}");
                let mut named = answer.split("`tokenomics ").skip(1);
                let other = named.next().and_then(|rest| rest.split([' ', '`']).next());
                for flag in flags(answer) {
                    let there = verbs().filter(|known| {
                        known.get_name() == verb || Some(known.get_name()) == other
                    });
                    let is_there = there.into_iter().any(|verb| is_known(flag, verb));
                    assert!(
                        is_there || row.names.contains("bench"),
                        "{flag} of {verb}: {answer}"
                    );
                }
                if let Some(other) = other {
                    assert!(verbs().any(|known| known.get_name() == other), "{answer}");
                }
            }
        }
    }

    #[test]
    fn no_row_of_the_table_hides_a_flag_of_ours() {
        let program = Args::command();
        for verb in MEASURING {
            let command = program.find_subcommand(verb).unwrap();
            for row in Row::all() {
                for name in row.names.split_whitespace() {
                    let other = MEASURING.iter().find(|other| **other != verb).unwrap();
                    let other = program.find_subcommand(other).unwrap();
                    // One that only the other verb has is answered here.
                    let is_ours = is_known(name, command) && is_known(name, other);
                    assert!(!name.starts_with('-') || !is_ours, "{name}");
                }
            }
        }
    }

    #[test]
    fn what_other_tools_call_a_thing_is_answered_with_what_means_the_same() {
        for (line, means) in [
            ("chat --num-warmups 3", "--warmup-runs"),
            ("chat --dataset_name=random", "--scenario"),
            ("chat --backend vllm", "--endpoint"),
            ("chat --random-input-len 128", "--scenario"),
            ("chat --host h", "--api-base"),
            ("chat --url http://h", "--api-base"),
            ("chat --top-p 0.9", "--extra-body"),
            ("chat --search-space x", "--find-capacity"),
            ("chat --num-concurrency 4", "--max-concurrency"),
            ("chat -c 4", "--max-concurrency"),
            ("chat --wandb-project x", "nothing is sent anywhere"),
            ("embedding --isl 4", "--input-tokens"),
            ("embedding --batch-size 4", "--inputs-per-request"),
            ("embedding --osl 4", "vectors have no length"),
            ("bench serve", "tokenomics chat"),
            ("completion", "tokenomics chat"),
        ] {
            assert!(said(line).contains(means), "{line}: {}", said(line));
        }
    }

    #[test]
    fn the_very_name_stands_before_the_longest_beginning_and_that_before_shorter_ones() {
        let [exact, long, short] =
            ["--a-b-c", "--a-b-*", "--a-*"].map(|known| fit(known, "--a-b-c"));
        assert!(exact > long && long > short && short.is_some());
        assert_eq!(fit("--b-*", "--a-b-c"), None);
    }

    #[test]
    fn a_whole_line_of_another_tool_is_answered_at_once() {
        let all = said("chat --backend vllm --dataset-name random --model m --num-warmups=3");
        for flag in ["no --backend;", "no --dataset-name;", "no --num-warmups;"] {
            assert!(all.contains(flag), "{all}");
        }
        assert!(!all.contains("no --model;"), "{all}");
    }

    #[test]
    fn only_a_slip_of_the_fingers_is_taken_for_another_flag() {
        for (line, meant) in [
            ("chat --modle m", Some("--model")),
            ("chat --mode m", Some("--model")),
            ("chat --num-promts 3", Some("--num-prompts")),
            ("chat --max-concurency 3", Some("--max-concurrency")),
            ("chat --reqest-rat 3", Some("--request-rate")),
            ("chat --batchsizes 3", Some("--batch-sizes")),
            ("chat --num-urns 3", Some("--num-runs")),
            ("chat --num-rounds 3", None),
            ("chat --no-such-thing", None),
            ("chat --dry", None),
            ("plot --batch-sizes 3", None),
            ("chta", Some("tokenomics chat")),
            ("nonsense", None),
        ] {
            let said = said(line);
            assert_eq!(said.contains("did you mean"), meant.is_some(), "{said}");
            assert!(said.contains(meant.unwrap_or_default()), "{said}");
        }
        assert!(!is_typo("--host", "cost"));
    }

    #[test]
    fn a_flag_of_another_verb_is_named_with_it() {
        let said = said("chat --inputs-per-request 3");
        assert!(said.contains("`tokenomics embedding` has it"), "{said}");
    }
}
