//! Which models answered, and whether they are the one that was asked.

use std::collections::BTreeMap;

/// Requests that are kept of each name.
const NAMED: usize = 3;

/// A server that makes up a name for each answer fills no more than this; the rest is counted together.
const NAMES_MAX: usize = 64;

/// Under this name.
pub(crate) const OTHERS: &str = "(others)";

/// The names of the models that answered a point, each with how often and the first requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelNames {
    names: BTreeMap<String, Answered>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answered {
    count: u64,
    first: Vec<u64>,
}

/// What is wrong with the names of those who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamesFault {
    /// One model was asked for, and several answered.
    Several,
    /// A model answered whose name has nothing to do with any that was asked for.
    Unrelated(String),
}

impl ModelNames {
    /// Adds the name in the answer to a request.
    pub(crate) fn add(&mut self, name: &str, request: u64) {
        let name = key(&self.names, name);
        let answered = match self.names.get_mut(name) {
            Some(known) => known,
            None => self.names.entry(name.to_owned()).or_default(),
        };
        answered.count += 1;
        if answered.first.len() < NAMED {
            answered.first.push(request);
        }
    }

    /// Each name and how many answers have it, most frequent first.
    pub(crate) fn counts(&self) -> Vec<(&str, u64)> {
        let mut counts: Vec<_> = self
            .names
            .iter()
            .map(|(name, a)| (&**name, a.count))
            .collect();
        counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        counts
    }

    /// Requests that another model answered than the one that was asked for, or than the one that answered most.
    pub(crate) fn strangers_requests(&self, asked: &[String]) -> Vec<u64> {
        let is_asked = |name: &str| asked.iter().any(|asked| related(asked, name));
        let counts = self.counts();
        let expected = counts.iter().find(|(name, _)| is_asked(name));
        let expected = expected.map(|&(name, _)| name);
        let others = counts.iter().filter(|(name, _)| Some(*name) != expected);
        let mut requests: Vec<u64> = others
            .flat_map(|(name, _)| self.names[*name].first.iter().copied())
            .collect();
        requests.sort_unstable();
        requests.truncate(NAMED);
        requests
    }

    /// What is wrong with them, where `asked` is known.
    pub(crate) fn fault(&self, asked: &[String]) -> Option<NamesFault> {
        if asked.is_empty() {
            return None;
        }
        let is_related = |name: &str| asked.iter().any(|asked| related(asked, name));
        let stranger = self
            .counts()
            .into_iter()
            .find(|(name, _)| !is_related(name));
        match stranger {
            Some((name, _)) if self.names.len() == 1 || asked.len() > 1 => {
                Some(NamesFault::Unrelated(name.to_owned()))
            }
            _ if asked.len() == 1 && self.names.len() > 1 => Some(NamesFault::Several),
            _ => None,
        }
    }
}

/// The name under which something is counted: its own, as long as there are not too many.
pub(crate) fn key<'a, V>(known: &BTreeMap<String, V>, name: &'a str) -> &'a str {
    if known.len() < NAMES_MAX || known.contains_key(name) {
        name
    } else {
        OTHERS
    }
}

/// Whether two names can be those of one model: after the name of an organisation or a path, and without a format of
/// weights, one is the other with a date or a version behind it.
fn related(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (
        without_format(words(asked)),
        without_format(words(answered)),
    );
    if asked.is_empty() || answered.is_empty() {
        return true;
    }
    let (shorter, longer) = if asked.len() <= answered.len() {
        (asked, answered)
    } else {
        (answered, asked)
    };
    longer[..shorter.len()] == shorter[..] && is_edition(&longer[shorter.len()..])
}

/// The last part of a path, in lower case, cut where a letter or digit meets something else.
fn words(name: &str) -> Vec<String> {
    let base = name
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(name);
    // Which revision it is: transformers answers as `NAME@main`, Vertex has `NAME@DATE`.
    let base = base.split('@').next().unwrap_or(base);
    let lower = base.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Without what says in which format weights are, such as `Q4_K_M.gguf`, or on which terms: `latest`, `free`.
fn without_format(mut words: Vec<String>) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "latest",
        "free",
        "gguf",
        "safetensors",
        "onnx",
        "openvino",
        "awq",
        "gptq",
        "bnb",
        "exl2",
        "mlx",
        "marlin",
        "ud",
        "imat",
        "fp4",
        "fp8",
        "fp16",
        "bf16",
        "f16",
        "f32",
        "int4",
        "int8",
        "4bit",
        "8bit",
    ];
    const SIZES: [&str; 10] = ["k", "m", "s", "l", "xl", "xs", "xxs", "nl", "0", "1"];
    let is_quant = |word: &String| {
        let digits = ["q", "iq", "tq"]
            .iter()
            .find_map(|kind| word.strip_prefix(kind));
        digits.is_some_and(|digits| digits.len() == 1 && digits.as_bytes()[0].is_ascii_digit())
    };
    let is_size = |word: &String| SIZES.contains(&word.as_str());
    loop {
        let last = words.iter().rposition(|word| !is_size(word));
        match last {
            Some(last) if is_quant(&words[last]) => words.truncate(last),
            Some(last) if last + 1 == words.len() && WORDS.contains(&words[last].as_str()) => {
                words.truncate(last);
            }
            _ => return words,
        }
    }
}

/// What stands behind a model's name and makes no other model of it: a date, a build or a version of it. `gpt-4.1` is no
/// edition of `gpt-4`.
fn is_edition(words: &[String]) -> bool {
    let digits = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let has_year = words
        .iter()
        .any(|word| word.len() == 4 && word.starts_with("20") && digits(word));
    words.iter().all(|word| {
        let is_number = digits(word)
            && ((4..=8).contains(&word.len())
                || word.starts_with('0')
                || (has_year && word.len() == 2));
        let is_version = word.strip_prefix('v').is_some_and(digits);
        is_number || is_version || ["preview", "exp", "experimental"].contains(&word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::{ModelNames, NamesFault, related};

    fn names(names: &[&str]) -> ModelNames {
        let mut all = ModelNames::default();
        for (request, name) in names.iter().enumerate() {
            all.add(name, request as u64);
        }
        all
    }

    #[test]
    fn an_alias_is_the_same_model_and_a_sibling_is_not() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("openai/gpt-4o", "gpt-4o"),
            ("llama3.2", "llama3.2:latest"),
            (
                "/models/SmolLM2-135M-Instruct",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
            ("m", "m"),
            ("smollm2", "smollm2@main"),
            ("gpt-4", "gpt-4-0613"),
            ("o1", "o1-2024-12-17"),
            ("command-r", "command-r-08-2024"),
            (
                "claude-3-5-sonnet-latest",
                "claude-3-5-sonnet-20241022-v1:0",
            ),
            (
                "bartowski/Llama-3.2-3B-Instruct-GGUF",
                "Llama-3.2-3B-Instruct-UD-IQ4_NL.gguf",
            ),
            (
                "Qwen/Qwen2.5-7B-Instruct-AWQ",
                "qwen2.5-7b-instruct-q4_k_m.gguf",
            ),
            ("mlx-community/Qwen3-4B-4bit", "Qwen3-4B"),
            ("meta-llama/llama-3.3-70b:free", "llama-3.3-70b"),
            ("gemini-1.5-pro", "models/gemini-1.5-pro-002"),
        ] {
            assert!(related(asked, answered), "{asked} {answered}");
        }
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("m", "mixtral"),
            ("llama-3-70b", "llama-3-8b"),
            ("smol", "SmolLM2-135M"),
            ("gpt-4", "gpt-4.1"),
            ("glm-4", "glm-4.6"),
            ("llama-3", "llama-3.1"),
            ("deepseek-v3", "deepseek-v2"),
            ("deepseek", "deepseek-r1"),
            ("gpt-4-turbo", "gpt-4-32k"),
        ] {
            assert!(!related(asked, answered), "{asked} {answered}");
        }
    }

    #[test]
    fn several_names_in_one_point_and_strange_ones_are_told_from_one_alias() {
        let asked = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let alias = names(&["gpt-4o-2024-08-06", "gpt-4o-2024-08-06"]);
        assert_eq!(alias.fault(&asked(&["gpt-4o"])), None);
        let mixed = names(&["gpt-4o", "gpt-4o-mini", "gpt-4o"]);
        assert_eq!(mixed.fault(&asked(&["gpt-4o"])), Some(NamesFault::Several));
        assert_eq!(mixed.counts()[0], ("gpt-4o", 2));
        assert_eq!(mixed.strangers_requests(&asked(&["gpt-4o"])), [1]);
        let other = names(&["mistral"]);
        let unrelated = Some(NamesFault::Unrelated("mistral".to_owned()));
        assert_eq!(other.fault(&asked(&["gpt-4o"])), unrelated);
        assert_eq!(other.strangers_requests(&asked(&["gpt-4o"])), [0]);
        assert_eq!(names(&["a", "b"]).fault(&asked(&["a", "b"])), None);
        assert_eq!(
            names(&["a", "mistral"]).fault(&asked(&["a", "b"])),
            unrelated
        );
        assert_eq!(other.fault(&[]), None);
    }

    #[test]
    fn a_server_that_makes_up_names_fills_no_memory() {
        let mut many = ModelNames::default();
        for request in 0..1000 {
            many.add(&format!("m-{request}"), request);
        }
        let counts = many.counts();
        assert_eq!((counts.len(), counts[0]), (65, ("(others)", 936)));
    }
}
